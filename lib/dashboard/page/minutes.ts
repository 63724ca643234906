import type { Second } from '../protocol.js'
import { $, fillTable } from './make.js'
import type { Part } from './part.js'
import { type Past, total } from './past.js'
import { bytesOf, millis, numberOf, timeOf } from './words.js'

/** What one row is about, in ms. */
const STEP = 30_000

/** The charts as a table, for those who do not see them. */
export class Minutes implements Part {
  readonly #past: Past
  readonly #details = $('minutes', HTMLDetailsElement)
  #drawn = -1

  constructor(past: Past, changed: () => void) {
    this.#past = past
    this.#details.addEventListener('toggle', changed)
  }

  reset(): void {}

  take(): void {}

  draw(): void {
    if (!this.#details.open || this.#drawn === this.#past.version) return
    this.#drawn = this.#past.version
    const steps = new Map<number, Second[]>()
    for (const second of this.#past.seconds) {
      const step = Math.floor(second.at / STEP) * STEP
      steps.set(step, [...(steps.get(step) ?? []), second])
    }
    fillTable($('minutes-rows'), [...steps].toReversed().map(rowOf))
  }
}

function rowOf([from, seconds]: [number, Second[]]): string[] {
  const sum = (of: (second: Second) => number): string =>
    numberOf(seconds.reduce((all, second) => all + of(second), 0))
  const most = (of: (second: Second) => number): number => Math.max(...seconds.map(of))
  const answered = seconds.flatMap(({ latency }) => (latency === null ? [] : [latency]))
  const slowest = (which: 0 | 1): string =>
    millis(answered.length === 0 ? null : Math.max(...answered.map((latency) => latency[which])))
  return [
    timeOf(from),
    numberOf(seconds.at(-1)?.open ?? 0),
    sum(({ opened }) => opened),
    sum(({ ended }) => total(ended)),
    sum(({ refused }) => total(refused)),
    slowest(0),
    slowest(1),
    millis(most(({ stalled }) => stalled)),
    numberOf(most(({ inbox }) => inbox)),
    bytesOf(most(({ outbox }) => outbox)),
  ]
}
