/** How a session has ended, for a client that did not hear of it. */
export interface Grave {
  readonly key: string | null
  readonly path: string
  readonly code: number
  readonly reason: string
}

/** How many graves there may be at once. */
const MOST_GRAVES = 10_000

/**
 * Remembers for one window how sessions have ended, by their tokens. When there are too many, the oldest is
 * forgotten.
 */
export class Graves {
  readonly #window: number
  readonly #graves = new Map<string, Grave & { readonly until: number }>()

  /** @param window in ms */
  constructor(window: number) {
    this.#window = window
  }

  dig(token: string, grave: Grave, now: number): void {
    this.#fill(now)
    this.#graves.set(token, { ...grave, until: now + this.#window })
    if (this.#graves.size > MOST_GRAVES) this.#forgetOldest()
  }

  find(token: string, now: number): Grave | undefined {
    this.#fill(now)
    return this.#graves.get(token)
  }

  /** Forgets graves whose window is over. They are in the order in which they were dug. */
  #fill(now: number): void {
    for (const { until } of this.#graves.values()) {
      if (until > now) return
      this.#forgetOldest()
    }
  }

  #forgetOldest(): void {
    for (const token of this.#graves.keys()) {
      this.#graves.delete(token)
      return
    }
  }
}
