import type { IncomingMessage } from 'node:http'

/**
 * Whether a request asks for a WebSocket. `Upgrade` is a list: curl and Java's client offer `h2c` with every
 * request, and a server may ignore protocols that it does not know (RFC 9110 §7.8).
 */
export function asksForWebsocket(message: IncomingMessage): boolean {
  // With injectWS the header may be anything.
  const protocols = String(message.headers.upgrade).split(',')
  return protocols.some((protocol) => protocol.trim().toLowerCase() === 'websocket')
}

/** Leaves only `websocket` in the header, because ws accepts nothing else beside it. */
export function nameWebsocketOnly(message: IncomingMessage): void {
  message.headers.upgrade = 'websocket'
}
