import type { Hello, Update } from '../protocol.js'
import type { Entries } from './entries.js'
import type { Entry } from './entry.js'
import type { Column } from './grid-head.js'
import { Grid } from './grid.js'
import type { Line } from './line.js'
import { $, say } from './make.js'
import { Order, type SortKey } from './order.js'
import type { Part } from './part.js'
import type { ServerClock } from './server-clock.js'
import { age, bytesOf, many, millis, NOTHING, numberOf, plain } from './words.js'

/** Most rows that the server looks at for a page, and how often it is told which, in ms. */
const MOST_SEEN = 100
const SAY_EVERY = 250

/** So much of an id is shown, which is enough to know it again: all of it is searched. */
export const SHORT_ID = 8

/** The table of connections. */
export class Connections implements Part {
  readonly #entries: Entries
  readonly #line: Line
  readonly #order: Order
  readonly #grid: Grid<Entry>
  readonly #search = $('search', HTMLInputElement)
  readonly #changed: () => void
  #mostRows = 0
  #said = ''
  #saidAt = 0
  #isWaiting = false

  constructor(
    entries: Entries,
    line: Line,
    clock: ServerClock,
    open: (id: string) => void,
    changed: () => void,
  ) {
    this.#entries = entries
    this.#line = line
    this.#changed = changed
    const order = new Order(entries)
    this.#order = order
    this.#grid = new Grid($('connections-grid'), {
      name: 'connections',
      columns: columnsOf(clock),
      isSortable: true,
      key: ({ id }) => id,
      mark: (row, { state }) => {
        if (row.dataset['state'] !== state) row.dataset['state'] = state
      },
      open: ({ id }) => open(id),
      changed,
    })
    this.#grid.head.showOrder(order.by, order.isDescending)
    // The greatest number is of interest, and the first word.
    this.#grid.head.onSort(({ name, isNumber = false }) => {
      order.sortBy(name as SortKey, isNumber)
      this.#grid.head.showOrder(order.by, order.isDescending)
      this.#grid.release()
      changed()
    })
    this.#search.addEventListener('input', () => {
      order.search(this.#search.value)
      this.#grid.release()
      changed()
    })
  }

  reset({ mostRows }: Hello): void {
    this.#mostRows = mostRows
    // The server has forgotten what it was told.
    this.#said = ''
    this.#order.renew()
    this.#grid.release()
  }

  take(_update: Update): void {}

  draw(): void {
    const now = performance.now()
    if (!this.#grid.isHeld) this.#order.refresh(now)
    this.#grid.draw(this.#order.rows)
    this.#sayCounts()
    this.#saySeen(now)
  }

  #sayCounts(): void {
    const { size, coming, hidden } = this.#entries
    const shown = this.#order.rows.length
    const isFiltered = this.#search.value.trim() !== ''
    const parts = [isFiltered ? `${numberOf(shown)} of ${many(size, 'row')}` : many(size, 'row')]
    if (coming > 0) parts.push(`${numberOf(coming)} more on their way`)
    if (hidden > 0) {
      parts.push(
        `${numberOf(hidden)} not in the table, which has ${numberOf(this.#mostRows)} at most`,
      )
    }
    if (this.#grid.isHeld) parts.push('held still while you point at them')
    say($('connections-count'), parts.join(' · '))
    say(
      $('connections-none'),
      isFiltered ? 'No row has all of these words.' : 'Nobody is connected.',
    )
    $('connections-none').hidden = shown > 0 || coming > 0
  }

  /** The server looks at these with each update. */
  #saySeen(now: number): void {
    const ids = this.#grid.seen.filter(({ isGone }) => !isGone).map(({ id }) => id)
    const said = ids.join('\n')
    if (said === this.#said || this.#line.state.name !== 'open') return
    const wait = this.#saidAt + SAY_EVERY - now
    if (wait > 0) {
      this.#sayLater(wait)
      return
    }
    this.#said = said
    this.#saidAt = now
    this.#line.say({ type: 'see', ids: ids.slice(0, MOST_SEEN) })
  }

  #sayLater(wait: number): void {
    if (this.#isWaiting) return
    this.#isWaiting = true
    setTimeout(() => {
      this.#isWaiting = false
      this.#changed()
    }, wait)
  }
}

function columnsOf(clock: ServerClock): ReadonlyArray<Column<Entry> & { readonly name: SortKey }> {
  return [
    { name: 'state', title: 'State', text: ({ state }) => state },
    { name: 'id', title: 'Id', fits: SHORT_ID, text: ({ id }) => id.slice(0, SHORT_ID) },
    { name: 'route', title: 'Route', fits: 8, text: ({ route }) => route },
    { name: 'address', title: 'Address', fits: 15, text: ({ address }) => plain(address) },
    { name: 'agent', title: 'Agent', text: ({ agent }) => plain(agent) },
    { name: 'groups', title: 'Groups', text: ({ groups }) => plain(groups) },
    {
      name: 'age',
      title: 'Open for',
      isNumber: true,
      text: ({ openedAt }) => age(clock.now() - openedAt),
    },
    {
      name: 'silence',
      title: 'Heard',
      isNumber: true,
      text: ({ heardAt }) => (heardAt === null ? NOTHING : `${age(clock.now() - heardAt)} ago`),
    },
    { name: 'latency', title: 'Latency', isNumber: true, text: ({ latency }) => millis(latency) },
    { name: 'inbox', title: 'Inbox', isNumber: true, text: ({ inbox }) => numberOf(inbox) },
    { name: 'outbox', title: 'Outbox', isNumber: true, text: ({ outbox }) => bytesOf(outbox) },
    { name: 'resumes', title: 'Resumes', isNumber: true, text: ({ resumes }) => numberOf(resumes) },
  ]
}
