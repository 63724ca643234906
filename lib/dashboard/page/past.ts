import type { Counts, Hello, Second, Update } from '../protocol.js'
import type { Part } from './part.js'

/** How long the charts reach back, in ms. */
export const REACH = 5 * 60_000

/** Seconds that are further apart, in ms, have something between them of which nothing is known. */
const GAP = 2_500

/** A second is heard of a little after its end, in ms. */
const LATE = 1_500

/** The seconds of the last five minutes, also of a server before this one. */
export class Past implements Part {
  #seconds: Second[] = []
  #version = 0

  get seconds(): readonly Second[] {
    return this.#seconds
  }

  /** Rises with each change. */
  get version(): number {
    return this.#version
  }

  get last(): Second | undefined {
    return this.#seconds.at(-1)
  }

  /**
   * Where the charts end, in whole seconds: while nothing is heard time goes on, and the gap is seen.
   * @param now of the server
   */
  until(now: number): number {
    const late = Math.floor((now - LATE) / 1_000) * 1_000
    return Math.max(this.last?.at ?? 0, late)
  }

  reset({ seconds }: Hello): void {
    const [first] = seconds
    const known =
      first === undefined ? this.#seconds : this.#seconds.filter(({ at }) => at < first.at)
    this.#keep([...known, ...seconds])
  }

  take({ second }: Update): void {
    if (second !== undefined) this.#keep([...this.#seconds, second])
  }

  draw(): void {}

  /** The seconds, with `undefined` in the middle of each gap. */
  points(): Array<readonly [at: number, second: Second | undefined]> {
    return this.#seconds.flatMap((second, i): Array<[number, Second | undefined]> => {
      const before = this.#seconds[i - 1]
      const isNext = before === undefined || second.at - before.at < GAP
      if (isNext) return [[second.at, second]]
      return [
        [(before.at + second.at) / 2, undefined],
        [second.at, second],
      ]
    })
  }

  sum(of: (second: Second) => number): number {
    return this.#seconds.reduce((sum, second) => sum + of(second), 0)
  }

  most(of: (second: Second) => number): number {
    return this.#seconds.reduce((most, second) => Math.max(most, of(second)), 0)
  }

  /** By name. */
  counts(of: (second: Second) => Counts): Map<string, number> {
    const counts = new Map<string, number>()
    for (const second of this.#seconds) {
      add(counts, of(second))
    }
    return counts
  }

  #keep(seconds: readonly Second[]): void {
    const from = (seconds.at(-1)?.at ?? 0) - REACH
    this.#seconds = seconds.filter(({ at }) => at > from)
    this.#version++
  }
}

export function total(counts: Counts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}

export function add(sums: Map<string, number>, counts: Counts): void {
  for (const [name, count] of Object.entries(counts)) sums.set(name, (sums.get(name) ?? 0) + count)
}
