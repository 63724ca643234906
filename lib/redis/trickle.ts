import { startForAll } from '../platform/context.js'
import type { Clock, Timer } from '../time/clock.js'

/** In ms. */
const STEP = 100

/** Has work done in small steps, so many a second, so that nobody else has to wait for it. */
export class Trickle<Item> {
  readonly #clock: Clock
  readonly #perStep: number
  readonly #work: (item: Item) => void
  readonly #mayWork: () => boolean
  readonly #waiting = new Set<Item>()
  #timer: Timer | undefined

  /**
   * @param perSecond at least 10
   * @param mayWork asked at each step: what waits goes on waiting
   */
  constructor(clock: Clock, perSecond: number, work: (item: Item) => void, mayWork: () => boolean) {
    this.#clock = clock
    this.#perStep = (perSecond * STEP) / 1_000
    this.#work = work
    this.#mayWork = mayWork
  }

  /** Who waits already keeps its turn. */
  add(items: Iterable<Item>): void {
    for (const item of items) this.#waiting.add(item)
    if (this.#timer !== undefined || this.#waiting.size === 0) return
    this.#timer = startForAll(() => this.#clock.setInterval(this.#step, STEP))
    this.#timer.unref()
  }

  delete(item: Item): void {
    this.#waiting.delete(item)
  }

  /** Forgets what waits. */
  stop(): void {
    this.#waiting.clear()
    this.#rest()
  }

  readonly #step = (): void => {
    if (!this.#mayWork()) return
    let done = 0
    for (const item of this.#waiting) {
      if (++done > this.#perStep) return
      this.#waiting.delete(item)
      this.#work(item)
    }
    if (this.#waiting.size === 0) this.#rest()
  }

  #rest(): void {
    if (this.#timer !== undefined) this.#clock.clearInterval(this.#timer)
    this.#timer = undefined
  }
}
