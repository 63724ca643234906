/** A `Blob`, of node or of a library: ws reads its bytes later. */
interface BlobLike {
  readonly size: number
}

/** A message to send: text, bytes, or a Blob that ws reads later. */
export type Payload = string | Uint8Array | BlobLike

const NOTHING = new Uint8Array(0)

/**
 * Reads the argument of `send()` as ws does, so that we measure and copy what ws would send.
 * @throws TypeError if ws cannot send it either
 */
export function toPayload(data: unknown): Payload {
  if (typeof data === 'string' || data instanceof Uint8Array) return data
  if (typeof data === 'number') return String(data)
  if (!data) return NOTHING
  if (data instanceof ArrayBuffer) return new Uint8Array(data)
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  // Else it is an array of numbers, an ArrayBuffer of another realm, a SharedArrayBuffer, the result of a
  // Buffer's `toJSON`, ...
  return typeof data === 'object' && isBlob(data) ? data : Buffer.from(data as ArrayBufferLike)
}

/** Number of bytes; for text, in UTF-8. */
export function sizeOf(payload: Payload): number {
  if (typeof payload === 'string') return Buffer.byteLength(payload)
  return payload instanceof Uint8Array ? payload.byteLength : payload.size
}

/**
 * An upper bound of {@link sizeOf} that is cheaper to compute: a unit of UTF-16 never makes more than three
 * bytes.
 */
export function sizeAtMost(payload: Payload): number {
  return typeof payload === 'string' ? payload.length * 3 : sizeOf(payload)
}

/** Number of bytes of a message that ws has received, for each `binaryType`, or that the app emits itself. */
export function sizeOfReceived(data: unknown): number {
  if (ArrayBuffer.isView(data) || data instanceof ArrayBuffer) return data.byteLength
  if (data instanceof Blob) return data.size
  if (!Array.isArray(data)) return Buffer.byteLength(String(data))
  return data.reduce((bytes: number, part) => bytes + sizeOfReceived(part), 0)
}

/** So much memory may a message keep, however small it is. */
const KEPT = 8 * 1024

/**
 * The bytes, or a copy of them that does not keep the whole read in memory. A received message is a view of
 * the read that brought it: one byte among thousands of pongs keeps 64 KiB. So a message that has to wait and
 * is a small part of its read is copied, into memory of its own: node's pool for small buffers has 64 KiB since Node 26.
 */
export function withoutRead(bytes: Uint8Array): Uint8Array {
  const kept = bytes.buffer.byteLength
  if (kept <= KEPT || bytes.byteLength * 2 >= kept) return bytes
  const copy = Buffer.allocUnsafeSlow(bytes.byteLength)
  copy.set(bytes)
  return copy
}

/** A received message in the form in which it may be kept. */
export function toKept(data: unknown): unknown {
  if (Buffer.isBuffer(data)) return withoutRead(data)
  return Array.isArray(data) ? data.map(toKept) : data
}

/** Whether ws would treat it as a Blob. */
function isBlob(data: object): data is BlobLike {
  const { arrayBuffer, stream, type } = data as Partial<Blob>
  const tag: unknown = Reflect.get(data, Symbol.toStringTag)
  return (
    typeof arrayBuffer === 'function' &&
    typeof stream === 'function' &&
    typeof type === 'string' &&
    (tag === 'Blob' || tag === 'File')
  )
}
