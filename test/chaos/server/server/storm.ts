import { setTimeout as wait } from 'node:timers/promises'
import { stallEventLoop } from '../../../../lib/testing/index.js'
import { randomFrom } from '../../../support/models/random.js'
import { LONGEST_STALL } from '../timings.js'

const SHORTEST_STALL = 100
/** How often the loop stands still, in ms: at least, and how much more at most. */
const EVERY = 1_500
const SPREAD = 4_000

/** Whether the server is out of order, and its chance. */
export class Storm {
  readonly random: () => number
  isOn = false
  stalls = 0
  stalled = 0
  #timer: NodeJS.Timeout | undefined

  constructor(seed: number) {
    this.random = randomFrom(seed)
  }

  /** With this chance, while the storm lasts. */
  has(chance: number): boolean {
    return this.isOn && this.random() < chance
  }

  /** Some time, at most so many ms. */
  async pause(most: number): Promise<void> {
    await wait(this.random() * most)
  }

  set(isOn: boolean): void {
    this.isOn = isOn
    clearTimeout(this.#timer)
    if (isOn) this.#plan()
  }

  #plan(): void {
    this.#timer = setTimeout(
      () => {
        const time = SHORTEST_STALL * (LONGEST_STALL / SHORTEST_STALL) ** this.random()
        stallEventLoop(time)
        this.stalls++
        this.stalled += time
        this.#plan()
      },
      EVERY + this.random() * SPREAD,
    )
  }
}
