/** What a connection costs beside few others, beside some and beside many. */
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { Audience } from '../harness/audience.js'
import { behave, end, open } from '../harness/peers.js'
import type { Scenario, Size, Target, Values } from '../harness/scenario.js'
import type { Server } from '../harness/server.js'
import { spread } from '../harness/spread.js'
import { CROWDS, figuresOf, growth, measureCrowds, of, type Task } from './crowds.js'

/** As much is done for few as for many: what is still being compiled would look like their cost. */
const WARM_UP = {
  full: { connections: 2_000, sends: 18_000 },
  quick: { connections: 1_000, sends: 4_000 },
}
const SENDS = { full: 90_000, quick: 8_000 }
const BYTES = 1024
/** Of few, so many in all. */
const LEAST_OPENED = { full: 6_000, quick: 2_000 }
const AT_ONCE = 500
/** ms. */
const HEARTBEAT = 3_600_000
const PATIENCE = 60_000
const GC_IS_TOLD_WITHIN = 50

const COSTS = {
  heap: 'B',
  'CPU to open': 'µs',
  'CPU to close': 'µs',
  'CPU of one message to all': 'µs',
  'time of one message to all': 'µs',
  'CPU of app.close()': 'µs',
  'time of app.close()': 'µs',
}
const LONGEST_GC = 'longest pause to collect garbage while they open'
const RSS = 'RSS of the process'
const FURTHER_RSS = 'RSS of a further connection'

/** Connections that come and go, all at once each time. */
async function openAndClose(server: Server, count: number, size: Size): Promise<Values> {
  for (let opened = 0; opened < WARM_UP[size].connections; opened += AT_ONCE) {
    await end(await open(server, AT_ONCE))
  }
  const total = Math.ceil(LEAST_OPENED[size] / count) * count
  let toOpen = 0
  let toClose = 0
  await server.ask('watchGc')
  for (let opened = 0; opened < total; opened += count) {
    const before = await server.cpu()
    const sockets = await open(server, count)
    const between = await server.cpu()
    await end(sockets)
    toOpen += between - before
    toClose += (await server.cpu()) - between
  }
  await pause(GC_IS_TOLD_WITHIN)
  const longestGc = (await server.ask('longestGc')) as number
  return {
    'CPU to open': toOpen / total,
    'CPU to close': toClose / total,
    [LONGEST_GC]: longestGc,
  }
}

async function tellAll(server: Server, sockets: readonly Socket[], size: Size): Promise<Values> {
  const audience = new Audience(sockets)
  for (let sent = 0; sent < WARM_UP[size].sends; sent += sockets.length) {
    await audience.hear(server, BYTES)
  }
  const loops: number[] = []
  const before = await server.cpu()
  while (loops.length * sockets.length < SENDS[size]) {
    loops.push((await audience.hear(server, BYTES)).loop)
  }
  const cpu = (await server.cpu()) - before
  audience.leave()
  return {
    'CPU of one message to all': cpu / loops.length / sockets.length,
    'time of one message to all': (spread(loops).median * 1_000) / sockets.length,
  }
}

async function shutDown(server: Server, sockets: readonly Socket[]): Promise<Values> {
  for (const socket of sockets) behave(socket)
  const before = await server.cpu()
  const time = (await server.ask('close', PATIENCE)) as number
  const cpu = (await server.cpu()) - before
  for (const socket of sockets) socket.destroy()
  return {
    'CPU of app.close()': cpu / sockets.length,
    'time of app.close()': (time * 1_000) / sockets.length,
  }
}

const TASK: Task = {
  costs: COSTS,
  others: { [LONGEST_GC]: 'ms', [RSS]: 'B' },
  settings: () => ({ interval: HEARTBEAT }),
  async measure(server, count, size) {
    const opening = await openAndClose(server, count, size)
    const empty = await server.memory()
    const sockets = await open(server, count)
    const { heap, rss } = await server.memory()
    return {
      ...opening,
      heap: (heap - empty.heap) / count,
      [RSS]: rss,
      ...(await tellAll(server, sockets, size)),
      ...(await shutDown(server, sockets)),
    }
  },
}

const FLAT = ['heap', 'CPU to open', 'CPU to close', 'CPU of app.close()']
/** It grows with bare too, as the sockets of many are in no cache when their turn comes. */
const AS_BARE = 'CPU of one message to all'

function staysFlat(cost: string): Target {
  return { contestant: 'ours', figure: growth(cost), of: 'value', goal: 1.25, bound: 2.5 }
}

export const growths: Scenario = {
  name: 'growth',
  title: 'what each of 1,000 (few), 4,500 (some) and 18,000 (many) connections costs',
  entrants: [{ name: 'bare' }, { name: 'ours', against: 'bare' }],
  figures: [...figuresOf(TASK), { name: FURTHER_RSS, unit: 'B', better: 'less' }],
  targets: [...FLAT.map(staysFlat), { ...staysFlat(AS_BARE), of: 'ratio' }],
  async measure(server, size) {
    const values = await measureCrowds(server, size, TASK)
    const { few, many } = CROWDS[size]
    const rss = (values[of('many', RSS)] ?? NaN) - (values[of('few', RSS)] ?? NaN)
    return { ...values, [FURTHER_RSS]: rss / (many - few) }
  },
}
