import type { FastifyBaseLogger } from 'fastify'
import type { DrainReport } from '../api/lifecycle.js'
import type { DrainOptions } from '../api/option-groups.js'
import { MOST_PER_TURN } from '../core/budgets.js'
import { departureDelay, DRAIN_GRACE, goodbyeBudget, spreadWithin } from '../core/drain-plan.js'
import { draining, type LifecycleError, withRetryAfter } from '../errors.js'
import type { Facts } from '../facts/facts.js'
import type { LiveConnection, PendingUpgrade } from '../facts/registry.js'
import { resolveDrainOptions } from '../options/resolve.js'
import type { DrainSettings } from '../options/settings.js'
import { Deferred } from '../platform/deferred.js'
import { nextTurn, queueMicrotask } from '../platform/real-time.js'
import { forEachAlone } from '../platform/throw-later.js'
import type { Clock, Timer } from '../time/clock.js'
import { afterNextPoll } from '../time/sweep.js'

/** So many looks at connections without a goodbye cost as much as one that begins a goodbye. */
const LOOKS_PER_DEPARTURE = 16

/** What `Drain` needs of `Shared`. */
interface DrainShared {
  readonly clock: Clock
  readonly facts: Facts
  /** The steps of all ends. Those that still run at the deadline are left behind. */
  readonly steps: { hurry(): void; rest(): void }
}

/** Ends all connections at shutdown. There is one drain for each server, and it runs once. */
export class Drain {
  readonly #shared: DrainShared
  /** The plugin's options. */
  readonly #settings: DrainSettings
  /** The options of the drain that is under way. */
  #current: DrainSettings
  readonly #closeTimeout: number
  readonly #log: FastifyBaseLogger
  #report: Promise<DrainReport> | undefined
  /**
   * The connections in the order in which they are closed. One that has ended leaves an empty place, so that
   * nothing keeps it in memory.
   */
  #connections: Array<LiveConnection | undefined> = []
  #upgrades: Set<PendingUpgrade> = new Set()
  /** Number of goodbyes that are under way. */
  #goodbyes = 0
  #allSaid: Deferred<void> | undefined
  #terminated = 0
  #endsAt = Infinity
  #deadline: Timer | undefined
  /** The timer until the next close frame, and a function that ends the pause early. */
  #pause: Timer | undefined
  #wake: (() => void) | undefined
  /** For a drain that was shortened: the timer after which all remaining connections are closed. */
  #lastCall: Timer | undefined

  constructor(
    shared: DrainShared,
    settings: DrainSettings,
    closeTimeout: number,
    log: FastifyBaseLogger,
  ) {
    this.#shared = shared
    this.#settings = settings
    this.#current = settings
    this.#closeTimeout = closeTimeout
    this.#log = log
  }

  /** Begins the drain, or returns the report of the one that has begun. */
  async begin(options?: DrainOptions): Promise<DrainReport> {
    const settings = resolveDrainOptions(options, this.#settings, 'the options of drain()')
    return (this.#report ??= this.#run(settings))
  }

  /**
   * The app closes. Begins the drain, or gives one that has begun at most the plugin's `drain.timeout` from
   * now.
   */
  async close(): Promise<DrainReport> {
    const endsAt = this.#shared.clock.now() + this.#settings.timeout
    if (this.#isUnderWay && endsAt < this.#endsAt) this.#shorten(endsAt)
    return this.begin()
  }

  /** The error for upgrades during the drain. */
  get refusal(): LifecycleError {
    return withRetryAfter(draining(), this.#current.retryAfter)
  }

  get #remaining(): number {
    return this.#endsAt - this.#shared.clock.now()
  }

  get #isUnderWay(): boolean {
    return this.#deadline !== undefined
  }

  async #run(settings: DrainSettings): Promise<DrainReport> {
    const { clock, facts } = this.#shared
    const startedAt = clock.now()
    this.#current = settings
    facts.drainBegan()
    this.#endAt(startedAt + settings.timeout)
    const ends = this.#awaitEnds()
    const count = this.#connections.length
    forEachAlone(this.#upgrades, (upgrade) => upgrade.refuseNow('draining', this.refusal))
    void this.#sendAway(count)
    await Promise.all(ends)
    this.#stop()
    const report = Object.freeze({
      closed: count - this.#terminated,
      terminated: this.#terminated,
      abandoned: Object.freeze([...facts.abandoned]),
      duration: clock.now() - startedAt,
    })
    facts.drainEnded(this.#log, report)
    return report
  }

  /**
   * Lists all connections and pending upgrades.
   * @returns what to await
   */
  #awaitEnds(): Array<Promise<void>> {
    const { registry } = this.#shared.facts
    const connections = [...registry.connections]
    this.#connections = [...connections]
    this.#upgrades = new Set(registry.upgrades)
    return [
      ...connections.map((connection, index) => this.#awaitEnd(connection, index)),
      ...[...registry.upgrades].map((upgrade) => this.#awaitRelease(upgrade)),
    ]
  }

  async #awaitEnd(connection: LiveConnection, index: number): Promise<void> {
    const { clean } = await connection.closed
    if (connection.wasForced && !clean) this.#terminated++
    this.#connections[index] = undefined
  }

  async #awaitRelease(upgrade: PendingUpgrade): Promise<void> {
    await upgrade.released
    this.#upgrades.delete(upgrade)
  }

  /** First all goodbyes, because what one connection still does may be for others. Only then close frames. */
  async #sendAway(count: number): Promise<void> {
    let effort = 0
    for (let index = 0; index < count && this.#isUnderWay; index++) {
      effort += this.#sayGoodbye(index) ? 1 : 1 / LOOKS_PER_DEPARTURE
      if (effort < MOST_PER_TURN) continue
      effort = 0
      await nextTurn()
    }
    if (this.#goodbyes > 0) await (this.#allSaid = new Deferred()).promise
    await this.#closeAll(count)
  }

  /** @returns whether there is a goodbye to wait for */
  #sayGoodbye(index: number): boolean {
    const goodbye = this.#connections[index]?.sayGoodbye(this.#remaining)
    if (goodbye === undefined) return false
    this.#goodbyes++
    void goodbye.then(() => {
      this.#goodbyes--
      if (this.#goodbyes === 0) this.#allSaid?.resolve()
    })
    return true
  }

  /** Closes one connection after the other, each at its time in the plan. */
  async #closeAll(count: number): Promise<void> {
    const { clock } = this.#shared
    const startedAt = clock.now()
    const spread = spreadWithin(this.#current.spread, this.#closeTimeout, this.#remaining)
    this.#current = { ...this.#current, spread }
    for (let index = 0; index < count && this.#isUnderWay; index++) {
      const delay = departureDelay(index, count, this.#current.spread, clock.random())
      const wait = startedAt + delay - clock.now()
      if (wait > 0) await this.#wait(wait)
      else if (index % MOST_PER_TURN === MOST_PER_TURN - 1) await nextTurn()
      this.#sendOff(index)
    }
  }

  #sendOff(index: number): void {
    const connection = this.#connections[index]
    const last = connection?.catchUp(this.#remaining)
    // The code that began the drain, a handler perhaps, may still send something.
    if (last === undefined) queueMicrotask(() => this.#close(connection))
    else void last.then(() => this.#close(connection))
  }

  #close(connection: LiveConnection | undefined): void {
    const { code, reason, reconnectWindow } = this.#current
    connection?.shutDown(code, reason, reconnectWindow)
  }

  #wait(delay: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
      this.#pause = this.#shared.clock.setTimeout(resolve, delay)
    })
  }

  /**
   * There is less time than planned: close frames are no longer spread, and goodbyes end in time for the
   * closes.
   */
  #shorten(endsAt: number): void {
    const { clock } = this.#shared
    this.#endAt(endsAt)
    this.#current = { ...this.#current, spread: 0 }
    this.#wake?.()
    const remaining = goodbyeBudget(Infinity, this.#closeTimeout, this.#remaining)
    this.#lastCall = clock.setTimeout(() => {
      forEachAlone(this.#connections, (connection) => this.#close(connection))
    }, remaining)
  }

  /** Starts the timer of the deadline. It is the only timer that keeps the process alive during the drain. */
  #endAt(endsAt: number): void {
    const { clock } = this.#shared
    if (this.#deadline !== undefined) clock.clearTimeout(this.#deadline)
    this.#endsAt = endsAt
    // Bytes that came while our loop stood still are read first.
    const cut = (): void => afterNextPoll(() => this.#cut())
    this.#deadline = clock.setTimeout(cut, endsAt - clock.now())
  }

  /** Time is up: every socket is destroyed, and steps that still run share the grace that is left. */
  #cut(): void {
    if (!this.#isUnderWay) return
    const { clock, steps } = this.#shared
    this.#deadline = clock.setTimeout(() => steps.hurry(), DRAIN_GRACE)
    forEachAlone(this.#connections, (connection) => connection?.destroyNow())
    forEachAlone(this.#upgrades, (upgrade) => upgrade.destroyNow())
  }

  /** All connections and upgrades are over: stops all timers. */
  #stop(): void {
    const { clock, steps } = this.#shared
    steps.rest()
    for (const timer of [this.#deadline, this.#pause, this.#lastCall]) {
      if (timer !== undefined) clock.clearTimeout(timer)
    }
    this.#deadline = undefined
    this.#wake = undefined
    this.#connections = []
  }
}
