import { MOST_PER_TURN } from '../core/budgets.js'
import { queueMicrotask, setImmediate } from '../platform/real-time.js'

/** How full an outbox is. */
export interface Level {
  /** Whether messages can still be sent. */
  readonly isAlive: boolean
  isBelowMark(): boolean
  /** Somebody waits for room: {@link Room.tell} has to be called when there may be some. */
  awaited(): void
}

/**
 * Carries out `socket.drained()`: the promises that wait until the outbox is below the mark. Made at the
 * first call.
 */
export class Room {
  readonly #level: Level
  readonly #waiters: Array<(hasRoom: boolean) => void> = []
  /** How often a call was answered at once since one was last put off to another turn. */
  #answersAtOnce = 0

  constructor(level: Level) {
    this.#level = level
  }

  get isAwaited(): boolean {
    return this.#waiters.length > 0
  }

  /** Resolves with `true` when there is room below the mark, with `false` when the end has begun. */
  drained(): Promise<boolean> {
    if (!this.#level.isAlive) return falseInNextTurn()
    if (!this.#level.isBelowMark()) return this.#waitForRoom()
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
    if (!this.isAwaited || !this.#level.isAlive || !this.#level.isBelowMark()) return
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

  #waitForRoom(): Promise<boolean> {
    this.#level.awaited()
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
