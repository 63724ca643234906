import type { EndRow, Hello, Update } from '../protocol.js'
import { SHORT_ID } from './connections.js'
import { Grid } from './grid.js'
import { $, make, say } from './make.js'
import { colourOf, sortCauses } from './palette.js'
import type { Part } from './part.js'
import { lasting, many, numberOf, plain, timeOf } from './words.js'

/** The last ends. */
export class Ends implements Part {
  readonly #grid: Grid<EndRow>
  readonly #filter = $('cause', HTMLSelectElement)
  /** The newest first. */
  #ends: readonly EndRow[] = []
  #shown: readonly EndRow[] = []
  #most = 0
  #isChanged = true

  constructor(open: (id: string) => void, changed: () => void) {
    this.#grid = new Grid($('ends-grid'), {
      name: 'ends',
      columns: [
        { name: 'at', title: 'Ended at', text: ([at]) => timeOf(at) },
        { name: 'cause', title: 'Cause', text: ([, , , , cause]) => cause },
        { name: 'code', title: 'Code', isNumber: true, text: ([, , , , , code]) => String(code) },
        { name: 'reason', title: 'Reason', text: ([, , , , , , reason]) => plain(reason) },
        { name: 'expected', title: 'Expected', text: (end) => (end[8] ? 'yes' : 'unexpected') },
        { name: 'lasted', title: 'Lasted', isNumber: true, text: (end) => lasting(end[7]) },
        { name: 'route', title: 'Route', text: ([, , route]) => route },
        { name: 'address', title: 'Address', fits: 15, text: ([, , , address]) => plain(address) },
        { name: 'id', title: 'Id', fits: SHORT_ID, text: ([, id]) => id.slice(0, SHORT_ID) },
      ],
      isSortable: false,
      key: ([, id]) => id,
      mark: (row, [, , , , cause, , , , expected]) => {
        colourOf(row, cause)
        row.classList.toggle('unexpected', !expected)
      },
      open: ([, id]) => open(id),
      changed,
    })
    this.#filter.addEventListener('change', () => {
      this.#isChanged = true
      this.#grid.release()
      changed()
    })
  }

  reset({ ends, mostEnds }: Hello): void {
    this.#most = mostEnds
    this.#ends = ends.toReversed()
    this.#isChanged = true
  }

  take({ ends = [] }: Update): void {
    if (ends.length === 0) return
    this.#ends = [...ends.toReversed(), ...this.#ends].slice(0, this.#most)
    this.#isChanged = true
  }

  /** Shows those of one cause. */
  choose(cause: string): void {
    this.#offer([cause])
    this.#filter.value = cause
    this.#isChanged = true
    this.#grid.release()
    $('ends').scrollIntoView()
    this.#filter.focus({ preventScroll: true })
  }

  draw(): void {
    if (!this.#isChanged && !this.#grid.isStale) return
    if (this.#isChanged && !this.#grid.isHeld) {
      this.#isChanged = false
      this.#offer(this.#ends.map(([, , , , cause]) => cause))
      const { value } = this.#filter
      this.#shown = value === '' ? this.#ends : this.#ends.filter((end) => end[4] === value)
      const count = numberOf(this.#shown.length)
      const all = many(this.#ends.length, 'end')
      say($('ends-count'), value === '' ? `the last ${all}` : `${count} of the last ${all}`)
      $('ends-none').hidden = this.#shown.length > 0
    }
    this.#grid.draw(this.#shown)
  }

  /** What was once offered stays: a menu must not change while it is open. */
  #offer(causes: Iterable<string>): void {
    const known = new Set(Array.from(this.#filter.options, ({ value }) => value))
    const added = new Set([...causes].filter((cause) => !known.has(cause)))
    if (added.size === 0) return
    const { value } = this.#filter
    for (const cause of added) {
      const option = make('option', '', cause)
      option.value = cause
      this.#filter.append(option)
    }
    const options = new Map(Array.from(this.#filter.options, (option) => [option.value, option]))
    const sorted = sortCauses([...options.keys()].filter(Boolean))
    this.#filter.append(...sorted.flatMap((cause) => options.get(cause) ?? []))
    this.#filter.value = value
  }
}
