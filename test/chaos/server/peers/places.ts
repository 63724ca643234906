import { connect, type Peer, UpgradeRefusedError } from '../../../../lib/testing/index.js'
import { PLACES, PLACES_OF_KEY, SHARED_KEYS } from '../timings.js'
import { LONG } from './wild.js'
import type { World } from './world.js'

/**
 * Whether all places are free, by taking them: as many as a route and each key has, and not one more.
 * @returns how many were taken
 */
export async function takePlaces(world: World): Promise<number> {
  const taken: Peer[] = []
  for (let index = 0; index < PLACES; index++) {
    await take(world, `/limited/${Math.floor(index / PLACES_OF_KEY)}`, taken)
  }
  await refuse(world, '/limited/another', 503)
  await leave(world, taken)
  for (let key = 0; key < SHARED_KEYS; key++) {
    const ofKey: Peer[] = []
    for (let index = 0; index < PLACES_OF_KEY; index++) await take(world, `/limited/${key}`, ofKey)
    await refuse(world, `/limited/${key}`, 429)
    await leave(world, ofKey)
    await take(world, `/device/${key}`, ofKey)
    await leave(world, ofKey)
    taken.push(...ofKey)
  }
  return taken.length
}

async function take({ log, url }: World, path: string, taken: Peer[]): Promise<void> {
  try {
    const peer = await connect(url, path, { timeout: LONG })
    log.opened++
    log.healthyOpened++
    taken.push(peer)
  } catch (error) {
    log.fault(`a place on ${path} is not free: ${String(error)}`)
  }
}

async function refuse({ log, url }: World, path: string, status: number): Promise<void> {
  try {
    const peer = await connect(url, path, { timeout: LONG })
    log.opened++
    log.fault(`one connection more on ${path} was let in`)
    await peer.close()
  } catch (error) {
    if (error instanceof UpgradeRefusedError && error.status === status) return
    log.fault(`one connection more on ${path} got ${String(error)}, not ${status}`)
  }
}

/** The place of a connection is free when its transport is gone. */
async function leave({ log }: World, peers: readonly Peer[]): Promise<void> {
  for (const peer of peers) {
    const { code } = await peer.close(1000)
    if (code !== 1000) log.fault(`a place was left with ${code}`)
  }
}
