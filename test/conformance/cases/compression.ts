import { randomFrom } from '../../support/models/random.js'

/** The suite sends 1,000 messages in each case: it measures, too. The second shows whether a context is kept. */
export const MESSAGES = 2

/** What is sent, as often as it takes. The suite has five files; these are like them. */
interface Content {
  readonly what: string
  readonly isText: boolean
  readonly bytes: Buffer
}

/** A case of groups 12 and 13: messages that are compressed on the way to the server and back. */
export interface CompressedCase {
  readonly number: string
  readonly what: string
  readonly content: Content
  readonly length: number
  /** How many bytes of what is compressed are in a frame. */
  readonly part: number
  /** What the client offers. */
  readonly offer: string
  /** What the server has to keep to, of what was asked of it. */
  readonly asked: { readonly hasNoContext: boolean; readonly windowBits: number }
}

const random = randomFrom(13)

function pick<T>(values: readonly T[]): T {
  return values[Math.floor(random() * values.length)] as T
}

function grown(make: () => string): Buffer {
  let all = ''
  while (all.length < 200_000) all += make()
  return Buffer.from(all)
}

const WORDS = 'Habe nun ach Philosophie Juristerei und Medizin durchaus studiert mit heißem Bemühn'
const words = WORDS.split(' ')
/** The suite takes these files in this order. */
const CONTENTS: readonly Content[] = [
  {
    what: 'JSON',
    isText: true,
    bytes: grown(() => `{"id":${Math.floor(random() * 1e6)},"name":"x","tags":["a","b"]},`),
  },
  {
    what: 'a picture',
    isText: false,
    bytes: Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at % 512) / 4 + random() * 8)),
  },
  { what: 'prose', isText: false, bytes: grown(() => `${pick(words)} `) },
  { what: 'HTML', isText: true, bytes: grown(() => `<li class="c${pick([1, 2, 3])}">x</li>\n`) },
  {
    what: 'what is compressed already',
    isText: false,
    bytes: Buffer.from(Array.from({ length: 200_000 }, () => random() * 256)),
  },
]

const KIB = 1024
const WHOLE = Infinity
/** Length of a message, and of the parts in which it is sent. */
const SIZES: ReadonlyArray<readonly [length: number, part: number]> = [
  ...[16, 64, 256, KIB, 4 * KIB, 8 * KIB, 16 * KIB, 32 * KIB, 64 * KIB, 128 * KIB].map(
    (length) => [length, WHOLE] as const,
  ),
  ...[8 * KIB, 16 * KIB, 32 * KIB, 64 * KIB, 128 * KIB].map((length) => [length, 256] as const),
  [128 * KIB, KIB],
  [128 * KIB, 4 * KIB],
  [128 * KIB, 32 * KIB],
]

/** What the suite asks of the server in group 13: whether to forget the context, and the window (0: any). */
const ASKED: ReadonlyArray<ReadonlyArray<readonly [hasNoContext: boolean, windowBits: number]>> = [
  [[false, 0]],
  [[true, 0]],
  [[false, 9]],
  [[false, 15]],
  [[true, 9]],
  [[true, 15]],
  // Three offers, the best one first: it is taken.
  [
    [true, 9],
    [true, 0],
    [false, 0],
  ],
]

function casesOf(
  group: string,
  content: Content,
  offers: ReadonlyArray<readonly [boolean, number]>,
): CompressedCase[] {
  const offer = offers.map(([hasNoContext, windowBits]) => {
    const names = ['permessage-deflate', 'client_no_context_takeover', 'client_max_window_bits']
    if (hasNoContext) names.push('server_no_context_takeover')
    if (windowBits > 0) names.push(`server_max_window_bits=${windowBits}`)
    return names.join('; ')
  })
  const [hasNoContext, windowBits] = offers[0] as readonly [boolean, number]
  return SIZES.map(([length, part], index) => ({
    number: `${group}.${index + 1}`,
    what: `${MESSAGES} messages of ${length} bytes of ${content.what}, ${part === WHOLE ? 'whole' : `in parts of ${part}`}; ${offer.join(', ')}`,
    content,
    length,
    part,
    offer: offer.join(', '),
    asked: { hasNoContext, windowBits },
  }))
}

/** Groups 12 and 13. */
export const COMPRESSION: readonly CompressedCase[] = [
  ...CONTENTS.flatMap((content, index) => casesOf(`12.${index + 1}`, content, [[false, 0]])),
  ...ASKED.flatMap((asked, index) => casesOf(`13.${index + 1}`, CONTENTS[0] as Content, asked)),
]
