import { startForAll } from '../platform/context.js'
import { Deferred } from '../platform/deferred.js'
import type { Clock, Timer } from '../time/clock.js'
import type { Claims } from './claims.js'
import { orAfter } from './within.js'

/** How long we wait before we ask Redis once more, in ms. */
const AGAIN = 1_000

/** A dead node that this one may clean: until Redis says no, or could not be asked in time. */
export class Claim {
  readonly node: string
  readonly fence: number
  readonly #clock: Clock
  readonly #claims: Claims
  readonly #lease: number
  readonly #extending: Timer
  readonly #over = new Deferred<void>()
  /** By our own clock. By Redis's it is later, because Redis was asked later than we began to ask. */
  #heldUntil: number

  /**
   * @param lease in ms
   * @param askedAt when Redis was asked for it, by our own clock
   */
  constructor(
    clock: Clock,
    claims: Claims,
    lease: number,
    { node, fence, askedAt }: { node: string; fence: number; askedAt: number },
  ) {
    this.#clock = clock
    this.#claims = claims
    this.#lease = lease
    this.node = node
    this.fence = fence
    this.#heldUntil = askedAt + lease
    const extend = (): void => void this.#extend()
    this.#extending = startForAll(() => clock.setInterval(extend, lease / 3))
    this.#extending.unref()
  }

  get isHeld(): boolean {
    return this.#clock.now() < this.#heldUntil
  }

  /** Resolves when it is not held any more. */
  get over(): Promise<void> {
    return this.#over.promise
  }

  /**
   * The node is cleaned: nobody has to claim it any more.
   * @returns whether Redis knows
   */
  async done(): Promise<boolean> {
    const isDone = await this.whileHeld(() => this.#claims.done(this.node, this.fence))
    this.end()
    return isDone === true
  }

  /** Anybody may claim it now; if Redis cannot be asked, when the lease is over. */
  async giveBack(): Promise<void> {
    const { isHeld } = this
    this.end()
    if (isHeld) await this.#claims.giveBack(this.node, this.fence).catch(() => {})
  }

  end(): void {
    this.#heldUntil = -Infinity
    this.#clock.clearInterval(this.#extending)
    this.#over.resolve()
  }

  /**
   * Asks Redis until it answers or the claim is over, at least once.
   * @returns `undefined` if it has not answered
   */
  async whileHeld<Answer>(ask: () => Promise<Answer>): Promise<Answer | undefined> {
    do {
      try {
        return await ask()
      } catch {
        // It cannot be asked now.
        await orAfter(this.#clock, AGAIN, this.over)
      }
    } while (this.isHeld)
    return undefined
  }

  async #extend(): Promise<void> {
    if (!this.isHeld) return this.end()
    const askedAt = this.#clock.now()
    // If Redis cannot be asked, the next time is early enough.
    const isOurs = await this.#claims.extend(this.node, this.fence).catch(() => undefined)
    if (isOurs === false) this.end()
    else if (isOurs && this.isHeld) this.#heldUntil = askedAt + this.#lease
  }
}
