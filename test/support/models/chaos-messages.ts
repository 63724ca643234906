import { randomFrom } from './random.js'

export type ChaosMessage = string | Buffer

/** Beginnings that could be taken for a control frame, or for the mark of one. */
const BEGINNINGS = ['\0', '\0\0', '\0a1', '\0p', '\0w{"v":1}', '\0b0', '\0\0a2', '€', '{"']
const LARGEST = 70_000

/** Bytes that no compression makes smaller, and as text. */
const random = randomFrom(1)
const BYTES = Buffer.from(Array.from({ length: LARGEST * 2 }, () => Math.floor(random() * 256)))
const TEXT = BYTES.toString('base64')

/**
 * The n-th message of a stream: text or binary, from 0 to 70 kB, most of them small. Both ends know what it
 * has to be, so also an empty one that is lost is missed.
 */
export function messageOf(stream: string, number: number): ChaosMessage {
  const random = randomFrom(seedOf(`${stream} ${number}`))
  // As many messages of 1 to 10 bytes as of 1,000 to 10,000.
  const size = Math.min(LARGEST, Math.floor(10 ** (random() * 5.2)) - 1)
  const from = Math.floor(random() * LARGEST)
  if (random() < 0.4) return BYTES.subarray(from, from + size)
  const beginning = BEGINNINGS[Math.floor(random() * BEGINNINGS.length * 1.5)] ?? ''
  return (beginning + TEXT.slice(from, from + size)).slice(0, size)
}

/** Whether this is the n-th message of a stream. */
export function isMessage(
  stream: string,
  number: number,
  given: string | Buffer | ArrayBuffer,
): boolean {
  const expected = messageOf(stream, number)
  if (typeof expected === 'string' || typeof given === 'string') return expected === given
  return expected.equals(Buffer.isBuffer(given) ? given : Buffer.from(given))
}

/** FNV-1a. */
function seedOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}
