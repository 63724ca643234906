/** What it takes to keep connections alive that are alive anyway: traffic goes both ways. */
import { setTimeout as pause } from 'node:timers/promises'
import { Crowd } from '../harness/crowd.js'
import { ratio, type Scenario } from '../harness/scenario.js'
import type { Server } from '../harness/server.js'

/** As with idle connections, the timeout gives ours as many ticks in an interval as its defaults (25). */
const SETTINGS = { interval: 2_000, timeout: 800 }
const CONNECTIONS = 8_000
/**
 * Just so often that ours has nothing to ask (it does after 0.9 of an interval at the earliest), and not more: the
 * CPU of the traffic drowns the heartbeat's.
 */
const MESSAGES_A_ROUND = 4 / 3
const BYTES = 64
/** ms. */
const WARM_UP = 5_000
const MEASURED = 20_000
const TICK = 5

const CPU = 'CPU a connection and round, with its echoes'
const HEARTBEAT = 'CPU of the heartbeat alone, a connection and round'
const PINGS = 'pings a connection and round'

/**
 * One connection after another says something, each as often as the others, however late an echo is. Both crowds say
 * the same, and now the one first, now the other: whoever comes second finds the machine busy.
 */
function chat(
  crowds: readonly Crowd[],
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
    for (const { sockets } of order) {
      for (let next = said; next < due; next++) sockets[next % count]?.write(message)
    }
    said = due
  }, TICK)
}

/** From now on, until the function that it returns is called. */
async function counting(
  server: Server,
  crowd: Crowd,
): Promise<() => Promise<{ cpu: number; pings: number }>> {
  const { pings, messages } = crowd
  const cpu = await server.cpu()
  return async () => {
    const rounds = (crowd.messages - messages) / MESSAGES_A_ROUND
    return { cpu: ((await server.cpu()) - cpu) / rounds, pings: (crowd.pings - pings) / rounds }
  }
}

export const busyHeartbeat: Scenario = {
  name: 'busy-heartbeat',
  title: '8,000 connections, each with four echoes in three intervals of the heartbeat',
  entrants: { sweep: null, ours: 'sweep', timers: 'sweep' },
  figures: { [CPU]: 'µs', [HEARTBEAT]: 'µs', [PINGS]: '' },
  targets: [ratio(HEARTBEAT, 0.1, 1)],
  settings: SETTINGS,
  /** The same without a heartbeat has the same talk at the same time: a machine does not stay the same for long. */
  async measure(server, size) {
    const count = CONNECTIONS * size
    const twin = await server.again({ interval: 0 })
    const crowds = [await Crowd.open(server, count), await Crowd.open(twin, count)] as const
    const message = server.dialect.message(BYTES)
    const talk = chat(crowds, count, message, SETTINGS.interval / MESSAGES_A_ROUND)
    await pause(WARM_UP)
    const counted = await counting(server, crowds[0])
    const twinCounted = await counting(twin, crowds[1])
    await pause(MEASURED * size)
    const { cpu, pings } = await counted()
    const without = await twinCounted()
    clearInterval(talk)
    for (const crowd of crowds) crowd.leave()
    await twin.stop()
    return { [CPU]: cpu, [HEARTBEAT]: cpu - without.cpu, [PINGS]: pings }
  },
}
