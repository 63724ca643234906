import {
  AFTER,
  type Case,
  closeFrame,
  closing,
  type End,
  failed,
  frame,
  frameOf,
  OPCODE,
  part,
  text,
} from './case.js'

const { continuation: MORE, text: TEXT, ping: PING, close: CLOSE } = OPCODE
const HELLO = 'Hello World!'
const LONG = Buffer.alloc(256 * 1024, 'BAsd7&jh23')
/** A reason that ends with half a UTF-16 pair. */
const NO_TEXT = Buffer.from('cebae1bdb9cf83cebcceb5eda080656469746564', 'hex')

/** Codes that a client may send. */
const RIGHT = [
  1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999,
] as const
/** Codes that it may not. */
const WRONG = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999] as const

function ends(number: string, what: string, end: End, ...sends: Buffer[]): Case {
  return { number, what, sends, answers: [], end }
}

/** A close frame with any payload. */
function closeWith(code: number, reason: Buffer | string): Buffer {
  return frame(
    CLOSE,
    Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason as string)]),
  )
}

/** Group 7. */
export const ENDS: readonly Case[] = [
  {
    number: '7.1.1',
    what: 'a message, then a close frame',
    sends: [frame(TEXT, HELLO)],
    answers: [text(HELLO)],
    end: AFTER,
  },
  ends('7.1.2', 'two close frames', closing(1000), closeFrame(1000), frame(CLOSE)),
  ends('7.1.3', 'a ping after the close frame', closing(1000), closeFrame(1000), frame(PING)),
  ends(
    '7.1.4',
    'a text after the close frame',
    closing(1000),
    closeFrame(1000),
    frame(TEXT, HELLO),
  ),
  ends(
    '7.1.5',
    'a close frame between two parts of a text',
    closing(1000),
    part(TEXT, 'one '),
    closeFrame(1000),
    frame(MORE, 'two'),
  ),
  {
    number: '7.1.6',
    what: 'a long text, a short one, a close frame and a ping at once',
    sends: [frame(TEXT, LONG), frame(TEXT, HELLO), closeFrame(1000), frame(PING)],
    answers: [text(LONG), text(HELLO)],
    mayMiss: true,
    end: closing(1000),
  },
  ends('7.3.1', 'an empty close frame', closing(), frame(CLOSE)),
  ends('7.3.2', 'a close frame of one byte', failed(), frame(CLOSE, 'a')),
  ends('7.3.3', 'a close frame with a code', closing(1000), closeFrame(1000)),
  ends('7.3.4', 'a code and a reason', closing(1000), closeFrame(1000, HELLO)),
  ends('7.3.5', 'the longest reason', closing(1000), closeFrame(1000, '*'.repeat(123))),
  ends('7.3.6', 'a reason of a byte too many', failed(), closeWith(1000, '*'.repeat(124))),
  ends('7.5.1', 'a reason that is no text', failed(1007), closeWith(1000, NO_TEXT)),
  ...RIGHT.map((code, index) =>
    ends(`7.7.${index + 1}`, `code ${code}`, closing(code), closeFrame(code)),
  ),
  ...WRONG.map((code, index) =>
    ends(`7.9.${index + 1}`, `code ${code}`, failed(), closeWith(code, '')),
  ),
  // The suite takes whatever comes of these two.
  ends('7.13.1', 'code 5000', failed(), closeWith(5000, '')),
  ends('7.13.2', 'code 65535', failed(), frameOf(CLOSE, Buffer.from([0xff, 0xff]))),
]
