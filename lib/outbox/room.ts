import { LONGEST_LOOK, MOST_PER_TURN } from '../core/budgets.js'
import { queueMicrotask, setImmediate } from '../platform/real-time.js'
import type { Backlog } from './backlog.js'
import type { OutboxOwner } from './owner.js'

/**
 * Carries out `socket.drained()`: the promises that wait until the outbox is below the mark. Made at the
 * first call.
 */
export class Room {
  readonly #owner: OutboxOwner
  readonly #backlog: Backlog
  readonly #waiters: Array<(hasRoom: boolean) => void> = []
  /** How often a call was answered at once since one was last put off to another turn. */
  #answersAtOnce = 0

  constructor(owner: OutboxOwner, backlog: Backlog) {
    this.#owner = owner
    this.#backlog = backlog
  }

  get isAwaited(): boolean {
    return this.#waiters.length > 0
  }

  /** Resolves with `true` when there is room below the mark, with `false` when the end has begun. */
  drained(): Promise<boolean> {
    if (!this.#isAlive) return falseInNextTurn()
    if (!this.#backlog.isBelowMark()) return this.#waitForRoom()
    if (++this.#answersAtOnce < MOST_PER_TURN) return Promise.resolve(true)
    // If the peer keeps up, or nothing is sent, a loop over `drained()` would block the process.
    this.#answersAtOnce = 0
    return new Promise((resolve) => {
      setImmediate(() => resolve(this.drained()))
    })
  }

  /**
   * There may be room again. The waiters are told one after the other, because the first may send so much
   * that no room is left.
   */
  tell(): void {
    if (!this.isAwaited || !this.#isAlive || !this.#backlog.isBelowMark()) return
    this.#waiters.shift()?.(true)
    queueMicrotask(() => this.tell())
  }

  /** Nothing will be sent any more. */
  end(): void {
    const waiters = this.#waiters.splice(0)
    if (waiters.length === 0) return
    setImmediate(() => {
      for (const tell of waiters) tell(false)
    })
  }

  /** ws still says OPEN for a moment when there is no stream to write to any more. */
  get #isAlive(): boolean {
    return this.#owner.isOpen && !this.#owner.raw.destroyed
  }

  #waitForRoom(): Promise<boolean> {
    const { shared } = this.#owner
    // If a control frame of ours went over the mark, no callback tells when there is room. So a look has to.
    this.#owner.lookBy(shared.clock.now() + LONGEST_LOOK)
    return new Promise((resolve) => {
      this.#waiters.push(resolve)
    })
  }
}

function falseInNextTurn(): Promise<boolean> {
  return new Promise((resolve) => {
    setImmediate(resolve, false)
  })
}
