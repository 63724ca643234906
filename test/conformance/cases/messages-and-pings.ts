import {
  AFTER,
  binary,
  type Case,
  closeFrame,
  closing,
  failed,
  frame,
  OPCODE,
  pong,
  text,
} from './case.js'

const { text: TEXT, binary: BINARY, ping: PING, pong: PONG } = OPCODE
/** The lengths around which a header gets longer. */
const LENGTHS = [0, 125, 126, 127, 128, 65_535, 65_536]
const ODD_BYTES = Buffer.from([0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff])
const MOST = Buffer.alloc(125, 0xfe)

/** The last case of both groups: the longest message again, in chunks of 997 bytes. */
function echoes(group: string, opcode: number, fill: string | number): Case[] {
  const answer = opcode === TEXT ? text : binary
  return [...LENGTHS, 65_536].map((length, index) => {
    const payload = Buffer.alloc(length, fill)
    const isChopped = index === LENGTHS.length
    return {
      number: `${group}.${index + 1}`,
      what: `${length} bytes${isChopped ? ' in small packets' : ''}`,
      sends: [frame(opcode, payload)],
      chunk: isChopped ? 997 : undefined,
      answers: [answer(payload)],
      end: AFTER,
    }
  })
}

const tenPings = Array.from({ length: 10 }, (_, index) => `payload-${index}`)

const pings: readonly Case[] = [
  {
    number: '2.1',
    what: 'an empty ping',
    sends: [frame(PING)],
    answers: [pong()],
    end: AFTER,
  },
  {
    number: '2.2',
    what: 'a ping with text',
    sends: [frame(PING, 'Hello, world!')],
    answers: [pong('Hello, world!')],
    end: AFTER,
  },
  {
    number: '2.3',
    what: 'a ping with bytes that are no text',
    sends: [frame(PING, ODD_BYTES)],
    answers: [pong(ODD_BYTES)],
    end: AFTER,
  },
  {
    number: '2.4',
    what: 'a ping as long as it may be',
    sends: [frame(PING, MOST)],
    answers: [pong(MOST)],
    end: AFTER,
  },
  {
    number: '2.5',
    what: 'a ping of a byte too many',
    sends: [frame(PING, Buffer.alloc(126, 0xfe))],
    answers: [],
    end: failed(),
  },
  {
    number: '2.6',
    what: 'the longest ping, byte by byte',
    sends: [frame(PING, MOST)],
    chunk: 1,
    answers: [pong(MOST)],
    end: AFTER,
  },
  {
    number: '2.7',
    what: 'an empty pong that nobody asked for',
    sends: [frame(PONG), closeFrame(1000)],
    answers: [],
    end: closing(1000),
  },
  {
    number: '2.8',
    what: 'a pong with payload that nobody asked for',
    sends: [frame(PONG, 'nobody asked'), closeFrame(1000)],
    answers: [],
    end: closing(1000),
  },
  {
    number: '2.9',
    what: 'such a pong, and a ping: only the ping is answered',
    sends: [frame(PONG, 'nobody asked'), frame(PING, 'asked')],
    answers: [pong('asked')],
    end: AFTER,
  },
  {
    number: '2.10',
    what: 'ten pings at once: ten pongs',
    sends: [Buffer.concat(tenPings.map((payload) => frame(PING, payload)))],
    answers: tenPings.map((payload) => pong(payload)),
    end: AFTER,
  },
  {
    number: '2.11',
    what: 'ten pings, byte by byte: ten pongs',
    sends: [Buffer.concat(tenPings.map((payload) => frame(PING, payload)))],
    chunk: 1,
    answers: tenPings.map((payload) => pong(payload)),
    end: AFTER,
  },
]

/** Groups 1 and 2. */
export const MESSAGES_AND_PINGS: readonly Case[] = [
  ...echoes('1.1', TEXT, '*'),
  ...echoes('1.2', BINARY, 0xfe),
  ...pings,
]
