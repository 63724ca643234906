import type { FastifyInstance } from 'fastify'
import { clusterOf } from '../cluster/door.js'
import type { Clock } from '../time/clock.js'
import type { NodeNow, Update } from './protocol.js'

/** How often the other nodes are asked, in ms. */
const EVERY = 5_000

/** How many connections each node has. */
export class Nodes {
  readonly #app: FastifyInstance
  readonly #clock: Clock
  #isAsking = false
  #askAt = -Infinity
  #list: readonly NodeNow[] = []
  #isFresh = false

  constructor(app: FastifyInstance, clock: Clock) {
    this.#app = app
    this.#clock = clock
  }

  /** The name of this node; `null` without other nodes. */
  get here(): string | null {
    return clusterOf(this.#app).node?.id ?? null
  }

  /** What is known of them. */
  get whole(): Pick<Update, 'nodes'> {
    return this.#list.length === 0 ? {} : { nodes: this.#list }
  }

  /** Asks them, if it is time. @returns what they have said, if it is new */
  look(): Pick<Update, 'nodes'> {
    if (!this.#isAsking && this.#clock.now() >= this.#askAt) void this.#ask()
    if (!this.#isFresh) return {}
    this.#isFresh = false
    return this.whole
  }

  /** Nobody looks any more. */
  forget(): void {
    this.#list = []
    this.#isFresh = false
    this.#askAt = -Infinity
  }

  async #ask(): Promise<void> {
    const { node } = clusterOf(this.#app)
    if (node === undefined) return
    this.#isAsking = true
    const next = this.#clock.now() + EVERY
    this.#askAt = next
    let open: ReadonlyMap<string, number | undefined>
    try {
      open = await node.countOpen()
    } catch {
      // It is told and logged elsewhere that the others cannot be reached.
      open = this.#alone(node.id)
    }
    this.#isAsking = false
    // Else nobody has looked since, or somebody else looks.
    if (this.#askAt === next) this.#tell(open, node.id)
  }

  /** The nodes that are known, of which only this one has answered. */
  #alone(here: string): Map<string, number | undefined> {
    const names = this.#list.map(({ node }) => [node, undefined] as const)
    return new Map([...names, [here, this.#app.websocketLifecycle.stats().open]])
  }

  #tell(open: ReadonlyMap<string, number | undefined>, here: string): void {
    const list = Array.from(open, ([node, count]) => {
      return { node, isHere: node === here, open: count ?? null }
    }).toSorted((a, b) => (a.node < b.node ? -1 : 1))
    if (JSON.stringify(list) === JSON.stringify(this.#list)) return
    this.#list = list
    this.#isFresh = true
  }
}
