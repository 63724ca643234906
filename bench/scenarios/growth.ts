/** What a connection costs beside few others, beside some and beside many. */
import type { Socket } from 'node:net'
import { Audience } from '../harness/audience.js'
import { spread } from '../harness/numbers.js'
import { behave, end, open } from '../harness/peers.js'
import { ratio, type Scenario, value, type Values } from '../harness/scenario.js'
import type { Server } from '../harness/server.js'
import { CROWDS, figuresOf, growth, measureCrowds, of } from './crowds.js'

/** As much is done for few as for many: what is still being compiled would look like their cost. */
const WARM_UP = { connections: 2_000, sends: 18_000 }
const SENDS = 90_000
/** Of few, so many in all. */
const OPENED = 6_000
const BYTES = 1024
const AT_ONCE = 500
/** ms. */
const PATIENCE = 60_000

const HEAP = 'heap'
const OPEN = 'CPU to open'
const CLOSE = 'CPU to close'
const TELL = 'CPU of one message to all'
const TELL_TIME = 'time of one message to all'
const SHUT_DOWN = 'CPU of app.close()'
const SHUT_DOWN_TIME = 'time of app.close()'
const LONGEST_GC = 'longest pause to collect garbage while they open'
const RSS = 'RSS of the process'
const FURTHER_RSS = 'RSS of a further connection'

/** Connections that come and go, all at once each time. */
async function openAndClose(server: Server, count: number): Promise<Values> {
  for (let done = 0; done < WARM_UP.connections; done += AT_ONCE) {
    await end(await open(server, AT_ONCE))
  }
  const times = Math.ceil(OPENED / count)
  let toOpen = 0
  let toClose = 0
  await server.ask('watchGc')
  for (let i = 0; i < times; i++) {
    const before = await server.cpu()
    const sockets = await open(server, count)
    const between = await server.cpu()
    await end(sockets)
    toOpen += between - before
    toClose += (await server.cpu()) - between
  }
  return {
    [OPEN]: toOpen / times / count,
    [CLOSE]: toClose / times / count,
    [LONGEST_GC]: await server.ask('longestGc'),
  }
}

async function tellAll(server: Server, sockets: readonly Socket[]): Promise<Values> {
  const audience = new Audience(sockets)
  for (let sent = 0; sent < WARM_UP.sends; sent += sockets.length) {
    await audience.hear(server, BYTES)
  }
  const loops: number[] = []
  const before = await server.cpu()
  while (loops.length * sockets.length < SENDS) {
    loops.push((await audience.hear(server, BYTES)).loop)
  }
  const cpu = (await server.cpu()) - before
  audience.leave()
  return {
    [TELL]: cpu / loops.length / sockets.length,
    [TELL_TIME]: (spread(loops).median * 1_000) / sockets.length,
  }
}

async function shutDown(server: Server, sockets: readonly Socket[]): Promise<Values> {
  for (const socket of sockets) behave(socket)
  const before = await server.cpu()
  const time = await server.ask('close', PATIENCE)
  const cpu = (await server.cpu()) - before
  for (const socket of sockets) socket.destroy()
  return {
    [SHUT_DOWN]: cpu / sockets.length,
    [SHUT_DOWN_TIME]: (time * 1_000) / sockets.length,
  }
}

async function measureCrowd(server: Server, count: number): Promise<Values> {
  const opening = await openAndClose(server, count)
  const empty = await server.memory()
  const sockets = await open(server, count)
  const { heap, rss } = await server.memory()
  return {
    ...opening,
    [HEAP]: (heap - empty.heap) / count,
    [RSS]: rss,
    ...(await tellAll(server, sockets)),
    ...(await shutDown(server, sockets)),
  }
}

const COSTS = {
  [HEAP]: 'B',
  [OPEN]: 'µs',
  [CLOSE]: 'µs',
  [TELL]: 'µs',
  [TELL_TIME]: 'µs',
  [SHUT_DOWN]: 'µs',
  [SHUT_DOWN_TIME]: 'µs',
}

export const growthOfConnections: Scenario = {
  name: 'growth',
  title: 'what each of 1,000 (few), 4,500 (some) and 18,000 (many) connections costs',
  entrants: { bare: null, ours: 'bare' },
  figures: { ...figuresOf(COSTS, { [LONGEST_GC]: 'ms', [RSS]: 'B' }), [FURTHER_RSS]: 'B' },
  targets: [
    ...[HEAP, OPEN, CLOSE, SHUT_DOWN].map((cost) => value(growth(cost), 1.25, 2.5)),
    // It grows with bare too, as the sockets of many are in no cache when their turn comes.
    ratio(growth(TELL), 1.25, 2.5),
  ],
  async measure(server, size) {
    const heartbeat = { interval: 3_600_000 }
    const values = await measureCrowds(server, size, () => heartbeat, measureCrowd)
    const { few, many } = CROWDS
    const rss = (values[of('many', RSS)] ?? NaN) - (values[of('few', RSS)] ?? NaN)
    return { ...values, [FURTHER_RSS]: rss / (many - few) / size }
  },
}
