/** What it costs that a session survives its connections, and what happens when all clients come back. */
import { once } from 'node:events'
import { pathToFileURL } from 'node:url'
import { setTimeout as pause } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type * as OurClient from '../../dist/client.js'
import { path } from '../harness/contestants.js'
import { frame, OPCODES } from '../harness/dialects.js'
import { endLinked, hear, openLinked } from '../harness/linked-peers.js'
import { beside, NO_HEARTBEAT, ratio, scenario, type Scenario, value } from '../harness/scenario.js'
import { type Server, start } from '../harness/server.js'

const PLAIN = 'ours, onMessage'
const SESSIONS = 'ours, sessions'
const isLinked = (server: Server): boolean => server.name.startsWith(SESSIONS)

const CONNECTIONS = 64
const BYTES = 64
const IN_FLIGHT = [1, 8, 32]
/** ms. */
const TIMES = { warmUp: 1_000, time: 1_500 }
/** Enough for its bounds. */
const TIMES_OF_THE_GATE: typeof TIMES = { warmUp: 400, time: 1_000 }

const rateOf = (inFlight: number): string => `messages a second, ${inFlight} in flight`
const cpuOf = (inFlight: number): string => `CPU a message, ${inFlight} in flight`

/** Peers that read frame by frame echo as fast as the server can; the driver does the same for both. */
async function talk(server: Server, inFlight: number, warmUp: number, time: number) {
  const linked = isLinked(server)
  const message = frame(OPCODES.text, 'a'.repeat(BYTES))
  const peers = await openLinked(server, CONNECTIONS, linked)
  let echoed = 0
  for (const peer of peers) {
    peer.socket.on('data', (data) => {
      const heard = hear(peer, data, linked)
      echoed += heard
      if (heard > 0) peer.socket.write(Buffer.concat(Array.from({ length: heard }, () => message)))
    })
    peer.socket.write(Buffer.concat(Array.from({ length: inFlight }, () => message)))
  }
  await pause(warmUp)
  const before = echoed
  const startedAt = performance.now()
  const [cpu] = await server.cpuOf(() => pause(time))
  const count = echoed - before
  const duration = performance.now() - startedAt
  await endLinked(peers)
  return { [rateOf(inFlight)]: (count / duration) * 1_000, [cpuOf(inFlight)]: cpu / count }
}

function echoing({ warmUp, time }: typeof TIMES): Scenario {
  return scenario<string>({
    name: 'sessions',
    title: `echoes of ${BYTES} B on ${CONNECTIONS} connections: on a session, beside a plain route`,
    entrants: beside(PLAIN, SESSIONS),
    figures: Object.fromEntries([
      ...IN_FLIGHT.map((inFlight) => [rateOf(inFlight), '/s']),
      ...IN_FLIGHT.map((inFlight) => [cpuOf(inFlight), 'µs']),
    ]) as Record<string, string>,
    targets: IN_FLIGHT.map((inFlight) => ratio(rateOf(inFlight), 0.7, 0.5, SESSIONS)),
    picture: { title: 'Messages on a session', of: 'ratio' },
    async measure(server, size) {
      const values: Record<string, number> = {}
      for (const inFlight of IN_FLIGHT) {
        Object.assign(values, await talk(server, inFlight, warmUp, time * size))
      }
      return values
    },
  })
}

export const sessionsOfTheGate: Scenario = echoing(TIMES_OF_THE_GATE)

const CONNECTED = 'heap of a connection'
const SUSPENDED = 'heap of a session that is away'

const sessionMemory = scenario({
  name: 'session-memory',
  title: 'idle sessions, connected and away, after a collection, beside idle connections',
  entrants: beside(PLAIN, SESSIONS),
  figures: { [CONNECTED]: 'B', [SUSPENDED]: 'B' },
  targets: [
    ratio(CONNECTED, 1.8, 2.2, SESSIONS),
    // What `resume.maxBytes` counts for each.
    { ...value(SUSPENDED, 8_192, 8_192), contestant: SESSIONS },
  ],
  settings: NO_HEARTBEAT,
  async measure(server, size) {
    const count = 2_500 * size
    const linked = isLinked(server)
    // The first connections also compile and fill things that stay.
    await endLinked(await openLinked(server, count, false))
    const before = await server.memory()
    const peers = await openLinked(server, count, linked)
    const during = await server.memory()
    await endLinked(peers)
    const after = await server.memory()
    const away = linked ? (after.heap - before.heap) / count : NaN
    return { [CONNECTED]: (during.heap - before.heap) / count, [SUSPENDED]: away }
  },
})

/** With fewer sessions, what the process takes by itself would count for each of them. */
export const sessionMemoryOfTheGate: Scenario = {
  ...sessionMemory,
  measure: async (server, size) => (await sessionMemory.measure?.(server, size * 2)) ?? {},
}

const CLIENTS = 10_000
const AT_ONCE = 100
/** ms. They are told to come back within 5 s (`drain.reconnectWindow`), so that 500 in a slice are the mean. */
const SLICE = 250

/** How long each waits is up to the client, and does not depend on the machine. When it begins does: a busy one is late. */
const LONGEST_WAIT = 'longest wait of a client'
const ALL_BEGUN = 'time until the last one begins'
const MOST_BEGIN = `most that begin in ${SLICE} ms`
const ALL_BACK = 'time until all are back'
const MOST = `most in ${SLICE} ms`
const STALL = 'worst stall of the new process'

/** Real clients: their server drains, and another one is there. */
const comeBack = scenario({
  name: 'come-back',
  title: `${CLIENTS} clients of ours come back to a new process after a drain`,
  entrants: { [SESSIONS]: null },
  figures: {
    [LONGEST_WAIT]: 'ms',
    [ALL_BEGUN]: 'ms',
    [MOST_BEGIN]: 'clients',
    [ALL_BACK]: 'ms',
    [MOST]: 'clients',
    [STALL]: 'ms',
  },
  targets: [],
  // The last full run does not have the others yet.
  picture: { title: 'Clients that come back', of: 'value', figures: [ALL_BACK, MOST, STALL] },
  settings: NO_HEARTBEAT,
  async measure(server, size) {
    const count = CLIENTS * size
    const next = await start(server, NO_HEARTBEAT)
    const place = { port: server.port }
    const clients = await openClients(place, count)
    await next.ask('watch')
    place.port = next.port
    const startedAt = performance.now()
    void server.ask('close', 60_000)
    const waits = await Promise.all(clients.map(({ wait }) => wait))
    const backAt = await Promise.all(clients.map(({ back }) => back))
    const beganAt = clients.map(({ began }) => began())
    const stall = await next.ask('worst')
    for (const { client } of clients) client.close()
    await next.stop()
    return {
      [LONGEST_WAIT]: most(waits),
      [ALL_BEGUN]: most(beganAt) - startedAt,
      [MOST_BEGIN]: mostInASlice(beganAt, startedAt),
      [ALL_BACK]: most(backAt) - startedAt,
      [MOST]: mostInASlice(backAt, startedAt),
      [STALL]: stall,
    }
  },
})

function most(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0)
}

function mostInASlice(moments: readonly number[], startedAt: number): number {
  const slices = new Map<number, number>()
  for (const at of moments) {
    const slice = Math.floor((at - startedAt) / SLICE)
    slices.set(slice, (slices.get(slice) ?? 0) + 1)
  }
  return Math.max(...slices.values())
}

/** Opens clients, some at a time. */
async function openClients(place: { readonly port: number }, count: number) {
  const { LifecycleClient } = (await import(
    pathToFileURL(path('../dist/client.js')).href
  )) as typeof OurClient
  const url = (): string => `ws://127.0.0.1:${place.port}/`
  const clients: Array<ReturnType<typeof openOne>> = []
  while (clients.length < count) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - clients.length) }, () =>
      openOne((ask) => new LifecycleClient(() => ask(url()), { resume: true, WebSocket })),
    )
    await Promise.all(some.map(({ opened }) => opened))
    clients.push(...some)
  }
  return clients
}

/**
 * `wait` is how long it waits when its server is lost, `began` tells when its first attempt to come back began, and `back`
 * when it has come to another process.
 * @param make makes the client. It passes the URL of each attempt through what it is given
 */
function openOne(make: (ask: (url: string) => string) => OurClient.LifecycleClient) {
  const attempts: number[] = []
  const client = make((url) => {
    attempts.push(performance.now())
    return url
  })
  const opened = once(client, 'open').then(() => void attempts.splice(0))
  const lost = opened.then(() => once(client, 'lost')) as Promise<[OurClient.ClientLostEvent]>
  const wait = lost.then(([{ retryIn }]) => retryIn)
  const back = opened.then(() => once(client, 'open')).then(() => performance.now())
  return { client, opened, wait, back, began: () => attempts[0] ?? NaN }
}

export const OF_SESSIONS = [echoing(TIMES), sessionMemory, comeBack]
