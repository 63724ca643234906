import { $, say } from './make.js'
import type { Part } from './part.js'
import { type Past, total } from './past.js'
import { bytesOf, millis, NOTHING, numberOf } from './words.js'

/** The numbers of the last second, and beneath them those of the last five minutes. */
export class Tiles implements Part {
  readonly #past: Past
  #drawn = -1

  constructor(past: Past) {
    this.#past = past
  }

  reset(): void {}

  take(): void {}

  draw(): void {
    if (this.#drawn === this.#past.version) return
    this.#drawn = this.#past.version
    const past = this.#past
    const { last } = past
    if (last === undefined) return
    const [median, high] = last.latency ?? [null, null]
    tell('open', numberOf(last.open), `${numberOf(past.most(({ open }) => open))} at most`)
    tell('opened', numberOf(last.opened), inAll(past.sum(({ opened }) => opened)))
    tell('ended', numberOf(total(last.ended)), inAll(past.sum(({ ended }) => total(ended))))
    tell('refused', numberOf(total(last.refused)), inAll(past.sum(({ refused }) => total(refused))))
    tell('latency', millis(median), `95 %: ${high === null ? NOTHING : millis(high)}`)
    const stalled = past.most(({ stalled }) => stalled)
    tell('stalled', millis(last.stalled), `${millis(stalled)} at most`)
    tell('inbox', numberOf(last.inbox), `${numberOf(past.most(({ inbox }) => inbox))} at most`)
    tell('outbox', bytesOf(last.outbox), `${bytesOf(past.most(({ outbox }) => outbox))} at most`)
  }
}

function inAll(sum: number): string {
  return `${numberOf(sum)} in 5 min`
}

function tell(name: string, value: string, more: string): void {
  const [number, note] = $(`tile-${name}`).children as unknown as [Element, Element]
  say(number, value)
  say(note, more)
}
