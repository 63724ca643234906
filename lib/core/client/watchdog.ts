/** How often to look, in ms. */
export const TICK = 5_000

/** A look that comes so much too late says that we slept, or were frozen. In ms. */
const LATE = 5_000

/** How long the server has to answer after we slept, in ms. The line may have died meanwhile, so this is short. */
const WAKE_TIMEOUT = 2_000

/** So many late looks in a row may pass without a verdict. */
const MOST_EXCUSED = 2

/** After so long a silence it is asked, and then it has so long to answer. In ms. */
export interface Times {
  readonly interval: number
  readonly timeout: number
}

/** What to do after a look. */
export type Verdict = 'probe' | 'dead' | undefined

/**
 * Whether the server is still there. Anything that it sends is a sign of life. After a silence it is asked
 * for one (a probe), and then it has a time to answer.
 *
 * A look that comes too late never judges: timers may run before the messages that waited with them. It asks
 * again. Only where look after look is late, as in a tab that is hidden for long, the third one judges.
 */
export class Watchdog {
  readonly #times: Times
  #lookedAt: number
  #heardAt = 0
  /** By then something must have come. */
  #deadline = Infinity
  /** Late looks since something came. */
  #excused = 0

  constructor(times: Times, now: number) {
    this.#times = times
    this.#lookedAt = now
    this.heard(now)
  }

  /** Something has come. */
  heard(now: number): void {
    this.#heardAt = now
    this.#deadline = Infinity
    this.#excused = 0
  }

  /** Called every {@link TICK} ms, as far as timers are in time. */
  look(now: number): Verdict {
    const since = now - this.#lookedAt
    this.#lookedAt = now
    // Less than 0: somebody has set the clock, so nothing is known.
    const isLate = since < 0 || since >= TICK + LATE
    if (isLate && this.#excused++ < MOST_EXCUSED) return this.#probe(now + WAKE_TIMEOUT)
    if (isLate || now >= this.#deadline) return 'dead'
    const isSilent = this.#deadline === Infinity && now - this.#heardAt >= this.#times.interval
    return isSilent ? this.#probe(now + this.#times.timeout) : undefined
  }

  /** The network is back, or the page is visible again. */
  woke(now: number): Verdict {
    // An answer is due that soon anyway. A new deadline each time would be one that never comes.
    return this.#deadline > now + WAKE_TIMEOUT ? this.#probe(now + WAKE_TIMEOUT) : undefined
  }

  #probe(deadline: number): Verdict {
    this.#deadline = deadline
    return 'probe'
  }
}
