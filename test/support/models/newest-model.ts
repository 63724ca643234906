// What is to become of those who want the places of a key, where the newest win: without sockets, hooks or time.

export interface Wish {
  readonly key: 'ann' | 'bob' | undefined
  /** Whether it answers no close frame. */
  readonly isMute: boolean
}

interface Standing {
  readonly order: number
  readonly wish: Wish
  readonly dialledAt: number
  at: 'hook' | 'waiting' | 'open' | 'leaving' | 'over'
  readonly told: string[]
  /** When it is over, if nothing else happens. */
  endsAt: number
}

export interface Bounds {
  readonly max: number
  readonly closeTimeout: number
  readonly handshakeTimeout: number
}

const REPLACED = '4409 replaced'

export class NewestModel {
  readonly all: Standing[] = []
  readonly counts: { key: number; handshake: number; replaced: number } = {
    key: 0,
    handshake: 0,
    replaced: 0,
  }
  readonly #bounds: Bounds
  #now: number

  constructor(bounds: Bounds, now: number) {
    this.#bounds = bounds
    this.#now = now
  }

  /** Connections that are open or ending. */
  get connections(): number {
    return this.all.filter(({ at }) => at === 'open' || at === 'leaving').length
  }

  dial(wish: Wish): void {
    const order = this.all.length
    const endsAt = this.#now + this.#bounds.handshakeTimeout
    this.all.push({ order, wish, dialledAt: this.#now, at: 'hook', told: [], endsAt })
  }

  /** Its hooks are done. */
  pass(order: number): void {
    const standing = this.all[order] as Standing
    if (standing.at !== 'hook') return
    if (standing.wish.key === undefined) {
      this.#open(standing)
      return
    }
    const { key } = standing.wish
    standing.at = 'waiting'
    const staying = this.#of(key, 'waiting', 'open')
    if (staying.length > this.#bounds.max) this.#replace(staying[0] as Standing)
    this.#fill(key)
  }

  /** Its peer goes. */
  leave(order: number): void {
    this.#over(this.all[order] as Standing)
  }

  /** The app closes it. */
  close(order: number): void {
    this.#end(this.all[order] as Standing, '4000')
  }

  advance(to: number): void {
    for (let next = this.#next(to); next !== undefined; next = this.#next(to)) {
      this.#now = next.endsAt
      if (next.at !== 'leaving') {
        next.told.push('503')
        this.counts.handshake++
      }
      this.#over(next)
    }
    this.#now = to
  }

  #next(to: number): Standing | undefined {
    const due = this.all.filter(({ at, endsAt }) => at !== 'over' && endsAt <= to)
    return due.toSorted((a, b) => a.endsAt - b.endsAt)[0]
  }

  #of(key: Wish['key'], ...states: Array<Standing['at']>): Standing[] {
    return this.all.filter(({ wish, at }) => wish.key === key && states.includes(at))
  }

  #fill(key: Wish['key']): void {
    const taken = this.#of(key, 'open', 'leaving').length
    const free = Math.max(0, this.#bounds.max - taken)
    for (const standing of this.#of(key, 'waiting').slice(0, free)) this.#open(standing)
  }

  #open(standing: Standing): void {
    standing.at = 'open'
    standing.endsAt = Infinity
    standing.told.push('open')
  }

  #replace(standing: Standing): void {
    if (standing.at === 'waiting') this.#overtake(standing)
    else {
      this.counts.replaced++
      this.#end(standing, REPLACED)
    }
  }

  /** It never opens. */
  #overtake(standing: Standing): void {
    this.counts.key++
    standing.told.push(REPLACED)
    this.#over(standing)
  }

  #end(standing: Standing, told: string): void {
    standing.told.push(told)
    if (!standing.wish.isMute) {
      this.#over(standing)
      return
    }
    standing.at = 'leaving'
    standing.endsAt = this.#now + this.#bounds.closeTimeout
  }

  #over(standing: Standing): void {
    standing.at = 'over'
    if (standing.wish.key !== undefined) this.#fill(standing.wish.key)
  }
}
