/** How long an echo takes at half load, when clients send without waiting for each other. */
import type { Socket } from 'node:net'
import { openChatter } from '../harness/chatter.js'
import { onFastify } from '../harness/contestants.js'
import { sequence, spread } from '../harness/numbers.js'
import { end, listen, open } from '../harness/peers.js'
import { beside, ratio, scenario, SERVERS } from '../harness/scenario.js'
import { type Server, start } from '../harness/server.js'

const CONNECTIONS = 64
const BYTES = 64
/** s. */
const WARM_UP = 1
const RUN = 2.5
const SLICES = 10
/** ms after the last message, when what is still missing has taken forever. */
const PATIENCE = 5_000

const LATE = 'p99 of the driver alone, from due to sent'
const RATE = 'messages a second, the same for all'

/** Messages a second that take a bare server half of its time. */
async function findHalfLoad(): Promise<number> {
  const server = await start(onFastify('bare'))
  const load = { connections: CONNECTIONS, bytes: BYTES, inFlight: 1 }
  const { counted, duration } = await (await openChatter(server, load, 700)).talk(700)
  await server.stop()
  return ((counted / duration) * 1_000) / 2
}

let halfLoad: Promise<number> | undefined

/** In ms from the start: at random, as clients know nothing of each other, and the same each time. */
function schedule(rate: number): Float64Array {
  const random = sequence()
  let at = 0
  return new Float64Array(Math.ceil(rate * (WARM_UP + RUN))).map(() => {
    at -= (Math.log(1 - random()) / rate) * 1_000
    return at
  })
}

/**
 * Sends each message when it is due, however far behind the server is, and takes the time from then on:
 * what a message waits for in the driver counts too. The driver looks at the clock all the time, as
 * timers are too coarse, and `npm run bench` gives it so large a nursery that it hardly ever collects.
 * @returns ms from when each message was due
 */
async function take({ dialect }: Server, sockets: readonly Socket[], dueAt: Float64Array) {
  const message = dialect.message(BYTES)
  const echoBytes = dialect.echoBytes(BYTES)
  const sent = new Float64Array(dueAt.length)
  const echoed = new Float64Array(dueAt.length).fill(Infinity)
  const startedAt = performance.now()
  const late = (index: number): number => performance.now() - startedAt - (dueAt[index] ?? NaN)

  let missing = dueAt.length
  for (const [first, socket] of sockets.entries()) {
    let next = first
    let received = 0
    listen(socket, (data) => {
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

/** In µs, without the warm-up: the median of all slices, as the machine may be busy for a moment. */
function percentile(share: number, all: Float64Array): number {
  const times = all.subarray((all.length * WARM_UP) / (WARM_UP + RUN))
  const size = Math.floor(times.length / SLICES)
  const each = Array.from({ length: SLICES }, (_, slice) => {
    const sorted = times.subarray(slice * size, (slice + 1) * size).toSorted()
    return (sorted[Math.ceil(size * share) - 1] ?? NaN) * 1_000
  })
  return spread(each).median
}

export const latency = scenario({
  name: 'latency',
  title: 'echoes of 64 B over 64 connections, at half of what bare can do, due at random times',
  entrants: {
    ...beside('bare', 'ours', ...SERVERS),
    ...beside('bare, as text', 'ours, onMessage'),
  },
  figures: { p50: 'µs', p99: 'µs', [LATE]: 'µs', [RATE]: '/s' },
  targets: [ratio('p99', 1.05, 2), ratio('p99', 1.05, 2, 'ours, onMessage')],
  picture: { title: 'Round trip at half load', of: 'ratio', figures: ['p50', 'p99'] },
  async measure(server) {
    halfLoad ??= findHalfLoad()
    const rate = await halfLoad
    const sockets = await open(server, CONNECTIONS)
    const { sent, echoed } = await take(server, sockets, schedule(rate))
    await end(sockets)
    const [p50, p99] = [percentile(0.5, echoed), percentile(0.99, echoed)]
    return { p50, p99, [LATE]: percentile(0.99, sent), [RATE]: rate }
  },
})
