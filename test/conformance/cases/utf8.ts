import { AFTER, type Case, failed, fragments, frame, OPCODE, part, text } from './case.js'

const { continuation: MORE, text: TEXT } = OPCODE

/** Five Greek letters, one of them of three bytes: 11 bytes. */
const KOSME = Buffer.from('\u03ba\u1f79\u03c3\u03bc\u03b5')
const EDITED = Buffer.from('edited')
/** Half of a UTF-16 pair, which is no character. */
const SURROGATE = Buffer.from([0xed, 0xa0, 0x80])
/** What would be U+110000. */
const TOO_HIGH = Buffer.from([0xf4, 0x90, 0x80, 0x80])
const MIXED = 'Hello-µ@ßöäüàá-UTF-8!!'
const NO_TEXT = Buffer.concat([KOSME, TOO_HIGH, EDITED])
/** Up to here nothing is wrong, and with the byte that follows all is. */
const RIGHT = 12

function echoes(number: string, what: string, sends: Case['sends'], answer: Buffer | string): Case {
  return { number, what, sends, answers: [text(answer)], end: AFTER }
}

/**
 * ws looks at the text of a message when all of it has come. The suite allows that ("non-strict"); it would like a
 * server to fail in the middle.
 */
function fails(number: string, what: string, sends: Case['sends'], how: Partial<Case> = {}): Case {
  return { number, what, sends, ...how, answers: [], end: failed(1007) }
}

function inChunks(...sizes: number[]): Buffer[] {
  const whole = frame(TEXT, NO_TEXT)
  const ends = sizes.map((size) => whole.length - NO_TEXT.length + size)
  return [0, ...ends].map((from, index) => whole.subarray(from, ends[index] ?? whole.length))
}

/** Groups 6.1 to 6.4. */
export const UTF8: readonly Case[] = [
  echoes('6.1.1', 'an empty text', [frame(TEXT)], ''),
  echoes('6.1.2', 'three empty parts', [part(TEXT), part(MORE), frame(MORE)], ''),
  echoes(
    '6.1.3',
    'an empty part before and after',
    [part(TEXT), part(MORE, 'middle'), frame(MORE)],
    'middle',
  ),
  echoes('6.2.1', 'letters of one and two bytes', [frame(TEXT, MIXED)], MIXED),
  echoes(
    '6.2.2',
    'two parts, cut between letters',
    [part(TEXT, MIXED.slice(0, 11)), frame(MORE, MIXED.slice(11))],
    MIXED,
  ),
  echoes('6.2.3', 'parts of a byte', [fragments(TEXT, Buffer.from(MIXED), 1)], MIXED),
  echoes('6.2.4', 'Greek in parts of a byte', [fragments(TEXT, KOSME, 1)], KOSME),
  fails('6.3.1', 'half a pair amid a text', [
    frame(TEXT, Buffer.concat([KOSME, SURROGATE, EDITED])),
  ]),
  fails('6.3.2', 'the same in parts of a byte', [
    fragments(TEXT, Buffer.concat([KOSME, SURROGATE, EDITED]), 1),
  ]),
  fails(
    '6.4.1',
    'three parts, of which the second is no text',
    [part(TEXT, KOSME), part(MORE, TOO_HIGH), frame(MORE, EDITED)],
    { apart: true },
  ),
  fails(
    '6.4.2',
    'the same, cut at the very byte that makes it wrong',
    [
      part(TEXT, NO_TEXT.subarray(0, RIGHT)),
      part(MORE, NO_TEXT.subarray(RIGHT, RIGHT + 1)),
      frame(MORE, NO_TEXT.subarray(RIGHT + 1)),
    ],
    { apart: true },
  ),
  fails('6.4.3', 'one frame in three packets', inChunks(KOSME.length, KOSME.length + 4), {
    apart: true,
  }),
  fails('6.4.4', 'the same, cut at the very byte', inChunks(RIGHT, RIGHT + 1), { apart: true }),
]
