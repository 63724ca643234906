/**
 * What a socket and a server of ws keep private, beside the parser (ws-receiver.ts) and the framing (ws-sender.ts). It is
 * read here and nowhere else, and pinned by test/platform/internals.test.ts: if something moves, that test fails, and the
 * code below answers as if nothing were known.
 */
import type { WebSocket, WebSocketServer } from 'ws'

interface Closing {
  readonly _closeFrameReceived?: boolean
  _closeTimeout?: number
}

/** Methods that hand limits on: `setSocket` of a socket, `completeUpgrade` of a server. */
interface HandingOn {
  readonly setSocket?: unknown
  readonly completeUpgrade?: unknown
}

/** ws answers a close frame by calling `close()` itself: this tells that call from the app's. */
export function isCloseFrameReceived(socket: WebSocket): boolean {
  return (socket as Closing)._closeFrameReceived === true
}

/** Has ws itself end a socket whose peer does not answer its close frame, after so many ms. */
export function closeWithin(socket: WebSocket, delay: number): void {
  ;(socket as Closing)._closeTimeout = delay
}

/**
 * Whether this ws is seen to know no limits for the pieces of a message: `setSocket` of a socket, and what calls
 * it in a server, name all limits that they hand on. Of code without a source nothing is known.
 */
export function ignoresPieces(part: WebSocket | WebSocketServer): boolean {
  const { setSocket, completeUpgrade } = part as HandingOn
  const source = String(setSocket ?? completeUpgrade)
  return source.includes('maxPayload') && !source.includes('maxFragments')
}
