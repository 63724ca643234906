/**
 * Private fields of ws's sockets and servers, apart from the parser (ws-receiver.ts) and the framing
 * (ws-sender.ts). They are read here and nowhere else. test/platform/internals.test.ts pins them: if
 * something moves, that test fails, and the code below answers as if nothing were known.
 */
import type { WebSocket, WebSocketServer } from 'ws'

interface Closing {
  readonly _closeFrameReceived?: boolean
  _closeTimeout?: number
}

/** Methods that pass bounds on: `setSocket` of a socket, `completeUpgrade` of a server. */
interface HandingOn {
  readonly setSocket?: unknown
  readonly completeUpgrade?: unknown
}

/**
 * Whether the peer's close frame has come. ws answers it by calling `close()` itself; this tells that call
 * from one of the app.
 */
export function isCloseFrameReceived(socket: WebSocket): boolean {
  return (socket as Closing)._closeFrameReceived === true
}

/** Makes ws itself end the socket if its peer does not answer a close frame within so many ms. */
export function closeWithin(socket: WebSocket, delay: number): void {
  ;(socket as Closing)._closeTimeout = delay
}

/**
 * Whether the source of this ws shows that it has no bounds for the pieces of a message. `setSocket` of a
 * socket, and the method of a server that calls it, name all bounds that they pass on. If there is no source
 * to read, nothing is known.
 */
export function ignoresPieces(part: WebSocket | WebSocketServer): boolean {
  const { setSocket, completeUpgrade } = part as HandingOn
  const source = String(setSocket ?? completeUpgrade)
  return source.includes('maxPayload') && !source.includes('maxFragments')
}
