import type { Entries } from './entries.js'
import type { Entry } from './entry.js'

/** How often the table is put in order again at most, in ms. */
const EVERY = 500

type Value = string | number | null

/** By what the rows can be sorted. */
const VALUES = {
  state: ({ state }: Entry): Value => state,
  id: ({ id }: Entry): Value => id,
  route: ({ route }: Entry): Value => route,
  address: ({ address }: Entry): Value => address,
  agent: ({ agent }: Entry): Value => agent,
  groups: ({ groups }: Entry): Value => groups,
  age: ({ openedAt }: Entry): Value => -openedAt,
  silence: ({ heardAt }: Entry): Value => (heardAt === null ? null : -heardAt),
  latency: ({ latency }: Entry): Value => latency,
  inbox: ({ inbox }: Entry): Value => inbox,
  outbox: ({ outbox }: Entry): Value => outbox,
  resumes: ({ resumes }: Entry): Value => resumes,
} as const

export type SortKey = keyof typeof VALUES

/** Which rows the table shows, and in which order. */
export class Order {
  readonly #entries: Entries
  #rows: Entry[] = []
  #terms: readonly string[] = []
  #by: SortKey = 'age'
  #isDescending = false
  #dueAt = 0

  constructor(entries: Entries) {
    this.#entries = entries
  }

  get rows(): readonly Entry[] {
    return this.#rows
  }

  get by(): SortKey {
    return this.#by
  }

  get isDescending(): boolean {
    return this.#isDescending
  }

  /** The same key again turns the order round. */
  sortBy(key: SortKey, isDescending: boolean): void {
    this.#isDescending = key === this.#by ? !this.#isDescending : isDescending
    this.#by = key
    this.renew()
  }

  search(text: string): void {
    this.#terms = text.toLowerCase().split(/\s+/).filter(Boolean)
    this.renew()
  }

  /** Has to be put in order with the next frame. */
  renew(): void {
    this.#dueAt = 0
  }

  /** Puts the rows in order, if it is time to. */
  refresh(now: number): void {
    if (now < this.#dueAt) return
    this.#dueAt = now + EVERY
    // What was in order before is nearly so: that is what sorting is fast with.
    const before = this.#rows.filter((entry) => this.#isIn(entry))
    const isThere = new Set(before)
    for (const entry of this.#entries.all()) {
      if (!isThere.has(entry) && this.#isIn(entry)) before.push(entry)
    }
    this.#rows = before.toSorted(comparison(this.#by, this.#isDescending))
  }

  #isIn(entry: Entry): boolean {
    return !entry.isGone && this.#terms.every((term) => entry.text.includes(term))
  }
}

/** What is not known comes last, and what is equal in the order in which it came. */
function comparison(by: SortKey, isDescending: boolean): (a: Entry, b: Entry) => number {
  const sign = isDescending ? -1 : 1
  const valueOf = VALUES[by]
  return (a, b) => {
    const [one, other] = [valueOf(a), valueOf(b)]
    if (one === other) return a.place - b.place
    if (one === null) return 1
    if (other === null) return -1
    return one < other ? -sign : sign
  }
}
