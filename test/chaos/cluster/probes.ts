// What nodes are asked all the time: to publish, to find, and now and then to close a group.
import { setTimeout as wait } from 'node:timers/promises'
import { GROUP_NAMES } from './clients/world.js'
import { now } from './ledger.js'
import type { NodeProcess } from './node-process.js'
import type { Stage } from './stage.js'
import { keysOf } from './store.js'

const PROBE_EVERY = 400
const LOOK_EVERY = 2_000

export class Probes {
  readonly #stage: Stage
  readonly #random: () => number
  #isOn = true
  #publishes = 0
  readonly #asking: Promise<void>
  readonly #looking: Promise<void>

  constructor(stage: Stage, random: () => number) {
    this.#stage = stage
    this.#random = random
    this.#asking = this.#ask()
    this.#looking = this.#look()
  }

  /** Asks every node for every group, and sees that all is answered that was ever asked. */
  async askAll(): Promise<void> {
    const { ledger, nodes } = this.#stage
    for (const node of nodes) {
      for (const key of node.isThere ? GROUP_NAMES : []) {
        void this.#find(node, key)
        void this.#publish(node, key)
      }
      const count = await node.unanswered()
      if (count === 0) continue
      ledger.write({
        what: 'fault',
        text: `${count} operations of node ${node.number} never ended`,
      })
    }
  }

  async stop(): Promise<void> {
    this.#isOn = false
    await Promise.all([this.#asking, this.#looking])
  }

  async #ask(): Promise<void> {
    while (this.#isOn) {
      await wait(PROBE_EVERY)
      const { there } = this.#stage
      const node = there[Math.floor(this.#random() * there.length)]
      const key = GROUP_NAMES[Math.floor(this.#random() * GROUP_NAMES.length)] as string
      const chance = this.#random()
      if (node === undefined) continue
      if (chance < 0.6) void this.#publish(node, key)
      else if (chance < 0.98) void this.#find(node, key)
      else void this.#close(node, key)
    }
  }

  async #publish(node: NodeProcess, key: string): Promise<void> {
    const by = node.number
    const from = now()
    const publish = `${by}.${++this.#publishes}`
    const message = JSON.stringify({ publish, at: from })
    const answer = await node.ask({ order: 'publish', key, message })
    if (answer === undefined) return
    this.#stage.ledger.write({ what: 'published', by, key, publish, from, ...answer })
  }

  async #find(node: NodeProcess, key: string): Promise<void> {
    const by = node.number
    const from = now()
    const answer = await node.ask({ order: 'find', key })
    if (answer === undefined) return
    this.#stage.ledger.write({ what: 'found', by, key, from, found: [], ...answer })
  }

  async #close(node: NodeProcess, key: string): Promise<void> {
    const by = node.number
    const from = now()
    const answer = await node.ask({ order: 'close', key })
    if (answer === undefined) return
    this.#stage.ledger.write({ what: 'closed all', by, key, from, closed: 0, ...answer })
  }

  /** Nothing is kept for ever. */
  async #look(): Promise<void> {
    while (this.#isOn) {
      await wait(LOOK_EVERY)
      for (const [key, ttl] of await keysOf(this.#stage.redis)) {
        if (ttl >= 0) continue
        this.#stage.ledger.write({ what: 'fault', text: `R4: ${key} has no TTL` })
      }
    }
  }
}
