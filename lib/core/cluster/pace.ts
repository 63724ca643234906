/** Timers come late: what could have begun in so many ms before is made up for. */
const SLACK = 50

/** Lets things begin evenly, so many a second. */
export class Pace {
  /** How far apart two of them are, in ms. */
  readonly #apart: number
  #freeAt = -Infinity

  /** @param rate how many a second */
  constructor(rate: number) {
    this.#apart = 1_000 / rate
  }

  /** When the next one may begin. */
  get freeAt(): number {
    return this.#freeAt
  }

  /** One has begun. */
  took(now: number): void {
    this.#freeAt = Math.max(this.#freeAt, now - SLACK) + this.#apart
  }
}
