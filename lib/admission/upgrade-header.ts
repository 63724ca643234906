import type { IncomingMessage } from 'node:http'

/**
 * Whether a request asks for a WebSocket. `Upgrade` is a list: curl and Java's client offer `h2c` with every
 * request, and a server may ignore what it does not know (RFC 9110 §7.8).
 */
export function asksForWebsocket(message: IncomingMessage): boolean {
  // injectWS may be given any headers.
  const protocols = String(message.headers.upgrade).split(',')
  return protocols.some((protocol) => protocol.trim().toLowerCase() === 'websocket')
}

/** ws wants the one name alone. */
export function nameWebsocketOnly(message: IncomingMessage): void {
  message.headers.upgrade = 'websocket'
}
