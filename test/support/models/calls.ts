import * as fc from 'fast-check'

/** Lengths at which a header grows, or a message is no longer copied. */
const lengths = fc.oneof(
  fc.nat(60),
  fc.integer({ min: 120, max: 130 }),
  fc.integer({ min: 500, max: 520 }),
  fc.integer({ min: 1_020, max: 1_030 }),
  fc.constantFrom(16_383, 16_384, 65_534, 65_535, 65_536, 65_537),
)
export const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  // Letters of one to four bytes, and halves of a pair.
  fc
    .tuple(lengths, fc.constantFrom('x', 'é', '€', '😀', '\ud800', '\udc00x'))
    .map(([count, letter]) => letter.repeat(count).slice(0, count)),
)
export const anyBytes = fc
  .tuple(lengths, fc.nat(9), fc.constantFrom('Buffer', 'Uint8Array', 'DataView', 'ArrayBuffer'))
  .map(([count, offset, kind]) => {
    const all = Uint8Array.from({ length: count + offset + 3 }, (_, index) => index * 7)
    if (kind === 'Buffer') return Buffer.from(all.buffer, offset, count)
    if (kind === 'DataView') return new DataView(all.buffer, offset, count)
    return kind === 'ArrayBuffer'
      ? all.buffer.slice(0, count)
      : new Uint8Array(all.buffer, offset, count)
  })

/** A call of an app to a socket. */
export interface Call {
  readonly does: 'send' | 'ping' | 'pong' | 'next turn'
  readonly data: string | ArrayBuffer | DataView | Uint8Array
  readonly options: { binary?: boolean; compress?: boolean; fin?: boolean }
}

/** What calls are made of: a socket, or a group in its place. */
export interface Sending {
  send(data: Call['data'], options: Call['options']): unknown
  ping(data: Buffer): void
  pong(data: Buffer): void
  close(code: number): void
}

export const calls: fc.Arbitrary<Call[]> = fc.array(
  fc.record({
    does: fc.constantFrom<Array<Call['does']>>(
      ...(['send', 'send', 'send', 'send'] as const),
      ...(['ping', 'pong', 'next turn'] as const),
    ),
    data: fc.oneof(anyText, anyBytes),
    options: fc.oneof(
      { weight: 3, arbitrary: fc.constant({}) },
      fc.record(
        { binary: fc.boolean(), compress: fc.boolean(), fin: fc.constantFrom(true, true, false) },
        { requiredKeys: [] },
      ),
    ),
  }),
  { maxLength: 12 },
)

/** The same for a group: whole messages. */
export const callsOfGroup: fc.Arbitrary<Call[]> = calls.map((all) =>
  all
    .filter(({ does }) => does === 'send' || does === 'next turn')
    .map(({ does, data, options }) => ({ does, data, options: wholeOf(options) })),
)

/** A group takes no parts. */
function wholeOf(options: Call['options']): Call['options'] {
  const whole = { ...options }
  delete whole.fin
  return whole
}

/** Makes all calls, and closes. */
export async function makeCalls(socket: Sending, all: readonly Call[]): Promise<void> {
  for (const { does, data, options } of all) {
    if (does === 'next turn') await new Promise(setImmediate)
    else if (does === 'send') socket.send(data, options)
    else socket[does](Buffer.from(data as string).subarray(0, 125))
  }
  socket.close(4000)
}
