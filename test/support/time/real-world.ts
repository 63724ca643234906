import type { World } from '../../../lib/client/world.js'

/** The world of a client as it is, but that it comes back without a wait. It knows which of its timers are left. */
export class RealWorld implements World {
  readonly Date = Date
  readonly Math = { random: () => 0 }
  readonly #timers = new Set<NodeJS.Timeout>()

  /** Number of timers that wait. */
  get pending(): number {
    return this.#timers.size
  }

  setTimeout(callback: () => void, delay: number): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      callback()
    }, delay)
    this.#timers.add(timer)
    return timer
  }

  setInterval(callback: () => void, delay: number): NodeJS.Timeout {
    const timer = setInterval(callback, delay)
    this.#timers.add(timer)
    return timer
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as NodeJS.Timeout)
    clearTimeout(timer as NodeJS.Timeout)
  }
}
