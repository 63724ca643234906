import type { Part } from './part.js'
import type { Past } from './past.js'
import type { ServerClock } from './server-clock.js'

/** A part that draws the last five minutes: when they have changed, or time has gone on. */
export abstract class OverTime implements Part {
  protected readonly past: Past
  readonly #clock: ServerClock
  #drawn = ''

  constructor(past: Past, clock: ServerClock) {
    this.past = past
    this.#clock = clock
  }

  reset(): void {}

  take(): void {}

  draw(): void {
    const to = this.past.until(this.#clock.now())
    const drawn = `${this.past.version} ${to}`
    if (this.#drawn === drawn) return
    this.#drawn = drawn
    this.drawUntil(to)
  }

  /** @param to where the charts end, by the server's clock */
  protected abstract drawUntil(to: number): void
}
