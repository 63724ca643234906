import type { WebSocket } from 'ws'
import type { Callbacks } from '../callbacks/callbacks.js'
import { Budget, type Left, type Steps } from '../callbacks/steps.js'
import { goodbyeBudget } from '../core/drain-plan.js'
import type { Reader } from '../messages/reader.js'
import type { RouteSettings } from '../options/settings.js'
import { isParsing, whenParsed } from '../platform/ws-receiver.js'
import type { Clock } from '../time/clock.js'

/** What `Goodbye` needs of its connection. */
export interface GoodbyeOwner {
  readonly shared: { readonly clock: Clock; readonly steps: Steps }
  readonly socket: WebSocket
  readonly settings: RouteSettings
  readonly callbacks: Callbacks
  readonly usedReader: Reader | undefined
}

/**
 * What a drain waits for before it closes one connection: `onShutdown`, and then the messages that had come
 * by then.
 */
export class Goodbye {
  readonly #owner: GoodbyeOwner
  #budget: Budget | undefined

  constructor(owner: GoodbyeOwner) {
    this.#owner = owner
  }

  /**
   * Calls `onShutdown`, and waits until the messages that have come are handled.
   * @param remaining ms until the drain ends
   * @returns what to await, if there is something
   */
  say(remaining: number): Promise<void> | undefined {
    const { callbacks, settings } = this.#owner
    if (settings.onShutdown.length === 0) return this.catchUp(remaining)
    const budget = this.#begin(remaining)
    return callbacks.sayGoodbye(budget).then(() => this.#catchUp(budget))
  }

  /**
   * Waits until the messages are handled that have come since {@link say}. Parameter and result are the same.
   */
  catchUp(remaining: number): Promise<void> | undefined {
    const { socket, usedReader } = this.#owner
    // A message that is being handled right now may take its time, so it is waited for. But if waiting took
    // too long before, we do not wait again.
    const isBusy = isParsing(socket) || usedReader?.inbox.untilIdle() !== undefined
    if (!isBusy || usedReader?.inbox.isBehind === true) return undefined
    return this.#catchUp(this.#begin(remaining))
  }

  /** Leaves the running step behind: the drain no longer waits for it. */
  end(why: Left): void {
    this.#budget?.end(why)
  }

  #begin(remaining: number): Budget {
    const { settings, shared } = this.#owner
    const { cleanupTimeout, closeTimeout } = settings
    const time = goodbyeBudget(cleanupTimeout, closeTimeout, remaining)
    return (this.#budget = new Budget(shared.clock.now() + time))
  }

  async #catchUp(budget: Budget): Promise<void> {
    const { shared, socket } = this.#owner
    // Messages that take longer have a step of their own at the end.
    await shared.steps.runWithin(() => whenParsed(socket), budget)
    await shared.steps.runWithin(() => this.#owner.usedReader?.inbox.untilCaughtUp(), budget)
  }
}
