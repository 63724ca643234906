import { Lease } from '../../../lib/core/cluster/lease.js'
import { randomFrom } from './random.js'

/** In ms. */
export const LEASE = 3_000
const STEP = 50
const ANSWER_TIMEOUT = 2_000

/** What goes wrong in a world of nodes. Times are in ms. */
export interface Fault {
  readonly kind:
    | 'node stands still'
    | 'node is cut off'
    | 'Redis stands still'
    | 'all stand still'
    | 'failover'
    | 'silent failover'
    | 'jump'
  readonly node: number
  readonly at: number
  /** How long it lasts, how much is lost, or how far the clock of Redis jumps. */
  readonly length: number
}

/** Something on its way between a node and Redis. A client holds what it cannot send. */
interface Message {
  readonly node: ModelNode
  readonly at: number
  readonly to: 'Redis' | 'node'
  readonly arrive: () => void
}

/** What Redis knows of a node. */
interface Entry {
  readonly leaseEnd: number
  /** By the clock that never jumps. */
  readonly renewedAt: number
}

interface ModelNode {
  readonly id: number
  lease: Lease
  /** When the renewal was sent that has no answer yet. */
  pending: number | undefined
  stillUntil: number
  cutUntil: number
  /** Since when it runs, and can reach Redis. */
  wellSince: number
  /** Whether it has heard that it was claimed: it has a new identity then. */
  isFenced: boolean
}

/** Nodes that renew and claim, and a Redis whose clock may jump. Time goes on in steps. */
export class LeaseModel {
  now = 0
  readonly claimed = new Map<number, number>()
  /**
   * Nodes that were claimed although they had renewed within a lease, or before they believed themselves cut off; and
   * those that did not hear of it in time.
   */
  readonly wrong: string[] = []
  readonly nodes: readonly ModelNode[]
  readonly #random: () => number
  readonly #slowness: number
  readonly #faults: Fault[]
  #redis = new Map<number, Entry>()
  readonly #past: Array<Map<number, Entry>> = []
  #jumped = 5_000_000
  #redisStillUntil = 0
  /** Since when every node that is well can renew. */
  #calmSince = 0
  #messages: Message[] = []

  /** @param slowness how long the way to Redis may take, in ms */
  constructor(
    count: number,
    faults: readonly Fault[],
    slowness: number,
    seed: number,
    LeaseClass = Lease,
  ) {
    this.#random = randomFrom(seed)
    this.#slowness = slowness
    this.#faults = faults.toSorted((a, b) => a.at - b.at)
    this.nodes = Array.from({ length: count }, (_, id) => ({
      id,
      lease: new LeaseClass(LEASE, 0),
      pending: undefined,
      stillUntil: Math.floor(this.#random() * LEASE),
      cutUntil: 0,
      wellSince: 0,
      isFenced: false,
    }))
  }

  step(): void {
    this.now += STEP
    this.#past.push(new Map(this.#redis))
    while ((this.#faults[0]?.at ?? Infinity) <= this.now) this.#begin(this.#faults.shift()!)
    const messages = this.#messages
    this.#messages = []
    for (const message of messages) {
      if (this.#mayArrive(message)) message.arrive()
      else this.#messages.push(message)
    }
    for (const node of this.nodes) {
      if (this.now >= node.stillUntil) this.#live(node)
      this.#expectFence(node)
    }
  }

  /** Who was claimed hears of it by its next renewal, once it can. */
  #expectFence(node: ModelNode): void {
    const { id, isFenced, lease } = node
    const blockedUntil = Math.max(node.stillUntil, node.cutUntil, this.#redisStillUntil)
    if (this.now < blockedUntil) node.wellSince = this.now + STEP
    const claimedAt = this.claimed.get(id)
    if (claimedAt === undefined || isFenced) return
    const waits = this.now - Math.max(claimedAt, node.wellSince)
    // A renewal may be under way that gets no answer any more; the next one has one.
    const longest = lease.beat + ANSWER_TIMEOUT + 2 * this.#slowness + 3 * STEP
    if (waits > longest) this.wrong.push(`claimed, and serves for ${waits} ms`)
  }

  #begin({ kind, node, length }: Fault): void {
    const it = this.nodes[node % this.nodes.length]!
    const until = this.now + length
    if (kind === 'node stands still') it.stillUntil = until
    else if (kind === 'node is cut off') it.cutUntil = until
    else if (kind === 'jump') this.#jumped += length
    else if (kind.endsWith('still')) this.#redisStillUntil = Math.max(this.#redisStillUntil, until)
    else this.#redis = new Map(this.#past.at(-1 - Math.ceil(length / STEP)) ?? [])
    for (const each of this.nodes) {
      if (kind === 'all stand still') each.stillUntil = until + Math.floor(this.#random() * 1_000)
      if (kind === 'failover') each.lease.reconnected()
    }
    if (kind.endsWith('failover')) this.#calmSince = this.now
    else if (kind === 'jump' || (kind.endsWith('still') && kind !== 'node stands still')) {
      if (length > LEASE)
        this.#calmSince = Math.max(this.#calmSince, kind === 'jump' ? this.now : until)
    }
  }

  #mayArrive({ node, at, to }: Message): boolean {
    const stuckUntil = to === 'Redis' ? this.#redisStillUntil : node.stillUntil
    return this.now >= Math.max(at, stuckUntil, node.cutUntil)
  }

  #live(node: ModelNode): void {
    const { lease, pending } = node
    if (pending !== undefined && this.now - pending >= ANSWER_TIMEOUT) {
      lease.failed()
      node.pending = undefined
    }
    if (node.isFenced) return
    if (node.pending === undefined && this.now >= lease.dueAt) this.#renew(node)
  }

  #renew(node: ModelNode): void {
    const { lease, id } = node
    const sentAt = this.now
    node.pending = sentAt
    lease.tries(sentAt)
    this.#send(node, 'Redis', () => {
      if (this.claimed.has(id)) {
        this.#send(node, 'node', () => {
          node.isFenced = true
        })
        return
      }
      const redisNow = this.now + this.#jumped
      const leaseEnd = this.#redis.get(id)?.leaseEnd
      this.#redis.set(id, { leaseEnd: redisNow + LEASE, renewedAt: this.now })
      const expired = [...this.#redis.keys()].filter((other) => this.#isExpired(other, redisNow))
      const calm = this.now - this.#calmSince
      this.#send(node, 'node', () => {
        if (node.pending !== sentAt) return
        node.pending = undefined
        lease.renewed({ sentAt, answeredAt: this.now, redisNow, leaseEnd })
        if (!lease.mayClaim) return
        if (expired.length > 0 && calm < LEASE) this.wrong.push(`${calm} ms after all were away`)
        for (const other of expired) this.#claim(node, other, redisNow)
      })
    })
  }

  /** @param toldAt when a renewal of the survivor has named it, by the clock of Redis */
  #claim(node: ModelNode, id: number, toldAt: number): void {
    this.#send(node, 'Redis', () => {
      const redisNow = this.now + this.#jumped
      if (redisNow > toldAt + LEASE / 3 || !this.#isExpired(id, redisNow)) return
      // Redis has lost that renewal, and may have lost others; or there was one more, whose answer says.
      if (this.#redis.get(node.id)?.leaseEnd !== toldAt + LEASE) return
      const ago = this.now - (this.#redis.get(id)?.renewedAt ?? 0)
      if (ago < LEASE) this.wrong.push(`${ago} ms after it had renewed`)
      // It ends what it may not serve then (`whenCutOff: 'close'`), by its own clock.
      const { cutOffAt } = this.nodes[id]?.lease ?? {}
      if (cutOffAt !== undefined && this.now < cutOffAt)
        this.wrong.push(`claimed before ${cutOffAt}`)
      this.#redis.delete(id)
      this.claimed.set(id, this.now)
    })
  }

  #isExpired(id: number, redisNow: number): boolean {
    return (this.#redis.get(id)?.leaseEnd ?? Infinity) + LEASE < redisNow
  }

  /** All that a node says goes by one connection. */
  #send(node: ModelNode, to: Message['to'], arrive: () => void): void {
    const last = this.#messages.findLast((other) => other.node === node && other.to === to)
    const at = this.now + Math.floor(this.#random() * this.#slowness)
    this.#messages.push({ node, at: Math.max(at, last?.at ?? 0), to, arrive })
  }
}
