import { constants, deflateRawSync } from 'node:zlib'
import * as fc from 'fast-check'
import { FIN, RSV1 } from '../../../lib/core/frame.js'
import { OPCODE } from '../../../lib/testing/frames.js'

/** A frame of a client, right or wrong. */
export interface ClientFrame {
  readonly isLast: boolean
  /** Three bits; RSV1 is 4. */
  readonly rsv: number
  readonly opcode: number
  readonly isMasked: boolean
  readonly payload: Buffer
  /** How the length is written: in as few bytes as it takes, or in 2 or 8 all the same. */
  readonly lengthIn: 'few' | 2 | 8
  /** What the header says beyond what follows. */
  readonly excess: number
}

const MASK = Buffer.from([0xa1, 0x00, 0x5f, 0xff])

/** The bytes of a frame. */
export function encode(frame: ClientFrame): Buffer {
  const { isLast, rsv, opcode, isMasked, payload, lengthIn, excess } = frame
  const length = payload.length + excess
  const needed = length < 126 ? 'few' : length < 65_536 ? 2 : 8
  const size = needed === 8 ? 8 : lengthIn === 'few' ? needed : lengthIn
  const head = Buffer.alloc(size === 'few' ? 2 : 2 + size)
  head[0] = (isLast ? FIN : 0) | (rsv << 4) | opcode
  head[1] = (isMasked ? 0x80 : 0) | (size === 'few' ? length : size === 2 ? 126 : 127)
  if (size === 2) head.writeUInt16BE(length, 2)
  if (size === 8) head.writeBigUInt64BE(BigInt(length), 2)
  if (!isMasked) return Buffer.concat([head, payload])
  const data = Buffer.from(payload)
  for (let i = 0; i < data.length; i++) data[i] = Number(data[i]) ^ Number(MASK[i % 4])
  return Buffer.concat([head, MASK, data])
}

function frameOf(opcode: number, payload: Buffer, rest: Partial<ClientFrame> = {}): ClientFrame {
  return {
    isLast: true,
    rsv: 0,
    opcode,
    isMasked: true,
    lengthIn: 'few',
    excess: 0,
    ...rest,
    payload,
  }
}

/** Lengths at which something changes: in the header, for control frames, and where the tests have their `maxPayload`. */
const lengths = fc.constantFrom(0, 1, 2, 124, 125, 126, 127, 128, 1_000, 65_535, 65_536, 65_537)
const texts = fc
  .oneof(
    { weight: 6, arbitrary: fc.string({ unit: 'grapheme', maxLength: 40 }) },
    { weight: 2, arbitrary: lengths.map((length) => 'x'.repeat(length)) },
  )
  .map((text) => Buffer.from(text))
const bytes = fc.oneof(
  { weight: 6, arbitrary: fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array)) },
  { weight: 2, arbitrary: lengths.map((length) => Buffer.alloc(length, 7)) },
)
const reason = fc.string({ maxLength: 20 }).map((text) => Buffer.from(text))
const codes = fc.oneof(
  fc.constantFrom(1000, 1001, 1002, 1004, 1005, 1006, 1007, 1011, 1015, 2999, 3000, 4000, 4999),
  fc.nat(0xffff),
)
const closes = fc.oneof(
  fc
    .tuple(codes, reason)
    .map(([code, text]) => Buffer.concat([Buffer.from([code >> 8, code & 0xff]), text])),
  fc.constantFrom(
    Buffer.alloc(0),
    Buffer.from('x'),
    Buffer.from([3, 0xe8, 0xff]),
    Buffer.alloc(126, 0x41),
  ),
)

/** A ping or a pong. */
const control = fc
  .tuple(fc.constantFrom(OPCODE.ping, OPCODE.pong), fc.uint8Array({ maxLength: 125 }))
  .map(([opcode, payload]) => frameOf(opcode, Buffer.from(payload)))

/** A message, whole or in parts cut anywhere (also within a letter), with control frames between them. */
const message = fc.record({
  payload: fc.oneof(
    texts.map((data) => [OPCODE.text, data] as const),
    bytes.map((data) => [OPCODE.binary, data] as const),
    // Often no text.
    bytes.map((data) => [OPCODE.text, Buffer.concat([Buffer.from('x'), data])] as const),
  ),
  cuts: fc.array(fc.nat(50), { maxLength: 3 }),
  between: fc.array(control, { maxLength: 3 }),
  isCompressed: fc.boolean(),
  lengthIn: fc.constantFrom<Array<'few' | 2 | 8>>('few', 'few', 'few', 2, 8),
})

type MessagePlan = typeof message extends fc.Arbitrary<infer Plan> ? Plan : never

function framesOf(plan: MessagePlan, mayCompress: boolean): ClientFrame[] {
  const isCompressed = mayCompress && plan.isCompressed
  const [opcode, payload] = plan.payload
  const data = isCompressed ? deflated(payload) : payload
  const ends = plan.cuts.map((cut) => Math.min(cut, data.length)).toSorted((a, b) => a - b)
  return [0, ...ends].flatMap((from, index) => {
    const isLast = index === ends.length
    const frame = frameOf(
      index === 0 ? opcode : OPCODE.continuation,
      data.subarray(from, ends[index] ?? data.length),
      { isLast, rsv: isCompressed && index === 0 ? RSV1 >> 4 : 0, lengthIn: plan.lengthIn },
    )
    const next = plan.between[index]
    return isLast || next === undefined ? [frame] : [frame, next]
  })
}

function deflated(data: Buffer): Buffer {
  return deflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
}

/** A frame with anything in it. */
const odd: fc.Arbitrary<ClientFrame> = fc.record({
  isLast: fc.boolean(),
  rsv: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(7)),
  opcode: fc.nat(15),
  isMasked: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.constant(false)),
  payload: fc.oneof(bytes, closes),
  lengthIn: fc.constantFrom<Array<'few' | 2 | 8>>('few', 'few', 2, 8),
  excess: fc.oneof(
    { weight: 8, arbitrary: fc.constant(0) },
    fc.constantFrom(1, 65_536, 2 ** 31, 2 ** 53 - 1_000_000),
  ),
})

/** What a client says, mostly right, as bytes. */
export function sequences(mayCompress: boolean): fc.Arbitrary<Buffer> {
  const part = fc.oneof(
    { weight: 12, arbitrary: message.map((plan) => framesOf(plan, mayCompress)) },
    { weight: 3, arbitrary: control.map((frame) => [frame]) },
    { weight: 2, arbitrary: odd.map((frame) => [frame]) },
    { weight: 2, arbitrary: closes.map((payload) => [frameOf(OPCODE.close, payload)]) },
  )
  return fc
    .array(part, { minLength: 1, maxLength: 8 })
    .map((parts) => Buffer.concat(parts.flat().map(encode)))
}

/** One thing that happens to bytes on their way. The place is a part of their length. */
export interface Mutation {
  readonly does: 'flips' | 'drops' | 'doubles' | 'inserts'
  readonly at: number
  readonly count: number
  readonly value: number
}

export const mutations: fc.Arbitrary<Mutation[]> = fc.array(
  fc.record({
    does: fc.constantFrom(
      'flips' as const,
      'drops' as const,
      'doubles' as const,
      'inserts' as const,
    ),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    count: fc.integer({ min: 1, max: 8 }),
    value: fc.integer({ min: 1, max: 255 }),
  }),
  { maxLength: 4 },
)

export function mutated(given: Buffer, all: readonly Mutation[]): Buffer {
  let result = given
  for (const { does, at, count, value } of all) {
    const from = Math.min(Math.floor(at * result.length), Math.max(0, result.length - 1))
    const [before, it, after] = [
      result.subarray(0, from),
      result.subarray(from, from + count),
      result.subarray(from + count),
    ]
    const changed = {
      flips: () => [before, Buffer.from(it.map((byte) => byte ^ value)), after],
      drops: () => [before, after],
      doubles: () => [before, it, it, after],
      inserts: () => [before, Buffer.alloc(count, value), it, after],
    }
    result = Buffer.concat(changed[does]())
  }
  return result
}

/** Sizes of packets, taken by turns; none: all at once. */
export const packets: fc.Arbitrary<number[]> = fc.oneof(
  fc.constant<number[]>([]),
  fc.constant<number[]>([1]),
  fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 6 }),
)
