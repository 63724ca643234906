import type { Hello, Row, Update } from '../protocol.js'
import { Entry } from './entry.js'
import type { Part } from './part.js'

/** The rows that the server has told, by id. */
export class Entries implements Part {
  readonly #entries = new Map<string, Entry>()
  #coming = 0
  #hidden = 0
  #told = 0

  get size(): number {
    return this.#entries.size
  }

  /** How many rows are on their way. */
  get coming(): number {
    return this.#coming
  }

  /** How many connections are there and not in the table. */
  get hidden(): number {
    return this.#hidden
  }

  find(id: string): Entry | undefined {
    return this.#entries.get(id)
  }

  all(): Iterable<Entry> {
    return this.#entries.values()
  }

  reset(_hello: Hello): void {
    for (const entry of this.#entries.values()) entry.isGone = true
    this.#entries.clear()
    this.#coming = this.#hidden = 0
  }

  take({ rows = [], changed = [], gone = [], coming, hidden }: Update): void {
    for (const row of rows) this.#put(row)
    for (const [id, now] of changed) this.#entries.get(id)?.become(now)
    for (const id of gone) {
      const entry = this.#entries.get(id)
      if (entry !== undefined) entry.isGone = true
      this.#entries.delete(id)
    }
    this.#coming = coming ?? this.#coming
    this.#hidden = hidden ?? this.#hidden
  }

  draw(): void {}

  #put(row: Row): void {
    const known = this.#entries.get(row[0])
    if (known === undefined) this.#entries.set(row[0], new Entry(row, this.#told++))
    else known.become(row[5])
  }
}
