import { classOf, type Column, GridHead } from './grid-head.js'
import { GridKeys } from './grid-keys.js'
import { make } from './make.js'

/** Rows above and below what is seen, so that a scroll shows no gap before the next frame. */
const MARGIN = 4

/** So many characters fit into each column. What is longer is cut off, which is work for the browser with each frame. */
const FIT = 6

/** Others may be of any width. */
const ASCII = /^[ -~]*$/

/** How long rows stay where they are once somebody has pointed at them, in ms. */
const HOLD = 3_000

/** A scroll does not wait for it. */
const PASSIVE = { passive: true }

export interface GridOptions<Item> {
  /** Its heading has the id `<name>-title`. */
  readonly name: string
  readonly columns: ReadonlyArray<Column<Item>>
  /** Whether a header sorts. */
  readonly isSortable: boolean
  key(item: Item): string
  /** What CSS has to know of a row. */
  mark(row: HTMLElement, item: Item): void
  open(item: Item): void
  /** Something has to be drawn. */
  changed(): void
}

interface DrawnRow {
  readonly element: HTMLElement
  readonly cells: readonly HTMLElement[]
  readonly texts: string[]
}

/** A table of which only the rows are made that are seen. */
export class Grid<Item> {
  readonly head: GridHead<Item>
  readonly #scroller: HTMLElement
  readonly #options: GridOptions<Item>
  readonly #element: HTMLTableElement
  readonly #body: HTMLElement
  readonly #drawn: DrawnRow[] = []
  readonly #keys: GridKeys
  #items: readonly Item[] = []
  #isStale = true
  #heldUntil = 0
  /** The index of the first row that is made. */
  #from = 0
  #rowHeight = 0
  #room = 0
  #top = 0

  /** @param scroller an empty element */
  constructor(scroller: HTMLElement, options: GridOptions<Item>) {
    this.#scroller = scroller
    this.#options = options
    this.head = new GridHead(options.columns, options.isSortable)
    this.#body = make('tbody')
    this.#body.role = 'rowgroup'
    this.#element = make('table', 'grid', this.head.element, this.#body)
    this.#element.role = 'grid'
    this.#element.tabIndex = 0
    this.#element.setAttribute('aria-labelledby', `${options.name}-title`)
    this.#element.ariaColCount = String(options.columns.length)
    scroller.append(this.#element)
    this.#keys = new GridKeys(this.#element, {
      size: () => this.#items.length,
      page: () => Math.max(1, Math.floor(this.#room / this.#rowHeight) - 1),
      top: () => Math.ceil(this.#top / this.#rowHeight),
      indexOf: (key) => this.#items.findIndex((item) => options.key(item) === key),
      keyOf: (index) => options.key(this.#items[index] as Item),
      open: (index) => options.open(this.#items[index] as Item),
      show: (index) => this.#show(index),
    })
    this.#holdFor()
    this.#body.addEventListener('click', ({ target }) => this.#clicked(target as Element))
    scroller.addEventListener('scroll', () => {
      this.#top = scroller.scrollTop
      this.#changed()
    })
    new ResizeObserver(() => {
      // The header stays above the rows.
      this.#room = scroller.clientHeight - this.head.element.offsetHeight
      this.#rowHeight = 0
      this.#changed()
    }).observe(scroller)
  }

  /** Nothing may move away beneath a pointer, or while somebody walks through it by keys. */
  get isHeld(): boolean {
    return performance.now() < this.#heldUntil
  }

  /** Whether it has to be drawn though its rows are the same. */
  get isStale(): boolean {
    return this.#isStale
  }

  /** What can be seen without a scroll. */
  get seen(): readonly Item[] {
    const from = Math.floor(this.#top / this.#rowHeight)
    return this.#items.slice(from, from + Math.ceil(this.#room / this.#rowHeight) + 1)
  }

  /** Somebody wants to see other rows. */
  release(): void {
    this.#heldUntil = 0
  }

  draw(items: readonly Item[]): void {
    this.#items = items
    this.#isStale = false
    if (this.#rowHeight === 0) this.#measure()
    const height = `${items.length * this.#rowHeight}px`
    if (this.#body.style.height !== height) this.#body.style.height = height
    const rows = String(items.length + 1)
    if (this.#element.ariaRowCount !== rows) this.#element.ariaRowCount = rows
    const seen = Math.floor(this.#top / this.#rowHeight)
    const from = Math.max(0, Math.min(seen, items.length) - MARGIN)
    const count = Math.ceil(this.#room / this.#rowHeight) + 2 * MARGIN
    const shown = items.slice(from, from + count)
    this.#turn(from)
    while (this.#drawn.length > shown.length) this.#drawn.pop()?.element.remove()
    while (this.#drawn.length < shown.length) this.#addRow()
    let chosen: HTMLElement | undefined
    shown.forEach((item, i) => {
      const row = this.#drawn[i] as DrawnRow
      this.#drawRow(row, item, from + i)
      if (this.#keys.mark(row.element, this.#options.key(item))) chosen = row.element
    })
    this.#keys.point(chosen)
  }

  /** After a scroll most rows stay as they are: those that have left at one end go to the other one. */
  #turn(from: number): void {
    const drawn = this.#drawn
    const by = from - this.#from
    this.#from = from
    if (by === 0 || Math.abs(by) >= drawn.length) return
    if (by > 0) {
      const left = drawn.splice(0, by)
      drawn.push(...left)
      this.#body.append(...left.map(({ element }) => element))
    } else {
      const left = drawn.splice(by)
      drawn.unshift(...left)
      this.#body.prepend(...left.map(({ element }) => element))
    }
  }

  #drawRow({ element, cells, texts }: DrawnRow, item: Item, index: number): void {
    const options = this.#options
    const place = `${index * this.#rowHeight}px`
    if (element.style.top !== place) {
      element.style.top = place
      element.id = `${options.name}-${index}`
      // The header is the first row.
      element.ariaRowIndex = String(index + 2)
    }
    const name = options.key(item)
    if (element.dataset['key'] !== name) element.dataset['key'] = name
    options.mark(element, item)
    options.columns.forEach((column, i) => {
      const text = column.text(item)
      if (texts[i] === text) return
      texts[i] = text
      const cell = cells[i] as HTMLElement
      cell.textContent = text
      cell.classList.toggle('long', text.length > (column.fits ?? FIT) || !ASCII.test(text))
    })
  }

  #addRow(): void {
    const cells = this.#options.columns.map((column, i) => {
      const cell = make('td', classOf(column))
      cell.role = 'gridcell'
      cell.ariaColIndex = String(i + 1)
      return cell
    })
    const element = make('tr', '', ...cells)
    element.role = 'row'
    this.#body.append(element)
    this.#drawn.push({ element, cells, texts: [] })
  }

  /** The height of a row is that of CSS: it is not the same for each pointer, and each size of text. */
  #measure(): void {
    if (this.#drawn.length === 0) this.#addRow()
    this.#rowHeight = Math.max(1, (this.#drawn[0] as DrawnRow).element.offsetHeight)
  }

  #show(index: number): void {
    const [top, height] = [index * this.#rowHeight, this.#rowHeight]
    if (top < this.#top) this.#scroller.scrollTop = top
    else if (top + height > this.#top + this.#room)
      this.#scroller.scrollTop = top + height - this.#room
    this.#top = this.#scroller.scrollTop
    this.#changed()
  }

  #holdFor(): void {
    const hold = (): void => {
      this.#heldUntil = performance.now() + HOLD
    }
    for (const type of ['pointermove', 'pointerdown', 'wheel', 'touchmove'] as const) {
      this.#body.addEventListener(type, hold, PASSIVE)
    }
    this.#element.addEventListener('keydown', ({ target }) => {
      if (target === this.#element) hold()
    })
  }

  #changed(): void {
    this.#isStale = true
    this.#options.changed()
  }

  #clicked(target: Element): void {
    const key = target.closest('tr')?.dataset['key']
    const item = this.#items.find((each) => this.#options.key(each) === key)
    if (key === undefined || item === undefined) return
    this.#keys.choose(key)
    this.#changed()
    this.#options.open(item)
  }
}
