import { AFTER, type Answer, binary, type Case, fragments, frame, OPCODE, text } from './case.js'

const { text: TEXT, binary: BINARY } = OPCODE
const KIB = 1024
const MIB = 1024 * KIB

/** The suite takes 1,000 round trips for each length. What it measures with them is no question here. */
export const ROUND_TRIPS = 50

const MESSAGES = [64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB]
/** Lengths of the parts of a message of 4 MiB. */
const PARTS = [64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB]
/** Lengths of the packets of a message of 1 MiB. */
const PACKETS = [64, 128, 256, 512, KIB, 2 * KIB]
/** Lengths of messages that go and come, one after the other. */
const SMALL = [0, 16, 64, 256, KIB, 4 * KIB]

interface Kind {
  readonly opcode: number
  readonly fill: Buffer | string
  readonly answer: (payload: Buffer) => Answer
}

const TEXTS: Kind = { opcode: TEXT, fill: 'BAsd7&jh23', answer: text }
const BINARIES: Kind = { opcode: BINARY, fill: Buffer.from('00fe23faf0', 'hex'), answer: binary }

function whole(group: string, scale: number, { opcode, fill, answer }: Kind): Case[] {
  return MESSAGES.map((most, index) => {
    const length = most / scale
    const payload = Buffer.alloc(length, fill)
    return {
      number: `${group}.${index + 1}`,
      what: `${length / KIB} KiB`,
      // Of 16 MiB there is one copy at a time.
      get sends() {
        return [frame(opcode, payload)]
      },
      answers: [answer(payload)],
      end: AFTER,
    }
  })
}

function inParts(group: string, scale: number, { opcode, fill, answer }: Kind): Case[] {
  const payload = Buffer.alloc((4 * MIB) / scale, fill)
  return PARTS.map((length, index) => ({
    number: `${group}.${index + 1}`,
    what: `${payload.length / KIB} KiB in parts of ${length} bytes`,
    get sends() {
      return [fragments(opcode, payload, length)]
    },
    answers: [answer(payload)],
    end: AFTER,
  }))
}

function inPackets(group: string, scale: number, { opcode, fill, answer }: Kind): Case[] {
  const payload = Buffer.alloc(MIB / scale, fill)
  return PACKETS.map((chunk, index) => ({
    number: `${group}.${index + 1}`,
    what: `${payload.length / KIB} KiB in packets of ${chunk} bytes`,
    sends: [frame(opcode, payload)],
    chunk,
    answers: [answer(payload)],
    end: AFTER,
  }))
}

function roundTrips(group: string, { opcode, fill, answer }: Kind): Case[] {
  return SMALL.map((length, index) => {
    const payload = Buffer.alloc(length, fill)
    const sent = frame(opcode, payload)
    return {
      number: `${group}.${index + 1}`,
      what: `${ROUND_TRIPS} times ${length} bytes, one after the other`,
      sends: Array.from({ length: ROUND_TRIPS }, (_, count) => [
        sent,
        { answers: count + 1 },
      ]).flat(),
      answers: Array<Answer>(ROUND_TRIPS).fill(answer(payload)),
      end: AFTER,
    }
  })
}

const PARTED = Buffer.alloc(65_536, '*')

/**
 * Groups 9 and 10.
 * @param scale divides the lengths of large messages; 1: those of the suite
 */
export function sizes(scale: number): readonly Case[] {
  return [
    ...whole('9.1', scale, TEXTS),
    ...whole('9.2', scale, BINARIES),
    ...inParts('9.3', scale, TEXTS),
    ...inParts('9.4', scale, BINARIES),
    ...inPackets('9.5', scale, TEXTS),
    ...inPackets('9.6', scale, BINARIES),
    ...roundTrips('9.7', TEXTS),
    ...roundTrips('9.8', BINARIES),
    {
      number: '10.1.1',
      what: '64 KiB in parts of 1,300 bytes, as a library cuts them by itself',
      sends: [fragments(TEXT, PARTED, 1_300)],
      answers: [text(PARTED)],
      end: AFTER,
    },
  ]
}
