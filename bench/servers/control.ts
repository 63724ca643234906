/** How a server under measurement takes orders: a line each on its standard streams, in any language. */
import { monitorEventLoopDelay, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises'

/** What the driver may ask for, with a number; the answer is sent as JSON. */
type Orders = Readonly<Record<string, (argument: number) => unknown>>

/** Carries out orders until the driver has gone. */
export async function obey(port: number, more: Orders = {}): Promise<void> {
  const orders: Orders = { port: () => port, ...ORDERS, ...more }
  for await (const line of createInterface({ input: process.stdin })) {
    const [name = '', argument] = line.split(' ')
    const answer = await orders[name]?.(Number(argument))
    process.stdout.write(`${JSON.stringify(answer ?? null)}\n`)
  }
  process.exit()
}

/** ms; what watches the loop looks each millisecond, and notes no stall before its second look. */
const LOOK = 10
/** Turns of the loop. What is done for some connections a turn, also for those that have closed, is done by then. */
const SETTLED = 1_000
const delays = monitorEventLoopDelay({ resolution: 1 })
let pauses: PerformanceEntry[] = []
const observer = new PerformanceObserver((list) => pauses.push(...list.getEntries()))

/** Keeps the loop from turning, as a long computation does. */
function stall(duration: number): void {
  const until = performance.now() + duration
  while (performance.now() < until);
}

/** Times in ms, but for `cpu`. */
const ORDERS: Orders = {
  stall,
  /** µs, as the operating system counts them. */
  cpu() {
    const { user, system } = process.cpuUsage()
    return user + system
  },
  /** Bytes. What the first collection finds to be unused may keep more until the second. */
  async memory() {
    for (let i = 0; i < SETTLED; i++) await turn()
    globalThis.gc?.()
    globalThis.gc?.()
    const { heapUsed: heap, external, rss } = process.memoryUsage()
    return { heap, external, rss }
  },
  /** From here on, `worst` counts. A stall comes first: all that comes in meanwhile is met at once. */
  async watch(duration) {
    delays.enable()
    stall(duration)
    delays.reset()
    if (duration === 0) await pause(LOOK)
  },
  /** The worst stall of the loop since `watch`: up to 1 ms too much. */
  async worst() {
    await pause(LOOK)
    return delays.max / 1e6
  },
  /** How long each collection has taken, since it was last asked. */
  collections() {
    const taken = [...pauses, ...observer.takeRecords()].map(({ duration }) => duration)
    observer.observe({ entryTypes: ['gc'] })
    pauses = []
    return taken
  },
}
