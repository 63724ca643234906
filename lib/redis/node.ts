import { randomBytes } from 'node:crypto'
import type { FastifyBaseLogger } from 'fastify'
import { Lease } from '../core/cluster/lease.js'
import { clusterUnavailable } from '../errors.js'
import { LOG_LINES } from '../facts/log-lines.js'
import { logSafely } from '../facts/log.js'
import { startForAll } from '../platform/context.js'
import { Deferred } from '../platform/deferred.js'
import { toError } from '../platform/thrown.js'
import type { Clock, Timer } from '../time/clock.js'
import { Beat } from './beat.js'
import type { Among, NodeInfo, Part } from './here.js'
import type { Names } from './names.js'
import type { Redis } from './redis.js'
import { readOthers, readRenewal, type Renewed, writeInfo } from './renewal.js'
import { DONE } from './scripts/done.js'
import { OTHERS } from './scripts/others.js'
import { RENEW } from './scripts/renew.js'
import { orAfter, within } from './within.js'

/** What a node is made of. */
export interface NodeParts {
  readonly redis: Redis
  readonly names: Names
  readonly clock: Clock
  readonly log: FastifyBaseLogger
  /** In ms. */
  readonly lease: number
  /** See {@link NodeInfo.address}. */
  readonly address: string | undefined
  /**
   * Called before this node is known by a name: from then on others send to its channel. May be called again, also
   * with the same name.
   * @throws (rejects) if that has to be tried again
   */
  enter(id: string): Promise<void>
  /**
   * Nodes that this one may claim.
   * @param toldAt see {@link Claims.claim}
   */
  dead(nodes: readonly string[], toldAt: number): void
}

/** How long a node that leaves may take, in ms: Redis may be gone. */
const LEAVE_TIMEOUT = 2_000
/** How long an app waits at its start, in ms. */
const START_TIMEOUT = 2_000
/** After how many ms a renewal that failed is tried again, if its lease is not shorter. */
const RETRY = 1_000
/** The shortest time between two looks, in ms: anybody can send a token of no node. */
const LOOK_AGAIN = 100
/** How many names a node keeps that it had before. */
const MOST_FORMERLY = 3

/** This process among the others: keeps its lease, and tells its parts what becomes of it. */
export class Node implements Among {
  readonly names: Names
  readonly redis: Redis
  readonly clock: Clock
  readonly log: FastifyBaseLogger
  id: string = newId()
  fence = 0
  others: ReadonlyMap<string, NodeInfo> = new Map()
  readonly #of: NodeParts
  readonly #parts: Part[] = []
  readonly #beat: Beat
  #lease: Lease
  /** The name under which it has to register; `undefined` once it has. */
  #nextId: string | undefined = this.id
  #formerly: readonly string[] = []
  /** Redis may lack what was written before. */
  #hasToWrite = true
  #isCutOff = false
  #hasLeft = false
  /** Why the last renewal has failed. */
  #failure: unknown
  #cutOffTimer: Timer | undefined
  #lookedAt = -Infinity
  /** For those that have come since the last look. */
  #nextLook: Promise<void> | undefined
  readonly #registered = new Deferred<void>()

  constructor(of: NodeParts) {
    this.#of = of
    this.names = of.names
    this.redis = of.redis
    this.clock = of.clock
    this.log = of.log
    this.#beat = new Beat(of.clock, async () => this.#renew())
    this.#lease = new Lease(of.lease, of.clock.now())
  }

  /** By its own clock: a process that stood still knows it before Redis can say so. */
  get isConnected(): boolean {
    return !this.#hasLeft && this.#lease.isConnected(this.clock.now())
  }

  isNamed(id: string): boolean {
    return id === this.id || this.#formerly.includes(id)
  }

  add(part: Part): void {
    this.#parts.push(part)
  }

  /**
   * Registers as soon as Redis can be asked, and renews from then on. Resolves when it is registered; after 2 s also if it
   * is not: an app has to start while Redis is away.
   */
  async start(): Promise<void> {
    startForAll(() => {
      this.#watchLease()
      this.#beat.now()
    })
    this.redis.onReconnect(() => {
      startForAll(() => this.#reconnected())
    })
    await orAfter(this.clock, START_TIMEOUT, this.#registered.promise)
  }

  async look(): Promise<void> {
    const now = this.clock.now()
    const wait = this.#lookedAt + LOOK_AGAIN - now
    if (wait > 0) return (this.#nextLook ??= startForAll(async () => this.#lookAfter(wait)))
    this.#lookedAt = now
    const { nodes, info } = this.names
    try {
      this.others = readOthers(await this.redis.run(OTHERS, [nodes, info], this.id))
    } catch {
      // Redis tells nothing: what the last renewal has told stays.
    }
  }

  async #lookAfter(wait: number): Promise<void> {
    await new Promise<void>((resolve) => void this.clock.setTimeout(resolve, wait).unref())
    this.#nextLook = undefined
    return this.look()
  }

  /**
   * Takes this node out: others see it at once. Resolves after 2 s at the latest. If something is left in Redis then,
   * the node is not taken out: others find it dead.
   */
  async leave(): Promise<void> {
    if (this.#hasLeft) return
    this.#hasLeft = true
    this.#beat.stop()
    this.#unwatchLease()
    try {
      await within(this.clock, LEAVE_TIMEOUT, this.#takeOut(), () =>
        clusterUnavailable(`the node has not left within ${LEAVE_TIMEOUT} ms`),
      )
    } catch (error) {
      logSafely(this.log, LOG_LINES.clusterLeftBehind, { node: this.id, err: toError(error) })
    }
  }

  async #takeOut(): Promise<void> {
    await Promise.all(this.#parts.map(async (part) => part.leave()))
    const { nodes, dead, info } = this.names
    await this.redis.run(DONE, [nodes, dead, info], this.id, '')
  }

  #reconnected(): void {
    this.#lease.reconnected()
    this.#hasToWrite = true
    this.#beat.now()
  }

  /** @returns after how many ms the next renewal is due */
  async #renew(): Promise<number> {
    this.#lease.tries(this.clock.now())
    try {
      this.#lookAtClock()
      await this.#register(this.#nextId)
      this.#failure = undefined
      return Math.max(0, this.#lease.dueAt - this.clock.now())
    } catch (error) {
      this.#failure = error
      this.#lease.failed()
      this.#hasToWrite = true
      return Math.min(RETRY, this.#lease.beat)
    }
  }

  /** @param nextId `undefined` to renew only */
  async #register(nextId: string | undefined): Promise<void> {
    const { nodes, dead, info, fence } = this.names
    const { lease, address } = this.#of
    if (nextId !== undefined) await this.#of.enter(nextId)
    const sentAt = this.clock.now()
    const reply = await this.redis.run(
      RENEW,
      [nodes, dead, info, fence],
      nextId ?? this.id,
      lease,
      writeInfo({ address, formerly: this.#formerly }),
      nextId === undefined ? '' : '1',
    )
    if (this.#hasLeft) return
    this.#lookAtClock()
    const renewed = readRenewal(reply)
    if (renewed === undefined) return this.#becomeAnother()
    if (nextId !== undefined) {
      this.id = nextId
      this.fence = renewed.fence
      this.#nextId = undefined
      this.#registered.resolve()
    }
    this.#hold(renewed, sentAt)
  }

  #hold({ leaseEnd, redisNow, others, dead }: Renewed, sentAt: number): void {
    const answeredAt = this.clock.now()
    const isKnown = this.#lease.renewed({ sentAt, answeredAt, redisNow, leaseEnd })
    this.others = others
    if (this.#isCutOff && this.isConnected) this.#comeBack()
    if (!isKnown || this.#hasToWrite) {
      this.#hasToWrite = false
      for (const part of this.#parts) part.writeAgain()
    }
    if (dead.length > 0 && this.#lease.mayClaim) this.#of.dead(dead, redisNow)
  }

  /** A survivor has this node: it goes on under another name, and with another lease. */
  #becomeAnother(): void {
    logSafely(this.log, LOG_LINES.clusterFenced, { node: this.id })
    for (const part of this.#parts) part.fenced()
    this.#formerly = [...new Set([this.id, ...this.#formerly])].slice(0, MOST_FORMERLY)
    this.#nextId = newId()
    this.#lease = new Lease(this.#of.lease, this.clock.now())
    this.#beat.now()
  }

  #watchLease(): void {
    this.#unwatchLease()
    const delay = Math.max(0, this.#lease.cutOffAt - this.clock.now())
    this.#cutOffTimer = this.clock.setTimeout(() => {
      this.#lookAtClock()
      if (!this.#isCutOff) this.#watchLease()
    }, delay)
    this.#cutOffTimer.unref()
  }

  #unwatchLease(): void {
    if (this.#cutOffTimer !== undefined) this.clock.clearTimeout(this.#cutOffTimer)
  }

  /** After it stood still, a process learns here first that its lease is over. */
  #lookAtClock(): void {
    if (this.#isCutOff || this.clock.now() < this.#lease.cutOffAt) return
    this.#isCutOff = true
    const err = this.#failure === undefined ? undefined : toError(this.#failure)
    logSafely(this.log, LOG_LINES.clusterCutOff, { node: this.id, err })
    for (const part of this.#parts) part.cutOff()
  }

  #comeBack(): void {
    this.#isCutOff = false
    // Others may have taken away what was this node's: places that it could not give up while its lease was over.
    this.#hasToWrite = true
    logSafely(this.log, LOG_LINES.clusterBack, { node: this.id })
    this.#watchLease()
  }
}

/** Nobody may have it again: what a dead node has left is found by it. */
function newId(): string {
  return randomBytes(9).toString('base64url')
}
