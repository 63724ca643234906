import process from 'node:process'
import { setTimeout as wait } from 'node:timers/promises'
import { randomFrom } from '../../support/models/random.js'
import { Acts } from './acts.js'
import { bundle } from '../bundle.js'
import { Population } from './clients/population.js'
import type { World } from './clients/world.js'
import { Failovers } from './failovers.js'
import { Probes } from './probes.js'
import { scheduleOf, SLOTS } from './schedule.js'
import { Stage } from './stage.js'
import { keysOf } from './store.js'
import { LEASE, RECOVERY } from './timings.js'

export interface PlaySettings {
  /** For the ledgers, and what Redis keeps. */
  readonly folder: string
  readonly minutes: number
  readonly seed: number
  readonly hasFailovers: boolean
}

const SIGN_EVERY = 200
/** A release that has failed is tried again after 5 s. */
const SETTLE = 3 * LEASE + RECOVERY + 5_000
/** What may be left when all nodes have gone in peace: who was there, and the last fence. */
const MAY_STAY = /^wsl:(\{c\}:(dead|fence)|\{n:[^}]+\}:sealed)$/

/**
 * Lets everything happen.
 * @returns the ledgers
 */
export async function play(settings: PlaySettings): Promise<string[]> {
  const { folder, minutes, seed, hasFailovers } = settings
  const script = await bundle(new URL('./node/main.ts', import.meta.url), 'node')
  const random = randomFrom(seed + 1)
  const stage = await Stage.open(folder, script, random)
  process.on('exit', () => stage.kill())
  try {
    const signs = setInterval(() => sign(stage), SIGN_EVERY)
    const failovers = hasFailovers ? await Failovers.prepare(stage, folder) : undefined
    const world = new Clients(stage, random)
    const population = new Population(world)
    const probes = new Probes(stage, random)
    await wait(2 * LEASE)
    const acts = new Acts(stage, async (act) => failovers?.run(act))
    for (const { after, act } of scheduleOf(seed, minutes, hasFailovers)) {
      await wait(after)
      acts.begin(act)
    }
    await acts.over()
    stage.calm()
    await wait(SETTLE)
    await probes.stop()
    await probes.askAll()
    await end(stage, world, population)
    clearInterval(signs)
    return [stage.ledgerPath, ...stage.nodes.map(({ ledger }) => ledger)]
  } finally {
    await stage.close()
  }
}

/** All leave in peace: the first nodes under their clients, then all clients, then the other nodes. */
async function end(stage: Stage, world: Clients, population: Population): Promise<void> {
  for (const node of stage.there.slice(0, SLOTS - 2)) await stage.leave(node)
  world.isOn = false
  await wait(RECOVERY)
  for (const device of population.devices) {
    if (device.size <= 1) continue
    const text = `replace: a device has ${device.size} connections`
    stage.ledger.write({ what: 'fault', text })
  }
  await population.left()
  await Promise.all(stage.there.map(async (node) => stage.leave(node)))
  for (const [key, ttl] of await keysOf(stage.redis)) {
    if (MAY_STAY.test(key) && ttl >= 0) continue
    stage.ledger.write({ what: 'fault', text: `R4: ${key} is left, with a TTL of ${ttl} ms` })
  }
}

function sign({ ledger }: Stage): void {
  ledger.write({ what: 'sign', node: '', fence: 0, connected: false })
}

class Clients implements World {
  isOn = true
  readonly random: () => number
  readonly #stage: Stage

  constructor(stage: Stage, random: () => number) {
    this.#stage = stage
    this.random = random
  }

  get ledger(): World['ledger'] {
    return this.#stage.ledger
  }

  readonly pick: World['pick'] = () => {
    const { nodes, there } = this.#stage
    const some = there.length > 0 ? there : nodes
    return some[Math.floor(this.random() * some.length)] as (typeof nodes)[number]
  }
}
