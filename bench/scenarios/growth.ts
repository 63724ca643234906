/** What a connection costs beside few others, beside some and beside many. */
import { setTimeout as pause } from 'node:timers/promises'
import { audience } from '../harness/audience.js'
import { openCrowd } from '../harness/crowd.js'
import { behave, end, open } from '../harness/peers.js'
import { beside, NO_HEARTBEAT, ratio, scenario, value, type Values } from '../harness/scenario.js'
import { type Server, type Settings, start } from '../harness/server.js'

const CROWDS = { few: 1_000, some: 4_500, many: 18_000 }

type Figures = Readonly<Record<string, string>>

/** The figure that says how much more it is of many than of few. */
const growth = (figure: string): string => `${figure}, of many to of few`

const ofAll = (figure: string): string[] =>
  Object.keys(CROWDS).map((crowd) => `${figure}, of ${crowd}`)

/** @param costs what grows with the crowd if things go wrong: there is a figure of how much */
function figuresOf(costs: Figures, others: Figures): Figures {
  const units = Object.entries({ ...costs, ...others })
  return Object.fromEntries([
    ...units.flatMap(([figure, unit]) => ofAll(figure).map((each) => [each, unit])),
    ...Object.keys(costs).map((figure) => [growth(figure), 'ratio']),
  ]) as Figures
}

/** Each crowd has a server of its own, a fresh one of the same contestant. */
async function measureCrowds(
  server: Server,
  size: number,
  settingsOf: (count: number) => Settings,
  measure: (server: Server, count: number, size: number) => Promise<Values>,
): Promise<Record<string, number>> {
  const values: Record<string, number> = {}
  for (const [crowd, connections] of Object.entries(CROWDS)) {
    const count = connections * size
    const own = await start(server, settingsOf(count))
    for (const [figure, taken] of Object.entries(await measure(own, count, size))) {
      values[`${figure}, of ${crowd}`] = taken
      values[growth(figure)] = taken / (values[`${figure}, of few`] ?? NaN) // the last are many
    }
    await own.stop()
  }
  return values
}

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
const TIMES = [OPEN, CLOSE, TELL, TELL_TIME, SHUT_DOWN, SHUT_DOWN_TIME]
const COSTS = { [HEAP]: 'B', ...Object.fromEntries(TIMES.map((time) => [time, 'µs'])) } as Figures
const GC = 'longest pause to collect garbage while they open'
const RSS = 'RSS of the process'
const FURTHER_RSS = 'RSS of a further connection'

async function measureConnections(server: Server, count: number, size: number): Promise<Values> {
  for (let done = 0; done < WARM_UP.connections * size; done += AT_ONCE * size) {
    await end(await open(server, AT_ONCE * size))
  }
  // They come and go, all at once each time.
  const times = Math.ceil((OPENED * size) / count)
  let toOpen = 0
  let toClose = 0
  await server.ask('collections')
  for (let i = 0; i < times; i++) {
    const [opening, sockets] = await server.cpuOf(() => open(server, count))
    const [closing] = await server.cpuOf(() => end(sockets))
    toOpen += opening
    toClose += closing
  }
  const collections = await server.ask<number[]>('collections')

  const empty = await server.memory()
  const sockets = await open(server, count)
  const full = await server.memory()

  const tellAll = audience(server, sockets)
  await tellAll(BYTES, Math.ceil((WARM_UP.sends * size) / count))
  const { loop, cpu } = await tellAll(BYTES, Math.ceil((SENDS * size) / count))

  for (const socket of sockets) behave(socket)
  const [cpuOfClose, time] = await server.cpuOf(() => server.ask('close', PATIENCE))
  for (const socket of sockets) socket.destroy()
  return {
    [HEAP]: (full.heap - empty.heap) / count,
    [OPEN]: toOpen / times / count,
    [CLOSE]: toClose / times / count,
    [TELL]: cpu / count,
    [TELL_TIME]: (loop * 1_000) / count,
    [SHUT_DOWN]: cpuOfClose / count,
    [SHUT_DOWN_TIME]: (time * 1_000) / count,
    [GC]: Math.max(0, ...collections),
    [RSS]: full.rss,
  }
}

const growthOfConnections = scenario<string>({
  name: 'growth',
  title: 'what each of 1,000 (few), 4,500 (some) and 18,000 (many) connections costs',
  entrants: beside('bare', 'ours'),
  figures: { ...figuresOf(COSTS, { [GC]: 'ms', [RSS]: 'B' }), [FURTHER_RSS]: 'B' },
  targets: [
    ...[HEAP, OPEN, CLOSE, SHUT_DOWN].map((cost) => value(growth(cost), 1.25, 2.5)),
    // It grows with bare too, as the sockets of many are in no cache when their turn comes.
    ratio(growth(TELL), 1.25, 2.5),
  ],
  picture: {
    title: 'What a connection costs, beside few others and beside many',
    of: 'value',
    figures: [HEAP, OPEN, TELL, SHUT_DOWN].flatMap(ofAll),
  },
  async measure(server, size) {
    const values = await measureCrowds(server, size, () => NO_HEARTBEAT, measureConnections)
    const more = (values[`${RSS}, of many`] ?? NaN) - (values[`${RSS}, of few`] ?? NaN)
    return { ...values, [FURTHER_RSS]: more / (CROWDS.many - CROWDS.few) / size }
  },
})

/** Few are pinged more often: as much is done for them as for many. */
const PINGS_A_MS = 9
/** ms; no less than one interval of many. */
const HEARTBEATS = { warmUp: 2_000, measured: 2_000, watched: 1_500 }
const PING = 'CPU of a ping and its pong'
const STALL = 'worst stall of all pings'
const LOST = 'healthy peers cut off'

const growthOfHeartbeats = scenario<string>({
  name: 'growth-heartbeats',
  title: '9,000 pings a second to 1,000 (few), 4,500 (some) and 18,000 (many) idle connections',
  entrants: beside('sweep', 'ours'),
  figures: figuresOf({ [PING]: 'µs' }, { [STALL]: 'ms', [LOST]: 'peers' }),
  targets: [
    value(growth(PING), 1.25, 2.5),
    ratio(`${STALL}, of many`, 0.2),
    value(`${LOST}, of many`, 0, 0),
  ],
  picture: {
    title: 'What a heartbeat costs, beside few others and beside many',
    of: 'value',
    figures: [PING, STALL].flatMap(ofAll),
  },
  measure(server, size) {
    const settings = (count: number): Settings => ({ interval: count / (PINGS_A_MS * size) })
    return measureCrowds(server, size, settings, async (own, count) => {
      const crowd = await openCrowd(own, count)
      await pause(HEARTBEATS.warmUp)
      const { cpu, pings } = await crowd.during(HEARTBEATS.measured)
      // The watch takes time of its own: it looks each millisecond.
      await own.ask('watch')
      await pause(HEARTBEATS.watched)
      return { [PING]: cpu / pings, [STALL]: await own.ask('worst'), [LOST]: crowd.leave() }
    })
  },
})

export const GROWTHS = [growthOfConnections, growthOfHeartbeats]
/** What one connection costs among many. */
export const COSTS_OF_MANY = [
  ...Object.keys(COSTS).map((cost) => ({ scenario: 'growth', figure: `${cost}, of many` })),
  { scenario: 'growth', figure: FURTHER_RSS },
  { scenario: 'growth-heartbeats', figure: `${PING}, of many` },
]
