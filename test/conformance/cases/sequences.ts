import { AFTER, type Case, failed, frame, OPCODE, text } from './case.js'

/** Bytes in hex. Who wants to know why: RFC 3629 §3, and Markus Kuhn's stress test for UTF-8. */
type Hex = string

interface Group {
  readonly what: string
  /** Whether it is text: of the whole group, or the numbers of those that are. */
  readonly isText: boolean | readonly number[]
  readonly bytes: readonly Hex[]
}

const KOSME = 'cebae1bdb9cf83cebcceb5'

function rangeOf(from: number, to: number, between = ''): Hex {
  let all = ''
  for (let byte = from; byte < to; byte++) all += byte.toString(16) + between
  return all
}

/** The last two code points of each plane, which are no characters, but text. */
function noncharacters(): Hex[] {
  const all = ['efbfbe', 'efbfbf']
  for (let plane = 1; plane <= 16; plane++) {
    for (const last of [0xfffe, 0xffff]) {
      all.push(Buffer.from(String.fromCodePoint(plane * 0x10000 + last)).toString('hex'))
    }
  }
  return all
}

/** Sequences whose last byte is missing: the first and the last possible one of each length. */
const CUT = [
  'c0',
  'e080',
  'f08080',
  'f8808080',
  'fc80808080',
  'df',
  'efbf',
  'f7bfbf',
  'fbbfbfbf',
  'fdbfbfbfbf',
]
const HIGH_AND_LOW = ['eda080', 'edadbf', 'edae80', 'edafbf'].flatMap((high) => [
  `${high}edb080`,
  `${high}edbfbf`,
])

/** Groups 6.5 to 6.23, in order. */
const GROUPS: readonly Group[] = [
  {
    what: 'letters of one to four bytes, within a text',
    isText: true,
    bytes: [
      ...['24', 'c2a2', 'e282ac', 'f0a4ada2'].map((each) => `68656c6c6f${each}776f726c64`),
      KOSME,
    ],
  },
  {
    what: 'a word, cut after each byte',
    // After the 2nd, 5th, 7th, 9th and 11th byte a letter ends.
    isText: [2, 5, 7, 9, 11],
    bytes: Array.from({ length: 11 }, (_, index) => KOSME.slice(0, 2 * index + 2)),
  },
  {
    what: 'the first of each length',
    isText: true,
    bytes: ['00', 'c280', 'e0a080', 'f0908080'],
  },
  {
    what: 'the first of five and six bytes',
    isText: false,
    bytes: ['f888808080', 'fc8480808080'],
  },
  {
    what: 'the last of each length',
    isText: true,
    bytes: ['7f', 'dfbf', 'efbfbf', 'f48fbfbf'],
  },
  {
    what: 'the last of four to six bytes, if all bits counted',
    isText: false,
    bytes: ['f7bfbfbf', 'fbbfbfbfbf', 'fdbfbfbfbfbf'],
  },
  {
    what: 'beside the surrogates, and at the end of Unicode',
    isText: [1, 2, 3, 4],
    bytes: ['ed9fbf', 'ee8080', 'efbfbd', 'f48fbfbf', 'f4908080'],
  },
  {
    what: 'bytes that go on with nothing',
    isText: false,
    bytes: [
      '80',
      'bf',
      '80bf',
      '80bf80',
      '80bf80bf',
      '80bf80bf80',
      '80bf80bf80bf',
      rangeOf(0x80, 0xbf),
    ],
  },
  {
    what: 'bytes that begin, each before a space',
    isText: false,
    bytes: [
      rangeOf(0xc0, 0xdf, '20'),
      rangeOf(0xe0, 0xef, '20'),
      rangeOf(0xf0, 0xf7, '20'),
      rangeOf(0xf8, 0xfb, '20'),
      rangeOf(0xfc, 0xfd, '20'),
    ],
  },
  { what: 'the last byte is missing', isText: false, bytes: CUT },
  { what: 'all of these in a row', isText: false, bytes: [CUT.join('')] },
  { what: 'bytes that never occur', isText: false, bytes: ['fe', 'ff', 'fefeffff'] },
  {
    what: 'a slash in too many bytes',
    isText: false,
    bytes: ['c0af', 'e080af', 'f08080af', 'f8808080af', 'fc80808080af'],
  },
  {
    what: 'the highest that is too long',
    isText: false,
    bytes: ['c1bf', 'e09fbf', 'f08fbfbf', 'f887bfbfbf', 'fc83bfbfbfbf'],
  },
  {
    what: 'U+0000 in too many bytes',
    isText: false,
    bytes: ['c080', 'e08080', 'f0808080', 'f880808080', 'fc8080808080'],
  },
  {
    what: 'a surrogate',
    isText: false,
    bytes: ['eda080', 'edadbf', 'edae80', 'edafbf', 'edb080', 'edbe80', 'edbfbf'],
  },
  { what: 'two surrogates', isText: false, bytes: HIGH_AND_LOW },
  { what: 'code points that are no characters', isText: true, bytes: noncharacters() },
  {
    what: 'the specials',
    isText: true,
    bytes: ['efbfb9', 'efbfba', 'efbfbb', 'efbfbc', 'efbfbd', 'efbfbe', 'efbfbf'],
  },
]

/** The rest of group 6: bytes that are text, and bytes that are not. */
export const SEQUENCES: readonly Case[] = GROUPS.flatMap(({ what, isText, bytes }, group) =>
  bytes.map((hex, index) => {
    const payload = Buffer.from(hex, 'hex')
    const isRight = typeof isText === 'boolean' ? isText : isText.includes(index + 1)
    return {
      number: `6.${group + 5}.${index + 1}`,
      what: `${what}: ${hex.length > 40 ? `${hex.slice(0, 40)}…` : hex}`,
      sends: [frame(OPCODE.text, payload)],
      answers: isRight ? [text(payload)] : [],
      end: isRight ? AFTER : failed(1007),
    }
  }),
)
