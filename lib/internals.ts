/**
 * What ws and node keep private, and nothing public tells. Each is read here and nowhere else, and
 * pinned by test/internals.test.ts: if one of them moves, that test fails, and the code below
 * answers as if nothing were known.
 */
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'

interface WsInternals {
  readonly _closeFrameReceived?: boolean
  readonly _receiver?: {
    readonly writableLength: number
    readonly _loop?: boolean
    readonly _bufferedBytes?: number
  }
  readonly _sender?: {
    readonly _state?: number
    readonly _firstFragment?: boolean
    readonly _queue?: ReadonlyArray<readonly unknown[]>
  }
}

interface Transport {
  readonly bytesWritten: number
  readonly writeQueueSize: number
}

interface NodeInternals {
  readonly _httpMessage?: unknown
  readonly _handle?: (Partial<Transport> & { readonly _parent?: Partial<Transport> }) | null
}

/** ws answers a close frame by calling `close()` itself: this tells that call from the app's. */
export function isCloseFrameReceived(socket: WebSocket): boolean {
  return (socket as WsInternals)._closeFrameReceived === true
}

/** Whether received bytes are not parsed yet: a close frame may stand among them. */
export function isParsing(socket: WebSocket): boolean {
  return ((socket as WsInternals)._receiver?.writableLength ?? 0) > 0
}

/** Whether ws is handing over what one read of the socket brought: we are called from within that. */
export function isReading(socket: WebSocket): boolean {
  return (socket as WsInternals)._receiver?._loop === true
}

/** Whether there is more of what that read brought. */
export function hasMoreRead(socket: WebSocket): boolean {
  return ((socket as WsInternals)._receiver?._bufferedBytes ?? 0) > 0
}

/**
 * Whether ws would begin a message with what is sent now, and write it at once: it is not within a
 * fragmented one, nor compressing, nor reading a `Blob`.
 */
export function isBetweenMessages(socket: WebSocket): boolean {
  const sender = (socket as WsInternals)._sender
  return sender?._state === 0 && sender._firstFragment === true
}

/** How many frames ws holds back because it compresses an earlier one. */
export function queuedFrames(socket: WebSocket): number {
  return (socket as WsInternals)._sender?._queue?.length ?? 0
}

/** Whether the frame with this payload waits in that queue. */
export function isQueued(socket: WebSocket, payload: Buffer): boolean {
  return (socket as WsInternals)._sender?._queue?.some((entry) => entry.includes(payload)) ?? false
}

/** How many bytes libuv holds because the kernel takes no more. */
export function bytesHeld(raw: Duplex): number {
  return transportOf(raw)?.writeQueueSize ?? 0
}

/**
 * How many bytes the kernel took from us, `undefined` where node does not tell. `bytesWritten`
 * counts what was handed to libuv, of which it still holds some. Over TLS only those of the TCP
 * handle below move when the peer reads.
 *
 * @param held what `bytesHeld` says right now
 */
export function bytesTaken(raw: Duplex, held: number = bytesHeld(raw)): number | undefined {
  const transport = transportOf(raw)
  const written = transport?.bytesWritten
  if (transport === undefined || written === undefined || !('writeQueueSize' in transport))
    return undefined
  return written - held
}

/** Whether the response to a request of this socket is not written to its end yet. */
export function isResponding(raw: Duplex): boolean {
  return Boolean((raw as NodeInternals)._httpMessage)
}

function transportOf(raw: Duplex): Partial<Transport> | undefined {
  const handle = (raw as NodeInternals)._handle ?? undefined
  return handle?._parent ?? handle
}
