import { type Case, failed, frame, OPCODE, text } from './case.js'

const { text: TEXT, binary: BINARY, close: CLOSE, ping: PING } = OPCODE
const HELLO = 'Hello, world!'
const ODD_BYTES = Buffer.from([0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff])

interface Sent {
  readonly sends: readonly Buffer[]
  readonly chunk?: number
  readonly apart?: boolean
}

/** What nobody may send, alone. */
function alone(number: string, what: string, sent: Buffer): Case {
  return { number, what, sends: [sent], answers: [], end: failed() }
}

/** The same after a message, which is echoed, and before a ping, which is not answered. */
function amid(number: string, what: string, sent: Buffer, how: Omit<Sent, 'sends'> = {}): Case {
  const sends = [frame(TEXT, HELLO), sent, frame(PING)]
  return { number, what, sends, ...how, answers: [text(HELLO)], mayMiss: true, end: failed() }
}

/** Groups 3 and 4: bits and opcodes that mean nothing yet. The bits are those of RSV1 (4), RSV2 (2) and RSV3 (1). */
export const RESERVED: readonly Case[] = [
  alone('3.1', 'text with RSV3', frame(TEXT, HELLO, 1)),
  amid('3.2', 'text with RSV2', frame(TEXT, HELLO, 2)),
  amid('3.3', 'text with RSV2 and 3, frame by frame', frame(TEXT, HELLO, 3), { apart: true }),
  amid('3.4', 'text with RSV1, byte by byte', frame(TEXT, HELLO, 4), { chunk: 1 }),
  alone('3.5', 'binary with RSV1 and 3', frame(BINARY, ODD_BYTES, 5)),
  // The suite says that it sends a ping. What it sends is binary.
  alone('3.6', 'binary with RSV1 and 2', frame(BINARY, HELLO, 6)),
  alone('3.7', 'a close frame with all three', frame(CLOSE, '', 7)),
  alone('4.1.1', 'opcode 3, empty', frame(3)),
  alone('4.1.2', 'opcode 4 with payload', frame(4, 'reserved')),
  amid('4.1.3', 'opcode 5, empty', frame(5)),
  amid('4.1.4', 'opcode 6 with payload', frame(6, HELLO)),
  amid('4.1.5', 'opcode 7 with payload, byte by byte', frame(7, HELLO), { chunk: 1 }),
  alone('4.2.1', 'opcode 11, empty', frame(11)),
  alone('4.2.2', 'opcode 12 with payload', frame(12, 'reserved')),
  amid('4.2.3', 'opcode 13, empty', frame(13)),
  amid('4.2.4', 'opcode 14 with payload', frame(14, HELLO)),
  amid('4.2.5', 'opcode 15 with payload, byte by byte', frame(15, HELLO), { chunk: 1 }),
]
