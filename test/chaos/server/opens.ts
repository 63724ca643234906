// Opens and closes connections as fast as it goes, up to a number, and looks at the heap now and then.
import { connect, type Socket } from 'node:net'
import { reset } from '../../../lib/platform/reset.js'
import { closeFrame, frameOf, OPCODE } from '../../../lib/testing/frames.js'
import type { Measurement, ServerLedger } from './server/config.js'
import { type Outcome, ServerProcess } from './server-process.js'

/** How many are open or opening at a time. */
const AT_ONCE = 64
/** How often the heap is looked at, and how many open before the first look. */
const EVERY = 100_000
const WARM_UP = 20_000
/** Addresses of this machine: each has ports of its own, so that they last. */
const ADDRESSES = 8
const LONGEST = 30_000

const REQUEST = `GET /echo HTTP/1.1\r
host: localhost\r
connection: Upgrade\r
upgrade: websocket\r
sec-websocket-version: 13\r
sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r
\r
`
const MESSAGE = frameOf(OPCODE.text, 'hello')
const GOODBYE = closeFrame(1000)
const HEAD_ENDS = Buffer.from('\r\n\r\n')
const ACCEPTED = Buffer.from('HTTP/1.1 101')

/** How a connection ends: with a close frame, a FIN or a RST. */
const ENDS: ReadonlyArray<(socket: Socket) => void> = [
  (socket) => socket.write(GOODBYE),
  (socket) => socket.write(Buffer.concat([MESSAGE, GOODBYE])),
  (socket) => socket.end(),
  (socket) => reset(socket),
]

export interface Look {
  /** Connections so far. */
  readonly opened: number
  /** Bytes of heap and buffers. */
  readonly bytes: number
}

/** All that is known when it is over. */
export interface OpensStory {
  readonly opens: number
  readonly looks: readonly Look[]
  readonly after: Measurement
  readonly fresh: Measurement
  readonly calm: ServerLedger
  readonly outcome: Outcome
  /** What went wrong, a line for each. */
  readonly faults: readonly string[]
  /** Seconds. */
  readonly took: number
}

/**
 * @param minutes after these it ends, also if there were fewer
 * @param tell is told of each look
 */
export async function openMany(
  opens: number,
  minutes: number,
  seed: number,
  tell: (look: Look) => void,
): Promise<OpensStory> {
  const until = performance.now() + minutes * 60_000
  const isOver = (): boolean => performance.now() > until
  const server = await ServerProcess.start({ seed })
  const fresh = await server.measure()
  const faults: string[] = []
  const looks: Look[] = []
  let opened = 0
  const openUpTo = async (count: number): Promise<void> => {
    const worker = async (): Promise<void> => {
      while (opened < count && !isOver()) await openOne(server.port, opened++, faults)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    const { buffers, heap } = await server.measure()
    const look = { opened, bytes: heap + buffers }
    looks.push(look)
    tell(look)
  }
  await openUpTo(Math.min(opens, WARM_UP))
  const from = performance.now()
  for (let next = WARM_UP; next < opens && faults.length === 0 && !isOver();) {
    next = Math.min(opens, next + EVERY)
    await openUpTo(next)
  }
  const took = (performance.now() - from) / 1_000
  const after = await server.measure()
  const calm = await server.ledger()
  const outcome = await server.leave()
  return { opens: opened, looks, after, fresh, calm, outcome, faults, took }
}

async function openOne(port: number, number: number, faults: string[]): Promise<void> {
  const localAddress = `127.0.0.${1 + (number % ADDRESSES)}`
  const socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true })
  let got = Buffer.alloc(0)
  let hasOpened = false
  socket.write(REQUEST)
  socket.setTimeout(LONGEST, () => socket.destroy(new Error(`nothing for ${LONGEST} ms`)))
  socket.on('data', (data) => {
    if (hasOpened) return
    got = Buffer.concat([got, data])
    if (!got.includes(HEAD_ENDS)) return
    hasOpened = got.subarray(0, ACCEPTED.length).equals(ACCEPTED)
    if (hasOpened) ENDS[number % ENDS.length]?.(socket)
    else socket.destroy(new Error(`Expected a 101, got ${got.toString().slice(0, 80)}`))
  })
  await new Promise<void>((resolve) => {
    socket.on('error', (error) => faults.push(`connection ${number}: ${error.message}`))
    socket.on('close', () => resolve())
  })
  if (!hasOpened) faults.push(`connection ${number} did not open`)
}
