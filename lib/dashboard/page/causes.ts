import { CLOSE_CAUSES } from '../../core/close/policy.js'
import { Chart } from './chart.js'
import { $, fit, make, say } from './make.js'
import { OverTime } from './over-time.js'
import { colourOf, onTheme, sortCauses } from './palette.js'
import { add, type Past } from './past.js'
import type { ServerClock } from './server-clock.js'
import { numberOf, timeOf } from './words.js'

/** What one bar is about, in ms. */
const STEP = 5_000

/** Drawn first: the sum of all. What is drawn over it is smaller by one cause. */
const STACKED = CLOSE_CAUSES.toReversed()

interface Bar {
  readonly at: number
  readonly ended: Map<string, number>
}

/** Why connections end: bars of causes upon each other, and their names with a number. */
export class Causes extends OverTime {
  readonly #choose: (cause: string) => void
  readonly #chart: Chart
  #bars: Bar[] = []
  #pointed: number | null = null

  /** @param choose a cause was chosen in the legend */
  constructor(past: Past, clock: ServerClock, choose: (cause: string) => void) {
    super(past, clock)
    this.#choose = choose
    this.#chart = new Chart($('causes'), {
      curves: STACKED.map((cause) => ({ title: cause, colour: `cause-${cause}`, kind: 'bars' })),
      text: numberOf,
      least: 4,
      hasLegend: false,
      pointed: (index) => {
        this.#pointed = index
        this.#sayCauses()
      },
    })
    onTheme(() => this.#chart.redraw())
  }

  protected override drawUntil(to: number): void {
    const bars = new Map<number, Bar>()
    for (const { at, ended } of this.past.seconds) {
      // A second is called by its end.
      const from = Math.floor((at - 1) / STEP) * STEP
      const bar = bars.get(from) ?? { at: from, ended: new Map() }
      bars.set(from, bar)
      add(bar.ended, ended)
    }
    this.#bars = [...bars.values()]
    const stacks = this.#bars.map(stack)
    const columns = STACKED.map((_, i) => stacks.map((tops) => tops[i] ?? null))
    const times = this.#bars.map(({ at }) => at + STEP / 2)
    this.#chart.show(times, columns, to)
    this.#sayCauses()
  }

  /** A number beside each name: of the last five minutes, or of the bar at the pointer. */
  #sayCauses(): void {
    const all = this.past.counts(({ ended }) => ended)
    const bar = this.#bars[this.#pointed ?? -1]
    const when =
      bar === undefined ? 'in five minutes' : `in ${STEP / 1_000} s from ${timeOf(bar.at)}`
    say($('causes-when'), when)
    fit(
      $('causes-legend'),
      sortCauses(all.keys()),
      () => this.#makeItem(),
      (item, cause) => {
        const button = item.firstElementChild as HTMLElement
        colourOf(button, cause)
        say(button.children[1] as Element, cause)
        say(button.children[2] as Element, numberOf((bar?.ended ?? all).get(cause) ?? 0))
      },
    )
    $('causes-none').hidden = all.size > 0
  }

  #makeItem(): HTMLElement {
    const button = make('button', '', make('i'), make('span'), make('b'))
    button.type = 'button'
    button.title = 'Shows these ends in the list below'
    button.addEventListener('click', () => this.#choose(button.dataset['cause'] as string))
    return make('li', '', button)
  }
}

/** Each cause with all that are below it; a cause of which there is none draws nothing. */
function stack({ ended }: Bar): Array<number | null> {
  let sum = [...ended.values()].reduce((all, count) => all + count, 0)
  return STACKED.map((cause) => {
    const count = ended.get(cause) ?? 0
    const top = sum
    sum -= count
    return count === 0 ? null : top
  })
}
