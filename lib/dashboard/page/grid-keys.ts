/** What keys need of the table. */
export interface KeysOwner {
  size(): number
  /** How many rows a page has. */
  page(): number
  /** The first row that is seen. */
  top(): number
  /** -1: it is not there. */
  indexOf(key: string): number
  keyOf(index: number): string
  open(index: number): void
  show(index: number): void
}

/**
 * The row that the keyboard is at. The table has the focus, and says which row that is: the element of a row may be that
 * of another one a moment later.
 */
export class GridKeys {
  readonly #table: HTMLElement
  readonly #owner: KeysOwner
  #key: string | undefined
  /** Where it was when it was last there. */
  #index = 0

  constructor(table: HTMLElement, owner: KeysOwner) {
    this.#table = table
    this.#owner = owner
    table.addEventListener('keydown', (event) => {
      if (event.target === table && !event.ctrlKey && !event.altKey && !event.metaKey) {
        this.#press(event)
      }
    })
    table.addEventListener('focus', () => {
      // A click chooses for itself.
      if (table.matches(':focus-visible') && this.#place() < 0) this.#go(owner.top())
    })
  }

  choose(key: string): void {
    this.#key = key
    this.#index = Math.max(0, this.#place())
  }

  /** @returns whether it is the row that was chosen */
  mark(row: HTMLElement, key: string): boolean {
    const isChosen = key === this.#key
    if ((row.ariaSelected === 'true') !== isChosen) row.ariaSelected = String(isChosen)
    return isChosen
  }

  /** @param row that was chosen, if it is among those that are made */
  point(row: HTMLElement | undefined): void {
    const name = 'aria-activedescendant'
    if (row === undefined) this.#table.removeAttribute(name)
    else if (this.#table.getAttribute(name) !== row.id) this.#table.setAttribute(name, row.id)
  }

  #press(event: KeyboardEvent): void {
    const place = this.#place()
    const at = place < 0 ? this.#index : place
    const last = this.#owner.size() - 1
    if (event.key === 'Enter' && place >= 0) {
      // What it opens takes the focus, and would be what is pressed.
      event.preventDefault()
      this.#owner.open(place)
    }
    const next = {
      ArrowDown: place < 0 ? at : at + 1,
      ArrowUp: at - 1,
      PageDown: at + this.#owner.page(),
      PageUp: at - this.#owner.page(),
      Home: 0,
      End: last,
    }[event.key]
    if (next === undefined) return
    event.preventDefault()
    this.#go(Math.max(0, Math.min(last, next)))
  }

  #go(index: number): void {
    if (index >= this.#owner.size()) return
    this.#key = this.#owner.keyOf(index)
    this.#index = index
    this.#owner.show(index)
  }

  #place(): number {
    return this.#key === undefined ? -1 : this.#owner.indexOf(this.#key)
  }
}
