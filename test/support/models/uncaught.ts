import assert from 'node:assert/strict'

const EVENTS = ['uncaughtException', 'unhandledRejection'] as const

/** What reaches the process while a schedule is played, in place of whoever listens for it otherwise. */
export class Uncaught {
  readonly #errors: unknown[] = []
  readonly #listen = (error: unknown): void => void this.#errors.push(error)
  readonly #others = EVENTS.map((event) => [event, process.rawListeners(event)] as const)

  constructor() {
    for (const event of EVENTS) {
      process.removeAllListeners(event)
      process.on(event, this.#listen)
    }
  }

  expectNone(): void {
    assert.deepEqual(this.#errors, [], 'uncaught')
  }

  stop(): void {
    for (const [event, listeners] of this.#others) {
      process.off(event, this.#listen)
      for (const listener of listeners) process.on(event, listener as () => void)
    }
  }
}
