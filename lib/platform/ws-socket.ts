/**
 * Private fields of ws's sockets and servers, apart from the parser (ws-receiver.ts) and the framing
 * (ws-sender.ts). They are read here and nowhere else. test/platform/internals.test.ts pins them: if
 * something moves, that test fails, and the code below answers as if nothing were known.
 */
import { WebSocket, type WebSocketServer } from 'ws'

interface Closing {
  _closeFrameReceived?: boolean
  readonly _closeCode?: number
  _closeTimeout?: number
}

/** Methods that pass bounds on: `setSocket` of a socket, `completeUpgrade` of a server. */
interface HandingOn {
  readonly setSocket?: unknown
  readonly completeUpgrade?: unknown
}

/** A socket of the server's kind that never connects, to have in place of one. */
export const NO_SOCKET: WebSocket = Reflect.construct(WebSocket, [null, undefined, {}]) as WebSocket

/**
 * Whether the peer's close frame has come. ws answers it by calling `close()` itself; this tells that call
 * from one of the app.
 */
export function isCloseFrameReceived(socket: WebSocket): boolean {
  return (socket as Closing)._closeFrameReceived === true
}

/** The code of the peer's close frame, 1005 if it has none; `undefined` as long as no frame has come. */
export function closeCodeReceived(socket: WebSocket): number | undefined {
  return isCloseFrameReceived(socket) ? (socket as Closing)._closeCode : undefined
}

/** Makes ws tell its listeners that there was no clean close, for the peer's close frame does not count. */
export function forgetCloseFrame(socket: WebSocket): void {
  ;(socket as Closing)._closeFrameReceived = false
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
