import type { Hello, Report, Update } from '../protocol.js'
import { $, make, say, sayWithCode } from './make.js'
import type { Part } from './part.js'
import { many, plain, timeOf } from './words.js'

/** Most reports that are shown. */
const MOST = 20

/** What stands before each kind. */
const KINDS: Readonly<Record<Report['kind'], string>> = {
  storm: 'Storm',
  stall: 'Stall',
  'mute-peers': 'No answers',
  'idle-timeout': 'Timeout',
}

/** The reports of the diagnosis: what goes on, and folded up what is over; the newest first. */
export class Reports implements Part {
  readonly #reports = new Map<number, Report>()
  readonly #items = new Map<number, HTMLElement>()
  #isChanged = true

  reset({ reports }: Hello): void {
    this.#reports.clear()
    this.#keep(reports)
    this.#isChanged = true
  }

  take({ reports = [] }: Update): void {
    for (const { id, text } of reports) {
      if (!this.#reports.has(id)) say($('announced'), plain(text))
    }
    this.#keep(reports)
  }

  draw(): void {
    if (!this.#isChanged) return
    this.#isChanged = false
    for (const [id, item] of this.#items) {
      if (this.#reports.has(id)) continue
      item.remove()
      this.#items.delete(id)
    }
    for (const report of this.#reports.values()) this.#drawOne(report)
    const over = $('reports-over').childElementCount
    say($('reports-count'), many(over, 'earlier report'))
    $('reports-more').hidden = over === 0
    $('reports-none').hidden = $('reports-now').childElementCount > 0
  }

  #keep(reports: readonly Report[]): void {
    for (const report of reports) {
      this.#reports.set(report.id, report)
      this.#isChanged = true
    }
    const ids = [...this.#reports.keys()].toSorted((a, b) => a - b)
    for (const id of ids.slice(0, -MOST)) this.#reports.delete(id)
  }

  #drawOne({ id, at, kind, isOver, text, advice }: Report): void {
    const item = this.#items.get(id) ?? makeItem()
    const [badge, when, what, words] = item.children as unknown as HTMLElement[]
    say(badge as HTMLElement, KINDS[kind])
    say(when as HTMLElement, timeOf(at))
    sayWithCode(what as HTMLElement, plain(text))
    sayWithCode(words as HTMLElement, plain(advice))
    item.dataset['kind'] = kind
    const list = $(isOver ? 'reports-over' : 'reports-now')
    if (item.parentElement === list) return
    this.#items.set(id, item)
    list.prepend(item)
  }
}

function makeItem(): HTMLElement {
  return make('li', '', make('b'), make('time'), make('span'), make('p'))
}
