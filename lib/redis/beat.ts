import type { Clock, Timer } from '../time/clock.js'

/** Does something again and again, once at a time. */
export class Beat {
  readonly #clock: Clock
  readonly #act: () => Promise<number>
  #timer: Timer | undefined
  #isActing = false
  /** Asked for while it acts: it may not see what that was asked for. */
  #isAskedFor = false
  #isStopped = false

  /** @param act returns after how many ms it is due again; may not reject */
  constructor(clock: Clock, act: () => Promise<number>) {
    this.#clock = clock
    this.#act = act
  }

  /** Acts at once; or again, as soon as it has acted. */
  now(): void {
    this.#isAskedFor = true
    this.#wait()
    if (!this.#isActing) void this.#run()
  }

  stop(): void {
    this.#isStopped = true
    this.#wait()
  }

  async #run(): Promise<void> {
    this.#isActing = true
    let delay = 0
    while (this.#isAskedFor && !this.#isStopped) {
      this.#isAskedFor = false
      delay = await this.#act()
    }
    this.#isActing = false
    if (!this.#isStopped) this.#wait(delay)
  }

  /** @param delay `undefined`: no timer */
  #wait(delay?: number): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
    if (delay === undefined) return
    this.#timer = this.#clock.setTimeout(() => this.now(), delay)
    this.#timer.unref()
  }
}
