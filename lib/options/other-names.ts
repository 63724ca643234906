/**
 * Names of options elsewhere, in small letters and without `_`, and what to write here. They are from
 * @fastify/websocket, ws, socket.io, Bun, uWebSockets.js, gorilla/websocket, websockets of Python, and from
 * code that people write by hand. For these names the most similar of our names would be the wrong hint.
 */
export const FOREIGN_NAMES: Readonly<Record<string, string>> = {
  // @fastify/websocket.
  options: '`websocket`',
  errorhandler: '`onHandlerError`',
  preclose: '`onShutdown`, which is called before connections are closed, or `drain`',
  // The life of connections.
  onerror: '`onHandlerError`, or `onUnexpectedClose`',
  onopen: 'the handler of the route, which is called when it has opened',
  onconnect: 'the handler of the route, which is called when it has opened',
  onconnection: 'the handler of the route, which is called when it has opened',
  connection: 'the handler of the route, which is called when it has opened',
  open: 'the handler of the route, which is called when it has opened',
  ondisconnect: '`onClose`',
  disconnect: '`onClose`',
  close: '`onClose`',
  message: '`onMessage` of a route',
  connectionstaterecovery: '`resume` of a route',
  upgrade: 'a hook such as `onRequest`',
  authenticate: 'a hook such as `onRequest`',
  allowrequest: 'a hook such as `onRequest`, or `allowedOrigins`',
  // Keepalive.
  heartbeat: '`keepalive`',
  ping: '`keepalive`',
  pingpong: '`keepalive`',
  sendpings: '`keepalive`',
  sendpingsautomatically: '`keepalive`',
  heartbeatinterval: '`keepalive.interval`',
  keepaliveinterval: '`keepalive.interval`',
  pinginterval: '`keepalive.interval`',
  pingperiod: '`keepalive.interval`',
  interval: '`keepalive.interval`',
  heartbeattimeout: '`keepalive.timeout`',
  keepalivetimeout: '`keepalive.timeout`',
  clienttimeoutinterval: '`keepalive.timeout`',
  pingtimeout: '`keepalive.timeout`',
  pongtimeout: '`keepalive.timeout`',
  pongwait: '`keepalive.timeout`',
  // Other times.
  timeout:
    '`idleTimeout`, `keepalive.timeout`, `handshakeTimeout`, `closeTimeout`, `cleanupTimeout` or `drain.timeout`',
  idle: '`idleTimeout`',
  maxidle: '`idleTimeout`',
  connecttimeout: '`handshakeTimeout`',
  opentimeout: '`handshakeTimeout`',
  upgradetimeout: '`handshakeTimeout`',
  writewait: '`outbox.maxAge`',
  maxage: '`maxLifetime`, or `outbox.maxAge`',
  ttl: '`maxLifetime`, or `expiresAt`',
  lifetime: '`maxLifetime`',
  expiry: '`expiresAt`',
  // Sizes and limits.
  maxhttpbuffersize: '`websocket.maxPayload`',
  maxpayloadlength: '`websocket.maxPayload`',
  maxsize: '`websocket.maxPayload`',
  maxmessagesize: '`websocket.maxPayload`',
  readlimit: '`websocket.maxPayload`',
  bodylimit: '`websocket.maxPayload`',
  backpressurelimit: '`outbox.maxBytes`',
  maxbackpressure: '`outbox.maxBytes`',
  closeonbackpressurelimit: '`outbox.overflow`',
  highwatermark: '`outbox.highWaterMark`',
  writelimit: '`outbox.highWaterMark`',
  maxqueue: '`inbox.maxMessages`',
  concurrency: '`inbox.concurrency`',
  ratelimit: '`messageRate`',
  maxclients: '`maxConnections`',
  maxconnectionsperip: '`maxConnectionsPerKey`',
  maxconnectionsperuser: '`maxConnectionsPerKey`, with a `key`',
  // Who may come.
  origin: '`allowedOrigins`',
  origins: '`allowedOrigins`',
  checkorigin: '`allowedOrigins`',
  cors: '`allowedOrigins`',
  // The end of the server.
  shutdown: '`drain`',
  shutdowntimeout: '`drain.timeout`',
  draintimeout: '`drain.timeout`',
  graceperiod: '`drain.timeout`',
  // What ws does.
  compression: '`websocket.perMessageDeflate`',
  enablecompression: '`websocket.perMessageDeflate`',
  subprotocols: '`websocket.handleProtocols`',
  protocols: '`websocket.handleProtocols`',
}

/** What to write in place of a name from elsewhere; `undefined` if the name is unknown. */
export function meantBy(name: string): string | undefined {
  const key = plain(name)
  return Object.hasOwn(FOREIGN_NAMES, key) ? FOREIGN_NAMES[key] : undefined
}

/** A name without its case, and without the signs between its words. */
export function plain(name: string): string {
  return name.replaceAll(/[-_]/g, '').toLowerCase()
}
