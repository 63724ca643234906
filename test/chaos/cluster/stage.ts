import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { FAULTS, type Plan } from '../../support/peers/chaos-proxy.js'
import { DIRECTOR, LedgerFile, type TroubleKind } from './ledger.js'
import { NodeProcess } from './node-process.js'
import { SLOTS } from './schedule.js'
import { Store } from './store.js'

/** Each slot has a client of its own. */
const CLIENTS = ['ioredis 6', 'node-redis 6', 'iovalkey', 'node-redis 5', 'ioredis 5'] as const

/** After that a node that was told to leave hangs, in ms. */
const LONGEST_LEAVE = 20_000

/** Redis, the nodes in their slots, and the director's ledger. */
export class Stage {
  readonly ledger: LedgerFile
  readonly nodes: NodeProcess[] = []
  /** By slot. */
  readonly current: Array<NodeProcess | undefined> = Array<undefined>(SLOTS).fill(undefined)
  redis: Store
  readonly stores: Store[]
  /** Whoever begins to clean is told here. */
  onCleaning: ((node: NodeProcess) => void) | undefined
  readonly ledgerPath: string
  readonly #folder: string
  readonly #script: string
  readonly #random: () => number
  #troubles = 0
  #started = 0
  #isCalm = false

  private constructor(folder: string, script: string, random: () => number, redis: Store) {
    this.#folder = folder
    this.#script = script
    this.#random = random
    this.redis = redis
    this.stores = [redis]
    this.ledgerPath = join(folder, 'director.jsonl')
    this.ledger = new LedgerFile(this.ledgerPath, DIRECTOR)
  }

  static async open(folder: string, script: string, random: () => number): Promise<Stage> {
    const stage = new Stage(folder, script, random, await Store.start(folder))
    await Promise.all(stage.current.map(async (_, slot) => stage.fill(slot)))
    return stage
  }

  /** Those that clients may try. */
  get there(): NodeProcess[] {
    return this.current.filter((node) => node?.isThere) as NodeProcess[]
  }

  /** Puts a new node into a slot, again and again until one is there. */
  async fill(slot: number): Promise<void> {
    for (;;) {
      const node = await this.#start(slot)
      if (await node.ready) {
        this.current[slot] = node
        if (this.#isCalm) node.calm()
        return
      }
      this.ledger.write({ what: 'chaos', text: `node ${node.number} did not come up` })
      await wait(500)
    }
  }

  /** @returns what to call when it is over */
  trouble(kind: TroubleKind, on: NodeProcess | 'all'): () => void {
    const trouble = ++this.#troubles
    this.ledger.write({ what: 'trouble', trouble, kind, on: on === 'all' ? on : on.number })
    return () => this.ledger.write({ what: 'trouble over', trouble })
  }

  /** Tells a node to leave, and waits until it has. */
  async leave(node: NodeProcess): Promise<void> {
    node.kill('SIGTERM')
    const isOver = node.exited.then(() => true)
    if (await Promise.race([isOver, wait(LONGEST_LEAVE, false)])) return
    const text = `node ${node.number} had not left after ${LONGEST_LEAVE} ms`
    if (!node.isStopped) this.ledger.write({ what: 'fault', text })
    // It writes a report about what it waits for.
    node.kill('SIGUSR2')
    await wait(1_000)
    node.kill('SIGKILL')
    await node.exited
  }

  calm(): void {
    this.#isCalm = true
    for (const node of this.there) node.calm()
  }

  /** Nothing of it stays, also if the director is told to end. */
  kill(): void {
    for (const node of this.nodes) if (!node.isGone) node.kill('SIGKILL')
    for (const store of this.stores) store.kill()
  }

  async close(): Promise<void> {
    this.kill()
    await Promise.all(this.nodes.map(async ({ exited }) => exited))
    await Promise.all(this.stores.map(async (store) => store.close()))
    this.ledger.close()
  }

  async #start(slot: number): Promise<NodeProcess> {
    const node = await NodeProcess.start({
      number: ++this.#started,
      script: this.#script,
      folder: this.#folder,
      redis: this.redis.port,
      client: CLIENTS[slot] as string,
      director: this.ledger,
      plan: () => this.#plan(),
      onCleaning: (cleaner) => this.onCleaning?.(cleaner),
    })
    this.nodes.push(node)
    return node
  }

  /** Most lines break after a while. */
  #plan(): Plan {
    const random = this.#random
    if (random() < 0.4) return {}
    return {
      fault: FAULTS[Math.floor(random() * FAULTS.length)] as (typeof FAULTS)[number],
      direction: random() < 0.5 ? 'up' : 'down',
      after: Math.floor(300 * 10 ** random()),
    }
  }
}
