/** How many bytes a message has; for text, as UTF-8. */
export function sizeOf(data: unknown): number {
  if (ArrayBuffer.isView(data) || data instanceof ArrayBuffer) return data.byteLength
  if (data instanceof Blob) return data.size
  if (Array.isArray(data)) return data.reduce((bytes: number, part) => bytes + sizeOf(part), 0)
  return Buffer.byteLength(String(data))
}

/** No less than {@link sizeOf}, and cheaper: a UTF-16 unit never makes more than three bytes. */
export function sizeAtMost(data: unknown): number {
  return typeof data === 'string' ? data.length * 3 : sizeOf(data)
}
