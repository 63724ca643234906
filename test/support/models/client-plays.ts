import * as fc from 'fast-check'
import { OPCODE } from '../../../lib/testing/frames.js'
import { type Act, serverFrame } from '../servers/hostile-server.js'
import { allowed, controls, counts } from './link-bytes.js'
import { mutated, mutations, packets } from './wire-frames.js'

/** What an app does with its client when it has been told so much. */
export interface Step {
  readonly at: number
  readonly does: 'close' | 'reconnect' | 'send'
}

/** One life of a client: how it is made, what a server does to it, and what its app does. */
export interface ClientPlay {
  readonly kind: 'session' | 'linked' | 'bare'
  readonly acts: readonly Act[]
  readonly steps: readonly Step[]
}

const welcomes = fc
  .record({
    r: fc.constantFrom(0, 0, 0, 1, 1, 2),
    n: fc.oneof(
      { weight: 4, arbitrary: fc.constant<unknown>(0) },
      fc.nat(3),
      counts,
      fc.constantFrom(-1, 0.5, 1e300, null, []),
    ),
    t: fc.oneof(
      { weight: 6, arbitrary: fc.constant<unknown>('secret') },
      fc.constantFrom('', 'x'.repeat(65), 'a,b', 7, undefined),
    ),
  })
  .map((told) => `\0w${JSON.stringify({ v: 1, ...told, w: 1 })}`)
const first = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('\0w{"v":1,"t":"secret","r":0,"n":0,"w":1}') },
  {
    weight: 3,
    arbitrary: fc.nat(2).map((count) => `\0w{"v":1,"t":"secret","r":1,"n":${count},"w":1}`),
  },
  { weight: 2, arbitrary: welcomes },
  fc.constant('\0w{"v":1}'),
)

const texts = fc
  .tuple(
    fc.oneof(
      { weight: 3, arbitrary: controls },
      { weight: 5, arbitrary: allowed },
      counts.map((within) => `\0b${within}`),
      welcomes,
    ),
    fc.oneof({ weight: 6, arbitrary: fc.constant([]) }, mutations),
  )
  .map(([text, edits]) => mutated(Buffer.from(text), edits))

const frames = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(fc.constantFrom(OPCODE.text, OPCODE.text, OPCODE.binary), texts)
      .map(([opcode, payload]) => serverFrame(opcode, payload)),
  },
  fc
    .tuple(texts, fc.nat(6))
    .map(([payload, cut]) =>
      Buffer.concat([
        serverFrame(OPCODE.text, payload.subarray(0, cut), false),
        serverFrame(OPCODE.ping, 'p'),
        serverFrame(OPCODE.continuation, payload.subarray(cut)),
      ]),
    ),
  fc
    .constantFrom(1000, 1001, 1002, 1006, 1008, 1012, 3000, 4000, 4990, 4991)
    .map((code) => serverFrame(OPCODE.close, Buffer.from([code >> 8, code & 0xff]))),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
)

const acts: fc.Arbitrary<Act> = fc.record({
  bytes: fc
    .tuple(
      fc.option(first, { nil: undefined, freq: 6 }),
      fc.oneof(fc.constant([]), fc.array(frames, { maxLength: 6 })),
      fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, mutations),
    )
    .map(([text, all, edits]) =>
      Buffer.concat([
        text === undefined ? Buffer.alloc(0) : serverFrame(OPCODE.text, text),
        mutated(Buffer.concat(all), edits),
      ]),
    ),
  sizes: packets,
  isAtOnce: fc.boolean(),
  leave: fc.constantFrom('fin' as const, 'fin' as const, 'rst' as const, 'cut' as const),
})

export const clientPlays: fc.Arbitrary<ClientPlay> = fc.record({
  kind: fc.constantFrom<Array<ClientPlay['kind']>>('session', 'session', 'linked', 'bare'),
  acts: fc.array(acts, { minLength: 1, maxLength: 4 }),
  steps: fc.array(
    fc.record({
      at: fc.nat(8),
      does: fc.constantFrom<Array<Step['does']>>('send', 'send', 'reconnect', 'close'),
    }),
    { maxLength: 3 },
  ),
})
