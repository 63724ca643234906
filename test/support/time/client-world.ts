import type { WebSocketConstructor } from '../../../lib/client/api.js'
import type { World } from '../../../lib/client/world.js'
import { FakeWebSocket } from '../peers/fake-websocket.js'

interface Timer {
  readonly callback: () => void
  readonly every: number | undefined
  at: number
}

/** The world of a client: time that stands still until a test moves it, and sockets whose other end is the test. */
export class ClientWorld implements World {
  readonly WebSocket: WebSocketConstructor
  readonly sockets: FakeWebSocket[] = []
  random: () => number = () => 0.5
  readonly Date = { now: () => this.#now }
  readonly Math = { random: () => this.random() }
  #now = 1_700_000_000_000
  readonly #timers = new Set<Timer>()
  readonly #wakers = new Set<{ readonly type: string; readonly listener: () => void }>()

  constructor(Socket: new (url: string, protocols: string[]) => FakeWebSocket = FakeWebSocket) {
    const { sockets } = this
    this.WebSocket = class extends Socket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols)
        sockets.push(this)
      }
    }
  }

  setTimeout(callback: () => void, delay: number): Timer {
    return this.#add({ callback, every: undefined, at: this.#now + delay })
  }

  setInterval(callback: () => void, delay: number): Timer {
    return this.#add({ callback, every: delay, at: this.#now + delay })
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as Timer)
  }

  addEventListener(type: string, listener: () => void, { signal }: { signal: AbortSignal }): void {
    const waker = { type, listener }
    this.#wakers.add(waker)
    signal.addEventListener('abort', () => this.#wakers.delete(waker))
  }

  /** What is left of a client: timers that wait, and listeners to the page. */
  get pending(): number {
    return this.#timers.size + this.#wakers.size
  }

  /** How far apart the calls of each interval are, in ms. */
  get periods(): number[] {
    return [...this.#timers].flatMap(({ every }) => every ?? [])
  }

  /** The socket of the last attempt. */
  get socket(): FakeWebSocket {
    const last = this.sockets.at(-1)
    if (last === undefined) throw new Error('Expected an attempt, got none')
    return last
  }

  /** The network is back. */
  wake(): void {
    for (const { type, listener } of this.#wakers) if (type === 'online') listener()
  }

  /** Moves time on, timer by timer, and lets all promises settle before and after each. */
  async advance(delay: number): Promise<void> {
    await settled()
    const until = this.#now + delay
    for (let next = this.#next(); next && next.at <= until; next = this.#next()) {
      this.#now = Math.max(this.#now, next.at)
      this.#fire(next)
      await settled()
    }
    this.#now = until
  }

  /** Somebody sets the clock. Timers do not care. */
  setClock(by: number): void {
    this.#now += by
    for (const timer of this.#timers) timer.at += by
  }

  /** The machine sleeps: time has passed, and no timer has run. */
  sleep(delay: number): void {
    this.#now += delay
    // A late interval runs once, not once for each time that it missed.
    for (const timer of this.#timers) timer.at = Math.max(timer.at, this.#now)
  }

  #add(timer: Timer): Timer {
    this.#timers.add(timer)
    return timer
  }

  #next(): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.#timers) if (first === undefined || timer.at < first.at) first = timer
    return first
  }

  #fire(timer: Timer): void {
    if (timer.every === undefined) this.#timers.delete(timer)
    else timer.at = this.#now + timer.every
    timer.callback()
  }
}

/** Lets all promises settle. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 12; i++) await Promise.resolve()
}
