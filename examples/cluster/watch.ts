import { nameOf } from '../demo/names.js'
import type { Board, ClusterView, NodeRow, NodeView } from './events.js'
import type { NodeProcess } from './nodes.js'

/** How long the watch rests after it has asked, in ms. */
const REST = 250

/** Asks the nodes again and again who is where. An answer takes 2 s while a node does not answer the others. */
export class Watch {
  readonly #nodes: readonly NodeProcess[]
  /** The last name of each node in the cluster, by number: a dead one is known by it. */
  readonly #ids = new Map<number, string>()
  #views = new Map<number, NodeView>()
  #cluster: ClusterView = { found: [], unreached: [], seats: 0, cleanups: [] }
  #timer: NodeJS.Timeout | undefined
  #isOver = false

  constructor(nodes: readonly NodeProcess[]) {
    this.#nodes = nodes
    void this.#ask()
  }

  board(): Board {
    const { seats, cleanups } = this.#cluster
    return { nodes: this.#nodes.map((node) => this.#rowOf(node)), seats, cleanups }
  }

  close(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
  }

  #rowOf({ number, state, since }: NodeProcess): NodeRow {
    const { found, unreached } = this.#cluster
    const id = this.#ids.get(number) ?? ''
    const here = found.filter(({ node }) => node === id)
    return {
      number,
      state,
      since,
      ...(state === 'up' ? this.#views.get(number) : undefined),
      isUnreached: unreached.includes(id),
      here: here.map(({ id, suspended }) => ({ id, suspended, name: nameOf(id) })),
    }
  }

  async #ask(): Promise<void> {
    const up = this.#nodes.filter(({ isUp }) => isUp)
    const views = await Promise.all(
      up.map(async ({ number, url }) => [number, await get<NodeView>(`${url}/node`)] as const),
    )
    this.#views = new Map()
    for (const [number, view] of views) {
      if (view === undefined) continue
      this.#views.set(number, view)
      this.#ids.set(number, view.id)
    }
    const asked = up.find(({ number }) => this.#views.has(number))
    const cluster = asked && (await get<ClusterView>(`${asked.url}/cluster`))
    if (cluster !== undefined) this.#cluster = cluster
    if (!this.#isOver) this.#timer = setTimeout(() => void this.#ask(), REST)
  }
}

/** @returns `undefined` if the node does not answer */
async function get<View>(url: string): Promise<View | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(4_000) })
    return response.ok ? ((await response.json()) as View) : undefined
  } catch {
    return undefined // it has been killed, or cannot ask Redis
  }
}
