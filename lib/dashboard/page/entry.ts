import type { Row, RowNow } from '../protocol.js'

/** One row of the table of connections. */
export class Entry {
  readonly id: string
  readonly route: string
  readonly address: string
  readonly agent: string
  readonly openedAt: number
  /** In the order in which the page heard of them. */
  readonly place: number
  now: RowNow
  /** It has ended; it is shown until the table is put in order again. */
  isGone = false
  #text: string | undefined

  constructor([id, route, address, agent, openedAt, now]: Row, place: number) {
    this.id = id
    this.route = route
    this.address = address
    this.agent = agent
    this.openedAt = openedAt
    this.now = now
    this.place = place
  }

  get state(): string {
    return this.isGone ? 'ended' : this.now[0]
  }

  get heardAt(): number | null {
    return this.now[1]
  }

  get latency(): number | null {
    return this.now[2]
  }

  get inbox(): number {
    return this.now[3]
  }

  get outbox(): number {
    return this.now[4]
  }

  get resumes(): number {
    return this.now[5]
  }

  get groups(): string {
    return this.now[6]
  }

  /** What a search looks at. */
  get text(): string {
    this.#text ??= [this.id, this.route, this.address, this.agent, this.groups]
      .join('\n')
      .toLowerCase()
    return this.#text
  }

  become(now: RowNow): void {
    if (now[6] !== this.groups) this.#text = undefined
    this.now = now
  }
}
