import { AFTER, type Answer, type Case, failed, frame, OPCODE, part, pong, text } from './case.js'

const { continuation: MORE, text: TEXT, ping: PING, pong: PONG } = OPCODE

/** How what is sent is cut into packets. */
type Way = Pick<Case, 'apart' | 'chunk'>

const ONE_PACKET: Way = {}
const BY_FRAME: Way = { apart: true }
const BY_BYTE: Way = { chunk: 1 }
const WAYS = [
  ['in one packet', ONE_PACKET],
  ['frame by frame', BY_FRAME],
  ['byte by byte', BY_BYTE],
] as const

/** Three cases with numbers that follow each other: the same, cut in three ways. */
function threeWays(
  first: number,
  what: string,
  { sends, answers, end }: Pick<Case, 'answers' | 'end' | 'sends'>,
): Case[] {
  return WAYS.map(([how, way], index) => ({
    number: `5.${first + index}`,
    what: `${what}, ${how}`,
    sends,
    apart: way.apart ?? false,
    chunk: way.chunk,
    answers,
    end,
  }))
}

function fails(number: string, what: string, sends: readonly Buffer[], ...answers: Answer[]): Case {
  return { number, what, sends, answers, mayMiss: answers.length > 0, end: failed() }
}

const twoParts = [part(TEXT, 'one '), frame(MORE, 'two')]
const nothingToContinue = (isLast: boolean): Buffer[] => [
  isLast ? frame(MORE, 'nothing') : part(MORE, 'nothing'),
  part(TEXT, 'one '),
  frame(MORE, 'two'),
]

const longStory = {
  sends: [
    part(TEXT, 'one '),
    part(MORE, 'two '),
    frame(PING, 'first'),
    { answers: 1 },
    part(MORE, 'three '),
    part(MORE, 'four '),
    frame(PING, 'second'),
    frame(MORE, 'five'),
  ],
  answers: [pong('first'), pong('second'), text('one two three four five')],
  end: AFTER,
}

/** Group 5. */
export const FRAGMENTS: readonly Case[] = [
  fails('5.1', 'a ping in two parts', [part(PING, 'one '), frame(MORE, 'two')]),
  fails('5.2', 'a pong in two parts', [part(PONG, 'one '), frame(MORE, 'two')]),
  ...threeWays(3, 'a text in two parts', {
    sends: twoParts,
    answers: [text('one two')],
    end: AFTER,
  }),
  ...threeWays(6, 'a text in two parts with a ping between', {
    sends: [part(TEXT, 'one '), frame(PING, 'between'), frame(MORE, 'two')],
    answers: [pong('between'), text('one two')],
    end: AFTER,
  }),
  ...threeWays(9, 'the last part of nothing, then a text', {
    sends: [frame(MORE, 'nothing'), frame(TEXT, 'Hello, world!')],
    answers: [],
    end: failed(),
  }),
  ...threeWays(12, 'a part of nothing, then a text', {
    sends: [part(MORE, 'nothing'), frame(TEXT, 'Hello, world!')],
    answers: [],
    end: failed(),
  }),
  fails(
    '5.15',
    'a text in two parts, then a part of nothing, then a text',
    [...twoParts, part(MORE, 'nothing'), frame(TEXT, 'three')],
    text('one two'),
  ),
  fails('5.16', 'a part of nothing, then a text in two parts; twice', [
    ...nothingToContinue(false),
    ...nothingToContinue(false),
  ]),
  fails('5.17', 'the last part of nothing, then a text in two parts; twice', [
    ...nothingToContinue(true),
    ...nothingToContinue(true),
  ]),
  fails('5.18', 'a text within a text', [part(TEXT, 'one '), frame(TEXT, 'two')]),
  {
    number: '5.19',
    what: 'five parts and two pings, the first of which is answered before the rest comes',
    ...longStory,
  },
  { number: '5.20', what: 'the same, frame by frame', ...longStory, apart: true },
]
