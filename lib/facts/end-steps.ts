import type { Clock } from '../time/clock.js'
import { CHANNELS, type EndStep } from './events.js'
import type { Subject } from './subjects.js'

/** How long the steps of ends take, since the transport is gone. Only for those who listen. */
export class EndSteps {
  readonly #clock: Clock
  readonly #byId = new Map<string, EndStep[]>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The transport of a connection or session is gone. */
  expect(id: string): void {
    if (CHANNELS['connection.released'].hasSubscribers) this.#byId.set(id, [])
  }

  /** A step begins. @returns when; `NaN` if nobody wants to know */
  began(): number {
    return CHANNELS['connection.released'].hasSubscribers ? this.#clock.now() : NaN
  }

  /** @param began what {@link began} has returned */
  ended({ id }: Subject, name: string, began: number, overran: boolean): void {
    if (Number.isNaN(began)) return
    const duration = this.#clock.now() - began
    this.#byId.get(id)?.push({ name, duration, overran })
  }

  /** All steps of a connection or session have run. */
  take(subject: Subject): readonly EndStep[] {
    if (this.#byId.size === 0) return []
    const steps = this.#byId.get(subject.id) ?? []
    this.#byId.delete(subject.id)
    return steps
  }
}
