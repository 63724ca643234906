/** A `Blob`, of node or of a library: ws reads its bytes later. */
interface BlobLike {
  readonly size: number
}

/** What is sent: text, bytes, or what ws makes bytes of. */
export type Payload = string | Uint8Array | BlobLike

const NOTHING = new Uint8Array(0)

/**
 * Reads what was given to `send()` as ws does, so that it is measured and copied as what ws would send.
 * @throws TypeError for what ws cannot send either
 */
export function toPayload(data: unknown): Payload {
  if (typeof data === 'string' || data instanceof Uint8Array) return data
  if (typeof data === 'number') return String(data)
  if (!data) return NOTHING
  if (data instanceof ArrayBuffer) return new Uint8Array(data)
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  // An array of numbers, an ArrayBuffer of another realm, a SharedArrayBuffer, what `toJSON` of a Buffer made, ...
  return typeof data === 'object' && isBlob(data) ? data : Buffer.from(data as ArrayBufferLike)
}

/** How many bytes it has; for text, as UTF-8. */
export function sizeOf(payload: Payload): number {
  if (typeof payload === 'string') return Buffer.byteLength(payload)
  return payload instanceof Uint8Array ? payload.byteLength : payload.size
}

/** No less than {@link sizeOf}, and cheaper: a UTF-16 unit never makes more than three bytes. */
export function sizeAtMost(payload: Payload): number {
  return typeof payload === 'string' ? payload.length * 3 : sizeOf(payload)
}

/** How many bytes a message has that ws hands over, for each `binaryType`; or that the app emits itself. */
export function sizeOfReceived(data: unknown): number {
  if (ArrayBuffer.isView(data) || data instanceof ArrayBuffer) return data.byteLength
  if (data instanceof Blob) return data.size
  if (!Array.isArray(data)) return Buffer.byteLength(String(data))
  return data.reduce((bytes: number, part) => bytes + sizeOfReceived(part), 0)
}

/** node's own pool for small buffers: whoever is in there keeps no more than this. */
const POOL = 8 * 1024

/**
 * What ws has received is a view of the read that brought it, and keeps all of it: a byte among thousands of pongs keeps 64 KiB. Where
 * it has to wait, and is a small part of its read, it is copied.
 */
export function withoutRead(bytes: Uint8Array): Uint8Array {
  const kept = bytes.buffer.byteLength
  return kept <= POOL || bytes.byteLength * 2 >= kept ? bytes : Buffer.from(bytes)
}

/** What ws has received, as it may be kept. */
export function toKept(data: unknown): unknown {
  if (Buffer.isBuffer(data)) return withoutRead(data)
  return Array.isArray(data) ? data.map(toKept) : data
}

/** As ws tells one. */
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
