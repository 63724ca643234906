import { Tally } from '../tally.js'

/** How often the runner looks at its own loop, and what it takes for late, in ms. */
const LOOK_EVERY = 50
const LATE = 700
/** For how long a healthy peer is excused after that: the server pings it again, and waits. */
const EXCUSED_FOR = 8_000
const MOST_FAULTS = 50

/** What peers have done, and have seen. */
export class PeerLog {
  /** What those that misbehave have done, by the name of the act. */
  readonly acts = new Tally()
  /** 101s, and refusals by status. */
  opened = 0
  readonly refused = new Tally()
  /** Close frames of the server, by code. */
  readonly codes = new Tally()
  /** Of healthy peers. */
  healthyOpened = 0
  answers = 0
  /** Healthy peers that were cut off while the runner itself stood still. */
  excused = 0
  readonly sessions: SessionLog[] = []
  readonly faults: string[] = []

  fault(text: string): void {
    if (this.faults.length < MOST_FAULTS) this.faults.push(text)
  }
}

/** What a client of a session has counted. */
export interface SessionLog {
  readonly name: string
  sent: number
  received: number
  resumes: number
  /** Of the last `close`. */
  undelivered: number
  /** The server has sent it away. */
  isDrained: boolean
}

/** Where peers live, and for how long. */
export class World {
  readonly port: number
  readonly log = new PeerLog()
  isOn = true
  /** The server leaves: whoever is connected may be sent away. */
  isDraining = false
  readonly #waiting = new Set<() => void>()
  #lookedAt = performance.now()
  #lateAt = -Infinity
  #latest = 0
  readonly #timer: NodeJS.Timeout

  constructor(port: number) {
    this.port = port
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY)
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** How late its loop was at most, in ms. */
  get latest(): number {
    return Math.round(this.#latest)
  }

  /** Some time, which is over when the world is. */
  async pause(ms: number): Promise<void> {
    if (!this.isOn) return
    await new Promise<void>((resolve) => {
      const over = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(over)
        resolve()
      }
      const timer = setTimeout(over, ms)
      this.#waiting.add(over)
    })
  }

  /** A healthy peer has ended, and knows no reason. */
  cut(who: string, code: number, reason: string): void {
    this.#look()
    if (this.isDraining && code === 1012) return
    if (performance.now() - this.#lateAt < EXCUSED_FOR) this.log.excused++
    else this.log.fault(`${who}, a healthy peer, was cut off: ${code} ${reason}`.trimEnd())
  }

  /** From now on all leave. */
  end(): void {
    this.isOn = false
    for (const over of this.#waiting) over()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const late = performance.now() - this.#lookedAt - LOOK_EVERY
    this.#lookedAt = performance.now()
    if (late > this.#latest) this.#latest = late
    if (late > LATE) this.#lateAt = this.#lookedAt
  }
}
