/** What it takes to keep connections alive that are alive anyway: traffic goes both ways. */
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { onFastify } from '../harness/contestants.js'
import { Crowd } from '../harness/crowd.js'
import type { Scenario, Size } from '../harness/scenario.js'
import { Server } from '../harness/server.js'

/** As with idle connections, the timeout gives ours as many ticks in an interval as its defaults (25). */
const SIZES = {
  full: { count: 8_000, interval: 2_000, timeout: 800 },
  quick: { count: 1_500, interval: 1_000, timeout: 400 },
}
/**
 * Just so often that ours has nothing to ask (it does after 0.9 of an interval at the earliest), and not more: the
 * CPU of the traffic drowns the heartbeat's.
 */
const MESSAGES_A_ROUND = 4 / 3
const BYTES = 64
/** Intervals. */
const WARM_UP = { full: 2.5, quick: 1 }
const MEASURED = { full: 10, quick: 2 }
/** ms. */
const TICK = 5

const CPU = 'CPU a connection and round, with its echoes'
const HEARTBEAT = 'CPU of the heartbeat alone, a connection and round'
const PINGS = 'pings a connection and round'

/** The same without a heartbeat. */
const WITHOUT: Readonly<Record<string, string>> = {
  sweep: 'bare',
  timers: 'bare',
  ours: 'ours, no keepalive',
}

/**
 * One connection after another says something, each as often as the others, however late an echo is. Both crowds say
 * the same, and now the one first, now the other: whoever comes second finds the machine busy.
 */
function chat(
  crowds: readonly (readonly Socket[])[],
  count: number,
  message: Buffer,
  period: number,
): NodeJS.Timeout {
  const startedAt = performance.now()
  let order = crowds
  let said = 0
  return setInterval(() => {
    order = order.toReversed()
    const due = Math.floor(((performance.now() - startedAt) / period) * count)
    for (const sockets of order) {
      for (let next = said; next < due; next++) sockets[next % count]?.write(message)
    }
    said = due
  }, TICK)
}

/** What a crowd and its server have come to. */
interface State {
  readonly cpu: number
  readonly pings: number
  readonly messages: number
}

async function stateOf(server: Server, { pings, messages }: Crowd): Promise<State> {
  return { cpu: await server.cpu(), pings, messages }
}

function between(before: State, after: State): { cpu: number; pings: number } {
  const rounds = (after.messages - before.messages) / MESSAGES_A_ROUND
  return { cpu: (after.cpu - before.cpu) / rounds, pings: (after.pings - before.pings) / rounds }
}

export const busyHeartbeats: Scenario = {
  name: 'busy-heartbeat',
  title: '8,000 connections, each with four echoes in three intervals of the heartbeat',
  entrants: [
    { name: 'sweep' },
    { name: 'ours', against: 'sweep' },
    { name: 'timers', against: 'sweep' },
  ],
  figures: [
    { name: CPU, unit: 'µs', better: 'less' },
    { name: HEARTBEAT, unit: 'µs', better: 'less' },
    { name: PINGS, unit: '', better: 'less' },
  ],
  targets: [{ contestant: 'ours', figure: HEARTBEAT, of: 'ratio', goal: 0.1, bound: 1 }],
  settings: (size) => SIZES[size],
  /** The same without a heartbeat has the same talk at the same time: a machine does not stay the same for long. */
  async measure(server, size) {
    const twin = await Server.start(onFastify(WITHOUT[server.name] ?? server.name))
    try {
      return await measureBoth(server, twin, size)
    } finally {
      await twin.stop()
    }
  },
}

async function measureBoth(
  server: Server,
  twin: Server,
  size: Size,
): Promise<Record<string, number>> {
  const { count, interval } = SIZES[size]
  const crowd = await Crowd.open(server, count)
  const other = await Crowd.open(twin, count)
  const message = server.dialect.message(BYTES)
  const period = interval / MESSAGES_A_ROUND
  const talk = chat([crowd.sockets, other.sockets], count, message, period)
  await pause(WARM_UP[size] * interval)
  const before = await stateOf(server, crowd)
  const otherBefore = await stateOf(twin, other)
  await pause(MEASURED[size] * interval)
  const { cpu, pings } = between(before, await stateOf(server, crowd))
  const without = between(otherBefore, await stateOf(twin, other))
  clearInterval(talk)
  crowd.leave()
  other.leave()
  return { [CPU]: cpu, [HEARTBEAT]: cpu - without.cpu, [PINGS]: pings }
}
