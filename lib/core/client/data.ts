/** What an app sends. */
export type Sendable = string | ArrayBuffer | ArrayBufferView

/** What is kept of it, and what comes. */
export type Message = string | ArrayBuffer

const ENCODER = new TextEncoder()

/** How many bytes it has on the wire. */
export function bytesOf(data: Message): number {
  return typeof data === 'string' ? ENCODER.encode(data).length : data.byteLength
}

/**
 * The same, as it is now: the app may go on to use its buffer.
 * @returns `undefined` for what cannot be sent
 */
export function copyOf(data: unknown): Message | undefined {
  if (typeof data === 'string') return data
  if (data instanceof ArrayBuffer) return data.slice(0)
  if (!ArrayBuffer.isView(data)) return undefined
  // `slice` of the array and not of its buffer, which may be shared with another thread.
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice().buffer
}
