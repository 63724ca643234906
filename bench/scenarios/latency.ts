/** How long an echo takes at half load, when clients send without waiting for each other. */
import type { Socket } from 'node:net'
import { Chatter } from '../harness/chatter.js'
import { onFastify } from '../harness/contestants.js'
import { end, open } from '../harness/peers.js'
import { sequence } from '../harness/random.js'
import type { Scenario, Size } from '../harness/scenario.js'
import { Server } from '../harness/server.js'
import { spread } from '../harness/spread.js'

const CONNECTIONS = 64
const BYTES = 64

/** ms. */
const FULL_LOAD = { full: 700, quick: 350 }

/** s. */
const SLICE = 0.25
const TIMES = { full: { warmUp: 1, run: 2.5 }, quick: { warmUp: 1, run: 1.5 } }

/** ms after the last message, when what is still missing has taken forever. */
const PATIENCE = 5_000

/** ms from when each message was due. */
interface Times {
  readonly sent: Float64Array
  readonly echoed: Float64Array
}

const FIGURES = {
  p50: 'p50',
  p99: 'p99',
  late: 'p99 of the driver alone, from due to sent',
  rate: 'messages a second, the same for all',
}

let halfLoad: Promise<number> | undefined

/** Messages a second that take a bare server half of its time: the same for all contestants of a run. */
async function findHalfLoad(size: Size): Promise<number> {
  const server = await Server.start(onFastify('bare'))
  try {
    const chatter = await Chatter.open(server, {
      connections: CONNECTIONS,
      bytes: BYTES,
      inFlight: 1,
    })
    await chatter.talk(FULL_LOAD[size])
    chatter.forget()
    await chatter.talk(FULL_LOAD[size])
    await chatter.end()
    return chatter.rate / 2
  } finally {
    await server.stop()
  }
}

/**
 * When messages are due, in ms from the start: at random, as from clients that know nothing of each
 * other, and the same each time.
 */
function schedule(rate: number, seconds: number): Float64Array {
  const dueAt = new Float64Array(Math.ceil(rate * seconds))
  const random = sequence()
  let at = 0
  for (let i = 0; i < dueAt.length; i++) {
    at -= (Math.log(1 - random()) / rate) * 1_000
    dueAt[i] = at
  }
  return dueAt
}

/**
 * Sends each message when it is due, however far behind the server is, and takes the time from then on:
 * what a message waits for in the driver counts too. The driver looks at the clock all the time, as
 * timers are too coarse, and `npm run bench` gives it so large a nursery that it hardly ever collects.
 */
async function take(
  server: Server,
  sockets: readonly Socket[],
  dueAt: Float64Array,
): Promise<Times> {
  const message = server.dialect.message(BYTES)
  const echoBytes = server.dialect.echoBytes(BYTES)
  const sent = new Float64Array(dueAt.length)
  const echoed = new Float64Array(dueAt.length).fill(Infinity)
  const startedAt = performance.now()
  const late = (index: number): number => performance.now() - startedAt - (dueAt[index] ?? NaN)

  let missing = dueAt.length
  for (const [first, socket] of sockets.entries()) {
    let next = first
    let received = 0
    socket.on('data', (data) => {
      for (received += data.length; received >= echoBytes; received -= echoBytes) {
        echoed[next] = late(next)
        next += sockets.length
        missing--
      }
    })
  }

  let next = 0
  await new Promise<void>((resolve) => {
    const look = (): void => {
      for (; late(next) >= 0; next++) {
        sent[next] = late(next)
        sockets[next % sockets.length]?.write(message)
      }
      if (missing === 0 || late(dueAt.length - 1) > PATIENCE) resolve()
      else setImmediate(look)
    }
    look()
  })
  return { sent, echoed }
}

/**
 * The median of what it is in each slice, in µs: when the machine was busy with something else for a
 * moment, that is not the contestant's.
 */
function percentile(share: number, times: Float64Array, slices: number): number {
  const size = Math.floor(times.length / slices)
  const each = Array.from({ length: slices }, (_, slice) => {
    const sorted = times.subarray(slice * size, (slice + 1) * size).toSorted()
    return (sorted[Math.ceil(size * share) - 1] ?? NaN) * 1_000
  })
  return spread(each).median
}

export const latency: Scenario = {
  name: 'latency',
  title:
    'echoes at half of what bare can do, of 64 B over 64 connections, due at random times and timed from then',
  entrants: [
    { name: 'bare' },
    { name: 'bare, as text' },
    { name: 'ours', against: 'bare' },
    { name: 'ours, onMessage', against: 'bare, as text' },
    { name: 'Socket.IO', against: 'bare' },
    { name: 'Bun', against: 'bare' },
    { name: 'gorilla', against: 'bare' },
  ],
  figures: [
    { name: FIGURES.p50, unit: 'µs', better: 'less' },
    { name: FIGURES.p99, unit: 'µs', better: 'less' },
    { name: FIGURES.late, unit: 'µs', better: 'less' },
    { name: FIGURES.rate, unit: '/s', better: 'more' },
  ],
  targets: [
    { contestant: 'ours', figure: FIGURES.p99, of: 'ratio', goal: 1.05, bound: 2 },
    { contestant: 'ours, onMessage', figure: FIGURES.p99, of: 'ratio', goal: 1.05, bound: 2 },
  ],
  async measure(server, size) {
    halfLoad ??= findHalfLoad(size)
    const rate = await halfLoad
    const { warmUp, run } = TIMES[size]
    const sockets = await open(server, CONNECTIONS)
    const times = await take(server, sockets, schedule(rate, warmUp + run))
    await end(sockets)
    const slices = run / SLICE
    const sent = times.sent.subarray(rate * warmUp)
    const echoed = times.echoed.subarray(rate * warmUp)
    return {
      [FIGURES.p50]: percentile(0.5, echoed, slices),
      [FIGURES.p99]: percentile(0.99, echoed, slices),
      [FIGURES.late]: percentile(0.99, sent, slices),
      [FIGURES.rate]: rate,
    }
  },
}
