// What is to become of those who want in: the rules of admission, without sockets, hooks or time.
import type { RefusalReason } from '../../../lib/index.js'
import { STEPS, type Step, type Verdict, type Wish } from './guest.js'
import { refused } from '../servers/refused.js'

/** Where somebody stands, and what they were told if it is not too late for them to hear it. */
interface Standing {
  readonly wish: Wish
  readonly dialledAt: number
  at: Step | 'nowhere' | 'open' | 'over'
  told: string | undefined
  /** Whether a place of the server and the route, and one of the key, is held. */
  holds: boolean
  holdsKey: boolean
  wasAsked: boolean
  hasLeft: boolean
  hasOpened: boolean
}

export interface Maxima {
  readonly server: number
  readonly route: number
  readonly key: number
  readonly handshakeTimeout: number
}

/** How each kind of refusal is told, by HTTP and by a close frame. */
const TOLD = {
  origin: ['403', '3003'],
  limit: ['503', '1013'],
  key: ['429', '4429'],
} as const

export class AdmissionModel {
  readonly all: Standing[] = []
  readonly counts: Record<RefusalReason, number> = refused()
  opened = 0
  answered = 0
  left = 0
  readonly #max: Maxima

  constructor(max: Maxima) {
    this.#max = max
  }

  get open(): number {
    return this.all.filter(({ at }) => at === 'open').length
  }

  dial(wish: Wish, now: number): void {
    const standing: Standing = {
      wish,
      dialledAt: now,
      at: 'nowhere',
      told: undefined,
      holds: false,
      holdsKey: false,
      wasAsked: false,
      hasLeft: false,
      hasOpened: false,
    }
    this.all.push(standing)
    if (wish.isPage) this.#ask(standing, 'origin')
    else this.#enter(standing)
  }

  answer(id: number, verdict: Verdict): void {
    const standing = this.all[id] as Standing
    const { at } = standing
    // Too late: whatever it says changes nothing.
    if (at === 'over' || at === 'open' || at === 'nowhere') return
    if (verdict === 'pass') this.#pass(standing, at)
    else if (at === 'origin' && verdict !== 'throw') this.#refuse(standing, 'origin')
    else if (verdict === 'close' && at !== 'expiresAt') this.#end(standing, 'hook', '3000')
    else this.#end(standing, 'answered', verdict === 'throw' ? '500' : '401')
  }

  leave(id: number): void {
    const standing = this.all[id] as Standing
    standing.hasLeft = true
    if (standing.at === 'over') return
    if (standing.at !== 'open') this.left++
    this.#over(standing)
  }

  /** An open connection ends. */
  end(id: number): void {
    this.#over(this.all[id] as Standing)
  }

  advance(now: number): void {
    for (const standing of this.all) {
      const { at, dialledAt } = standing
      if (at === 'over' || at === 'open') continue
      if (now - dialledAt >= this.#max.handshakeTimeout) this.#end(standing, 'handshake', '503')
    }
  }

  #pass(standing: Standing, at: Step): void {
    const next = STEPS[STEPS.indexOf(at) + 1]
    if (at === 'origin') this.#enter(standing)
    else if (next !== undefined) this.#ask(standing, next)
    else this.#open(standing)
  }

  #enter(standing: Standing): void {
    const { path } = standing.wish
    const holders = this.all.filter(({ holds }) => holds)
    const ofRoute = holders.filter(({ wish }) => wish.path === path)
    if (holders.length >= this.#max.server || ofRoute.length >= this.#max.route) {
      this.#refuse(standing, 'limit')
      return
    }
    standing.holds = true
    this.#ask(standing, 'onRequest')
  }

  #open(standing: Standing): void {
    const { key, isUnlucky } = standing.wish
    const holders = this.all.filter(({ wish, holdsKey }) => holdsKey && wish.key === key)
    if (key !== undefined && holders.length >= this.#max.key) {
      this.#refuse(standing, 'key')
      return
    }
    standing.holdsKey = true
    standing.told = 'open'
    standing.hasOpened = true
    this.opened++
    standing.at = 'open'
    if (isUnlucky) this.#over(standing)
  }

  #ask(standing: Standing, step: Step): void {
    standing.at = step
    standing.wasAsked = true
  }

  #refuse(standing: Standing, reason: keyof typeof TOLD): void {
    const [http, frame] = TOLD[reason]
    this.#end(standing, reason, standing.wish.path === '/http' ? http : frame)
  }

  #end(standing: Standing, reason: RefusalReason | 'answered', told: string): void {
    if (reason === 'answered') this.answered++
    else this.counts[reason]++
    standing.told = told
    this.#over(standing)
  }

  #over(standing: Standing): void {
    standing.at = 'over'
    standing.holds = false
    standing.holdsKey = false
  }
}
