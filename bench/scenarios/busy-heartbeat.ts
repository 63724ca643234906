/** What it takes to keep connections alive that are alive anyway: traffic goes both ways. */
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { Crowd } from '../harness/crowd.js'
import type { Scenario } from '../harness/scenario.js'

/**
 * As with idle connections, the timeout gives ours as many ticks in an interval as its defaults (83;
 * quick: 50).
 */
const SIZES = {
  full: { count: 5_000, interval: 1_500, timeout: 180 },
  quick: { count: 1_500, interval: 1_000, timeout: 200 },
}
/**
 * Just so often that ours has nothing to ask (it does after 0.9 to 1.1 of an interval), and not more: the
 * CPU of the traffic drowns the heartbeat's.
 */
const MESSAGES_A_ROUND = 4 / 3
const BYTES = 64
/** Intervals. */
const WARM_UP = { full: 2.5, quick: 1 }
const MEASURED = { full: 3, quick: 2 }
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

/** One connection after another says something, each as often as the others, however late an echo is. */
function chat(sockets: readonly Socket[], message: Buffer, period: number): NodeJS.Timeout {
  const startedAt = performance.now()
  let said = 0
  return setInterval(() => {
    const due = ((performance.now() - startedAt) / period) * sockets.length
    for (; said < due; said++) sockets[said % sockets.length]?.write(message)
  }, TICK)
}

export const busyHeartbeats: Scenario = {
  name: 'busy-heartbeat',
  title: '5,000 connections, each with four echoes in three intervals of the heartbeat',
  entrants: [
    { name: 'bare' },
    { name: 'ours, no keepalive' },
    { name: 'sweep' },
    { name: 'timers', against: 'sweep' },
    { name: 'ours', against: 'sweep' },
  ],
  figures: [
    { name: CPU, unit: 'µs', better: 'less' },
    { name: HEARTBEAT, unit: 'µs', better: 'less' },
    { name: PINGS, unit: '', better: 'less' },
  ],
  targets: [{ contestant: 'ours', figure: HEARTBEAT, of: 'ratio', goal: 0.1, bound: 1 }],
  settings: (size) => SIZES[size],
  async measure(server, size) {
    const { count, interval } = SIZES[size]
    const crowd = await Crowd.open(server, count)
    const talk = chat(crowd.sockets, server.dialect.message(BYTES), interval / MESSAGES_A_ROUND)
    await pause(WARM_UP[size] * interval)
    const cpuBefore = await server.cpu()
    const { pings, messages } = crowd
    await pause(MEASURED[size] * interval)
    const rounds = (crowd.messages - messages) / MESSAGES_A_ROUND
    const heard = crowd.pings - pings
    const cpu = (await server.cpu()) - cpuBefore
    clearInterval(talk)
    crowd.leave()
    return { [CPU]: cpu / rounds, [PINGS]: heard / rounds }
  },
  compare(contestant, round) {
    const without = WITHOUT[contestant]
    if (without === undefined) return {}
    const cpu = (of: string): number => round.get(of)?.[CPU] ?? NaN
    return { [HEARTBEAT]: cpu(contestant) - cpu(without) }
  },
}
