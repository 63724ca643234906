import * as fc from 'fast-check'
import { FIN } from '../../../lib/core/frame.js'
import { bytesOf, closeFrame, frameOf, OPCODE } from '../../../lib/testing/frames.js'
import { mutated, mutations } from './wire-frames.js'

/** What a number is, and what is none. */
export const counts: fc.Arbitrary<string> = fc.oneof(
  { weight: 2, arbitrary: fc.nat(4).map(String) },
  fc.constantFrom('', '-1', '+1', '1e0', '1.0', ' 1', '1 ', '1\n', '1\0', '0x1', '١', 'NaN'),
  fc.constantFrom('00000000000002', '9'.repeat(15), '9'.repeat(16), '9'.repeat(400), '4294967297'),
)

/** Texts of the link, right and wrong, and texts of the app that look like them. */
export const controls: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: counts.map((count) => `\0a${count}`) },
  { weight: 2, arbitrary: fc.constantFrom('\0p', '\0p1', '\0p\0', '\0\0', '\0\0text', '\0z') },
  fc.constantFrom('\0', '\0w', '\0w{"v":1}', '\0w{"v":1,"t":"x","r":1,"n":0}', '\0A1'),
  fc.tuple(fc.constantFrom('a', 'b', 'p', 'w', ''), fc.string()).map(([a, b]) => `\0${a}${b}`),
)

interface Part {
  readonly opcode: number
  readonly payload: Buffer
  /** Where it is cut into frames, with a ping between. */
  readonly cuts: readonly number[]
}

const payloads = fc
  .tuple(
    fc.oneof(
      { weight: 3, arbitrary: controls },
      fc.string({ unit: 'grapheme', maxLength: 20 }),
      fc.nat(99).map((number) => `message ${number}`),
    ),
    fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, mutations),
  )
  .map(([text, edits]) => mutated(Buffer.from(text), edits))

const parts: fc.Arbitrary<Part> = fc.record({
  opcode: fc.constantFrom(OPCODE.text, OPCODE.text, OPCODE.text, OPCODE.binary),
  payload: payloads,
  cuts: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, fc.array(fc.nat(4), { maxLength: 2 })),
})

const closes = fc
  .constantFrom(undefined, 1000, 1001, 1011, 1012, 3000, 4000, 4990, 4991)
  .map((code) => closeFrame(code))

function framesOf({ opcode, payload, cuts }: Part): Buffer {
  const ends = cuts.map((cut) => Math.min(cut, payload.length)).toSorted((a, b) => a - b)
  return Buffer.concat(
    [0, ...ends].flatMap((from, index) => {
      const first = index === 0 ? opcode : OPCODE.continuation
      const data = payload.subarray(from, ends[index])
      if (index === ends.length) return [bytesOf(FIN | first, data)]
      return [bytesOf(first, data), frameOf(OPCODE.ping, 'p')]
    }),
  )
}

/** Texts that may always come. */
export const allowed: fc.Arbitrary<string> = fc.oneof(
  { weight: 2, arbitrary: fc.nat(99).map((number) => `message ${number}`) },
  fc.constantFrom('\0p', '\0z', '\0\0', '\0\0text', '\0\0a1', '\0\0\0a1', '\0é'),
)

function textFrame(text: string): Buffer {
  return frameOf(OPCODE.text, text)
}

/** What a peer of the link says: something right, one thing that is right or wrong, and frames of every kind. */
export const saying: fc.Arbitrary<Buffer> = fc
  .tuple(
    fc.array(allowed.map(textFrame), { maxLength: 3 }),
    controls.map(textFrame),
    fc.array(fc.oneof({ weight: 9, arbitrary: parts.map(framesOf) }, closes), { maxLength: 6 }),
    fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, mutations),
  )
  .map(([right, one, all, edits]) => mutated(Buffer.concat([...right, one, ...all]), edits))

/** What a server makes of the messages that have come. */
export interface Heard {
  /** Those of the app. */
  readonly handled: ReadonlyArray<string | Buffer>
  /** How many messages the peer has confirmed; `undefined`: it has never told. */
  readonly confirmed: number | undefined
  /** Whether it has broken the rules of the link. */
  readonly isBroken: boolean
}

/**
 * The rules of the link, told anew. What comes after a fault is handled too, as after a message that does not match its
 * schema: a client knows nothing of its end yet.
 * @param sent number of messages that the peer can have received
 */
export function hear(messages: ReadonlyArray<string | Buffer>, sent: number): Heard {
  const handled: Array<string | Buffer> = []
  let confirmed: number | undefined
  let isBroken = false
  for (const message of messages) {
    if (typeof message !== 'string' || message[0] !== '\0') handled.push(message)
    else if (message[1] === '\0') handled.push(message.slice(1))
    else if (isPossible(message, confirmed ?? 0, sent)) confirmed = Number(message.slice(2))
    else isBroken ||= message !== '\0p' && 'awbp'.includes(message[1] ?? '')
  }
  return { handled, confirmed, isBroken }
}

function isPossible(text: string, confirmed: number, sent: number): boolean {
  const digits = text.slice(2)
  const isNumber = text[1] === 'a' && /^[0-9]+$/.test(digits) && digits.length <= 15
  return isNumber && Number(digits) >= confirmed && Number(digits) <= sent
}
