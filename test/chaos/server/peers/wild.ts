import { randomFrom } from '../../../support/models/random.js'
import { connect, type Peer, UpgradeRefusedError } from '../../../../lib/testing/index.js'
import { ACTS } from './acts.js'
import { HANDSHAKES } from './handshakes.js'
import { SHARED_KEYS } from '../timings.js'
import type { World } from './world.js'

/** How long a wait may take before it is a fault, in ms. */
export const LONG = 25_000

/** Where it goes, and how often. */
const PATHS: ReadonlyArray<readonly [string, number]> = [
  ['/orders', 4],
  ['/lines', 3],
  ['/echo', 3],
  ['/feed', 4],
  ['/strict', 3],
  ['/device/*', 3],
  ['/limited/*', 4],
  ['/idle', 2],
  ['/aged', 2],
  ['/credentials', 2],
  ['/wild', 8],
  ['/session/wild', 2],
]
const WEIGHTED = PATHS.flatMap(([path, weight]) => Array<string>(weight).fill(path))
const DEFLATE = { 'sec-websocket-extensions': 'permessage-deflate' }

function pick<Item>(random: () => number, items: readonly Item[]): Item {
  return items[Math.floor(random() * items.length)] as Item
}

/** Misbehaves in one way after the other. */
export class WildPeer {
  readonly #world: World
  readonly #random: () => number

  constructor(world: World, seed: number) {
    this.#world = world
    this.#random = randomFrom(seed)
  }

  async run(): Promise<void> {
    while (this.#world.isOn) {
      await this.#live()
      await this.#world.pause(this.#random() * 600)
    }
  }

  async #live(): Promise<void> {
    const random = this.#random
    const { log } = this.#world
    const path = pick(random, WEIGHTED).replace('*', String(Math.floor(random() * SHARED_KEYS)))
    if (random() < 0.12) {
      const [name, shake] = pick(random, Object.entries(HANDSHAKES))
      log.acts.add(name)
      await shake(this.#world, path, random)
      return
    }
    const peer = await this.#connect(path)
    if (peer === undefined) return
    const [name, act] = pick(random, Object.entries(ACTS))
    log.acts.add(name)
    await act({ peer, world: this.#world, random }).catch((error: unknown) => {
      log.fault(`${name}, on ${path}: ${String(error)}`)
    })
    peer.thaw()
    peer.reset()
    peer.timeout = LONG
    const { code } = await peer.closed
    log.codes.add(String(code))
  }

  async #connect(path: string): Promise<Peer | undefined> {
    const { log, url } = this.#world
    const headers = this.#random() < 0.3 ? DEFLATE : {}
    try {
      const peer = await connect(url, path, { timeout: LONG, headers })
      log.opened++
      return peer
    } catch (error) {
      if (error instanceof UpgradeRefusedError) log.refused.add(String(error.status))
      else if (!isNetwork(error)) log.fault(`on ${path}: ${String(error)}`)
      else if (!this.#world.isDraining) log.refused.add('no answer')
      return undefined
    }
  }
}

/** Whether the socket has failed, and not a wait. */
export function isNetwork(error: unknown): boolean {
  return error instanceof Error && 'code' in error
}
