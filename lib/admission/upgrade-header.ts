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

/**
 * The header which says that a body follows the head. No client needs one to open a WebSocket. Where a body ends,
 * proxies and servers may disagree, and then somebody can smuggle a request (RFC 9110 §9.3.1).
 */
export function bodyOf({ headers }: IncomingMessage): string | undefined {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = headers
  if (encoding !== undefined) return 'Transfer-Encoding'
  return Number(length) > 0 ? 'Content-Length' : undefined
}
