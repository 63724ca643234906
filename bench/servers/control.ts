/** How a server under measurement takes orders: a line each on its standard streams, in any language. */
import { createInterface } from 'node:readline'
import { monitorEventLoopDelay, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'

/** What the driver may ask for, with a number; the answer is sent as JSON. */
export type Orders = Readonly<Record<string, (argument: number) => unknown>>

/** Tells the port, and carries out orders from then on, until the driver has gone. */
export function obey(port: number, orders: Orders = {}): void {
  const all: Orders = { collected, cpu, longestGc, memory, stall, watch, watchGc, worst, ...orders }
  createInterface({ input: process.stdin }).on('line', (line) => {
    const [name = '', argument] = line.split(' ')
    void Promise.resolve(all[name]?.(Number(argument))).then((answer) => tell(answer ?? null))
  })
  process.stdin.on('end', () => process.exit())
  tell(port)
}

function tell(answer: unknown): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}

/** µs, as the operating system counts them. */
function cpu(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** Bytes, after collections: what the first one finds to be unused may keep more until the second. */
function memory(): { heap: number; external: number; rss: number } {
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, external, rss } = process.memoryUsage()
  return { heap: heapUsed, external, rss }
}

/** Keeps the loop from turning for so many ms, as a long computation does. */
function stall(duration: number): void {
  const until = performance.now() + duration
  while (performance.now() < until);
}

let delays: ReturnType<typeof monitorEventLoopDelay> | undefined

/** Stalls for so many ms, so that what comes in meanwhile is met at once, and watches from then on. */
function watch(duration: number): void {
  delays ??= monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  stall(duration)
  delays.reset()
}

/** For how long the loop has stood still at worst since `watch`, in ms: up to 1 ms too much. */
function worst(): number {
  return (delays?.max ?? NaN) / 1e6
}

const observer = new PerformanceObserver((list) => {
  pauses.push(...list.getEntries())
})
let pauses: PerformanceEntry[] = []

function watchGc(): void {
  pauses = []
  observer.observe({ entryTypes: ['gc'] })
}

/** For how long the loop has stood still for the collector since `watchGc`, each time, in ms. */
function gcPauses(): number[] {
  pauses.push(...observer.takeRecords())
  observer.disconnect()
  return pauses.map(({ duration }) => duration)
}

/** In all. */
function collected(): number {
  return gcPauses().reduce((sum, pause) => sum + pause, 0)
}

function longestGc(): number {
  return Math.max(0, ...gcPauses())
}
