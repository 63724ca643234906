import { setTimeout as wait } from 'node:timers/promises'
import { Crowd } from './peers/crowd.js'
import { takePlaces } from './peers/places.js'
import { type PeerLog, World } from './peers/world.js'
import type { Measurement, ServerLedger } from './server/config.js'
import { type Outcome, ServerProcess } from './server-process.js'

export interface PlaySettings {
  readonly minutes: number
  readonly seed: number
  readonly peers: number
}

/** How long the first crowd is there, which warms up whatever is made only once, and the last one, in ms. */
const WARM_UP = 8_000
const LAST_WAVE = 4_000

/** What all peers of one part have done and seen. */
export interface Part {
  readonly name: string
  readonly log: PeerLog
  /** How late the loop of the runner was, in ms. */
  readonly latest: number
  readonly brokenLines: number
}

/** All that is known when it is over. */
export interface Story {
  /** Before any peer came; after the first crowd; after the storm. */
  readonly fresh: Measurement
  readonly warm: Measurement
  readonly after: Measurement
  /** When all peers had gone. */
  readonly calm: ServerLedger
  /** Places that were free after that. */
  readonly places: number
  readonly parts: readonly Part[]
  readonly outcome: Outcome
}

/** Lets everything happen. */
export async function play({ minutes, peers, seed }: PlaySettings): Promise<Story> {
  const server = await ServerProcess.start({ seed })
  const parts: Part[] = []
  const fresh = await server.measure()
  const warm = await storm(server, parts, { name: 'warm', peers, seed: seed + 1e6, for: WARM_UP })
  const after = await storm(server, parts, { name: 'storm', peers, seed, for: minutes * 60_000 })
  const world = new World(server.port)
  const places = await takePlaces(world)
  world.close()
  parts.push({ name: 'places', log: world.log, latest: world.latest, brokenLines: 0 })
  await server.measure()
  const calm = await server.ledger()
  const outcome = await leave(server, parts, { name: 'last', peers, seed: seed + 2e6 })
  return { fresh, warm, after, calm, places, parts, outcome }
}

interface Wave {
  readonly name: string
  readonly peers: number
  readonly seed: number
}

/** A crowd comes, and goes. */
async function storm(
  server: ServerProcess,
  parts: Part[],
  { name, peers, seed, for: time }: Wave & { readonly for: number },
): Promise<Measurement> {
  const world = new World(server.port)
  await server.storm(true)
  const crowd = await Crowd.gather(world, peers, seed, name)
  await wait(time)
  await server.storm(false)
  await crowd.leave(async () => server.sessions())
  world.close()
  const { latest, log } = world
  parts.push({ name, log, latest, brokenLines: crowd.faults })
  return server.measure()
}

/** The server is told to leave in the middle of it all. */
async function leave(
  server: ServerProcess,
  parts: Part[],
  { name, peers, seed }: Wave,
): Promise<Outcome> {
  const world = new World(server.port)
  await server.storm(true)
  const crowd = await Crowd.gather(world, peers, seed, name)
  await wait(LAST_WAVE)
  world.isDraining = true
  const outcome = await server.leave()
  await crowd.end()
  world.close()
  const { latest, log } = world
  parts.push({ name, log, latest, brokenLines: crowd.faults })
  return outcome
}
