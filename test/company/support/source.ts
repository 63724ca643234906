/** As a GraphQL subscription gives it, of its field `items`. */
export interface Item {
  readonly items: number
}

type Result = IteratorResult<Item, undefined>

/** Where a subscription of the app's gets what it gives: the items that a test pushes, until somebody returns it. */
export class Source implements AsyncIterableIterator<Item> {
  readonly returned: Promise<void>
  #return: () => void = () => {}
  #isOver = false
  readonly #items: Item[] = []
  #wake: ((result: Result) => void) | undefined

  constructor() {
    this.returned = new Promise((resolve) => {
      this.#return = resolve
    })
  }

  get isOver(): boolean {
    return this.#isOver
  }

  push(items: number): void {
    if (this.#wake === undefined) this.#items.push({ items })
    else this.#answer({ done: false, value: { items } })
  }

  async next(): Promise<Result> {
    const value = this.#items.shift()
    if (value !== undefined) return { done: false, value }
    if (this.#isOver) return { done: true, value: undefined }
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  async return(): Promise<Result> {
    this.#isOver = true
    this.#return()
    this.#answer({ done: true, value: undefined })
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #answer(result: Result): void {
    this.#wake?.(result)
    this.#wake = undefined
  }
}
