/**
 * Names of attributes of spans. Most are of OpenTelemetry's semantic conventions. These have none for
 * WebSockets; ours begin with `websocket.`.
 */
export const ATTRIBUTE = {
  errorType: 'error.type',
  method: 'http.request.method',
  route: 'http.route',
  status: 'http.response.status_code',
  protocol: 'network.protocol.name',
  protocolVersion: 'network.protocol.version',
  peerAddress: 'network.peer.address',
  peerPort: 'network.peer.port',
  path: 'url.path',
  scheme: 'url.scheme',
  userAgent: 'user_agent.original',
  connection: 'websocket.connection.id',
  outcome: 'websocket.upgrade.outcome',
  refusal: 'websocket.upgrade.refusal',
  cause: 'websocket.close.cause',
  code: 'websocket.close.code',
  initiator: 'websocket.close.initiator',
  expected: 'websocket.close.expected',
  clean: 'websocket.close.clean',
  step: 'websocket.step.name',
  overran: 'websocket.step.overran',
} as const

/** The value of `network.protocol.name`. */
export const WEBSOCKET = 'websocket'
