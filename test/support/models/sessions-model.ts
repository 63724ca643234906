// What may and what has to become of the sessions of one server: without sockets, hooks or time.
import assert from 'node:assert/strict'
import type { CloseCause } from '../../../lib/index.js'
import { isRetryable } from '../../../lib/core/close/codes.js'
import { ModelSession } from './model-session.js'

export interface Bounds {
  /** `maxConnections`. */
  readonly places: number
  /** `resume.maxBytes`. */
  readonly maxBytes: number
  readonly window: number
  readonly cleanupTimeout: number
  readonly closeTimeout: number
  readonly drainTimeout: number
  /** How long a client that says nothing may be taken for alive, in ms. */
  readonly longestSilence: number
  /** How much later than promised something may happen: two looks of the sweep, in ms. */
  readonly slack: number
}

/** What is told to who wants in. `either`: resumed, or stale because a newer attempt of its own was faster. */
export type Fate = 'new' | 'resumed' | 'stale' | 'either' | 'refused' | `close ${number}`

/** Somebody wants in, and stands in a hook of the app until it is let pass. */
export interface Dial {
  readonly key: string
  readonly session: ModelSession | undefined
  readonly attempt: number
  readonly received: number
  /** Whether the server knows the session, so that it takes no place. */
  readonly isAsking: boolean
  holdsPlace: boolean
  /** Whether the window of the session does not pass meanwhile. */
  isWaitedFor: boolean
  fate: Fate | undefined
  wasResumed: boolean
}

/** How many bytes a suspended session weighs beside its messages: the design says 8 KiB. */
const WEIGHT = 8 * 1024

export class SessionsModel {
  readonly sessions = new Map<string, ModelSession>()
  readonly counts: Record<'resumed' | 'expired' | 'displaced' | 'stale' | 'full' | 'late', number> =
    { resumed: 0, expired: 0, displaced: 0, stale: 0, full: 0, late: 0 }
  readonly causes: Partial<Record<CloseCause, number>> = {}
  /** When the drain leaves behind what still runs. */
  cutAt = Infinity
  readonly #bounds: Bounds
  readonly #clock: { now(): number }
  /** In the order of their suspension. */
  readonly #away = new Set<ModelSession>()
  readonly #standing = new Set<Dial>()
  /** Number of those that are let in, and of whose sessions nothing was heard yet. */
  #arriving = 0

  constructor(bounds: Bounds, clock: { now(): number }) {
    this.#bounds = bounds
    this.#clock = clock
  }

  get isDraining(): boolean {
    return this.cutAt !== Infinity
  }

  get all(): ModelSession[] {
    return [...this.sessions.values()]
  }

  of(state: ModelSession['state']): ModelSession[] {
    return this.all.filter((session) => session.state === state)
  }

  // What is done to the server.

  dial(key: string, session?: ModelSession, attempt = 0, received = 0): Dial {
    const isKnown = session !== undefined && session.state !== 'over'
    const isAsking = isKnown || this.#codeOf(session) !== undefined
    const dial: Dial = {
      key,
      session,
      attempt,
      received,
      isAsking,
      holdsPlace: false,
      isWaitedFor: false,
      fate: undefined,
      wasResumed: false,
    }
    if (this.isDraining) this.#refuse(dial, 'late')
    else if (!isAsking && !this.#take()) this.#refuse(dial, 'full')
    else this.#stand(dial, isKnown)
    return dial
  }

  /** Its hook is done. */
  pass(dial: Dial): void {
    const { attempt, key, session } = dial
    if (dial.fate !== undefined) return
    this.#leaveHook(dial)
    if (dial.isAsking && session !== undefined && session.key === key) {
      const code = this.#codeOf(session)
      if (session.isOpen) dial.fate = attempt > session.attempt ? 'resumed' : 'stale'
      else if (code !== undefined) dial.fate = `close ${code}`
      if (dial.fate !== undefined && dial.fate !== 'resumed') this.counts.stale++
      if (dial.fate !== undefined) return
    }
    if (dial.isAsking && !this.#take()) {
      this.#refuse(dial, 'full')
      return
    }
    dial.fate = 'new'
    this.#arriving++
  }

  /** It goes before its hook is done. */
  lose(dial: Dial): void {
    this.#leaveHook(dial)
  }

  /** The connection of a session is cut. */
  cut(session: ModelSession, ...causes: CloseCause[]): void {
    session.lostBy(causes, this.#now)
  }

  /** From now on nothing comes or goes. */
  deafen(session: ModelSession): void {
    session.isDeaf = true
    session.lostBy(['heartbeat-timeout'], this.#now + this.#bounds.longestSilence)
  }

  /** Something ends it that needs no more than a close frame and its answer. */
  end(session: ModelSession, cause: CloseCause, code?: number): void {
    if (!session.isOpen) return
    session.mayEnd(cause)
    session.code = code
    session.hasToEnd(this.#now + (session.isDeaf ? this.#closing : 0))
  }

  terminate(session: ModelSession): void {
    if (session.isOpen) session.mayEnd('server-terminate')
    session.hasToEnd(this.#now)
  }

  expireAt(session: ModelSession, when: number): void {
    if (session.isOpen) session.expiresAt = when
  }

  /** A hook has thrown. */
  fail(session: ModelSession): void {
    this.end(session, 'handler-error', 1011)
  }

  /** @returns whether the session takes it */
  serverSends(session: ModelSession, bytes: number): boolean {
    if (!session.isOpen) return false
    session.sizes.push(bytes)
    this.#endSurplus()
    return true
  }

  drain(): void {
    if (this.isDraining) return
    const { drainTimeout, slack } = this.#bounds
    this.cutAt = this.#now + drainTimeout
    for (const session of this.all) {
      session.mayEnd('shutdown')
      session.hasToEnd(this.cutAt + slack)
    }
    for (const dial of this.#standing) {
      this.#leaveHook(dial)
      this.#refuse(dial, 'late')
    }
  }

  // What the server tells.

  opened(id: string, key: string): ModelSession {
    assert.ok(this.#arriving-- > 0, 'a session that nobody has asked for')
    const session = new ModelSession(id, key)
    this.sessions.set(id, session)
    return session
  }

  closing(id: string, cause: CloseCause | undefined): void {
    const session = this.#of(id)
    session.isClosing = true
    if (cause === 'auth-expired') session.code = 3000
  }

  interrupted(id: string, cause: CloseCause): void {
    const session = this.#of(id)
    assert.ok(session.mayBeLostBy(cause), `${session.about} is lost by ${cause}`)
    assert.ok(session.isConfirmed && !this.isDraining, `${session.about} is suspended`)
    session.suspend(cause, this.#now + this.#bounds.window)
    this.#away.add(session)
    this.#endSurplus()
  }

  resumed(id: string, dial: Dial, wasInterrupted: boolean): void {
    const session = this.#of(id)
    const { about, attempt, isOpen, state } = session
    assert.equal(wasInterrupted, state === 'suspended', about)
    const isMeant = dial.session === session && dial.key === session.key
    assert.ok(isMeant && isOpen && dial.attempt > attempt, `${about} is resumed`)
    dial.wasResumed = true
    this.counts.resumed++
    this.#away.delete(session)
    session.resume(dial.attempt, dial.received)
  }

  closed(id: string, cause: CloseCause): void {
    const session = this.#of(id)
    const { about, isConfirmed, isDisplaced, isDeaf, state } = session
    const now = this.#now
    if (state === 'suspended' && cause === session.lost) {
      const hasExpired = session.asking === 0 && now >= session.until
      assert.ok(isDisplaced || hasExpired, `${about} ends before its window`)
      if (!isDisplaced) this.counts.expired++
    } else {
      const mayBeSuspended = isConfirmed && !this.isDraining
      const isLoss = !mayBeSuspended && session.mayBeLostBy(cause)
      const isLate = cause === 'auth-expired' && now >= session.expiresAt
      if (isLate) session.code = 3000
      assert.ok(isLoss || isLate || session.mayEndBy(cause), `${about} ends by ${cause}`)
    }
    this.causes[cause] = (this.causes[cause] ?? 0) + 1
    const { code } = session
    const isUntold = state === 'suspended' || isDeaf
    const isFinal = code !== undefined && cause !== 'shutdown' && !isRetryable(code)
    if (isUntold && isFinal && !this.isDraining) session.graveUntil = now + this.#bounds.window
    this.#away.delete(session)
    session.state = 'over'
  }

  /** What should have happened by now, and has not. */
  get overdue(): string[] {
    const { slack } = this.#bounds
    return this.all.flatMap((session) => {
      const { about, asking, expiresAt, isDeaf, state } = session
      if (state === 'over') return []
      const expiry = expiresAt + slack + (isDeaf ? this.#closing : 0)
      const late: Array<readonly [number, string]> = [
        [session.endsBy, 'has to be over'],
        [expiry, 'has to be over: its credentials'],
      ]
      if (state === 'connected') late.push([session.lossBy, 'has to be lost'])
      const end = Math.max(session.until, session.answeredAt) + slack
      if (state === 'suspended' && asking === 0) late.push([end, 'has to be over: its window'])
      return late.filter(([by]) => this.#now >= by).map(([, what]) => `${about} ${what}`)
    })
  }

  get #now(): number {
    return this.#clock.now()
  }

  /** How long a close frame may go without an answer. */
  get #closing(): number {
    return this.#bounds.closeTimeout + this.#bounds.slack
  }

  #of(id: string): ModelSession {
    const session = this.sessions.get(id)
    assert.ok(session !== undefined && session.state !== 'over', `${id} is over`)
    return session
  }

  #stand(dial: Dial, isKnown: boolean): void {
    dial.holdsPlace = !dial.isAsking
    dial.isWaitedFor = isKnown
    this.#standing.add(dial)
    if (isKnown && dial.session !== undefined) dial.session.asking++
  }

  #leaveHook(dial: Dial): void {
    if (!this.#standing.delete(dial)) return
    dial.holdsPlace = false
    const { isWaitedFor, session } = dial
    if (session === undefined || !isWaitedFor) return
    session.asking--
    session.answeredAt = this.#now
  }

  #refuse(dial: Dial, why: 'full' | 'late'): void {
    dial.fate = 'refused'
    this.counts[why]++
  }

  /** How a session has ended that the client did not hear of. */
  #codeOf(session: ModelSession | undefined): number | undefined {
    if (session === undefined || session.graveUntil > this.#now) return session?.code
    const { code, isClosing, state } = session
    // Its close frame is not answered: the client may not have it.
    const isUntold = isClosing && state !== 'over' && !this.isDraining
    return isUntold && code !== undefined && !isRetryable(code) ? code : undefined
  }

  /** @returns whether there is a place: who is away makes room */
  #take(): boolean {
    if (this.#taken < this.#bounds.places) return true
    const [longest] = this.#away
    if (longest === undefined) return false
    this.#displace(longest)
    return true
  }

  get #taken(): number {
    const held = this.all.filter(({ isDisplaced, state }) => state !== 'over' && !isDisplaced)
    const standing = [...this.#standing].filter(({ holdsPlace }) => holdsPlace)
    return held.length + standing.length + this.#arriving
  }

  #endSurplus(): void {
    const weigh = (): number =>
      [...this.#away].reduce((sum, session) => sum + WEIGHT + session.kept, 0)
    for (const session of this.#away) {
      if (weigh() <= this.#bounds.maxBytes) return
      this.#displace(session)
    }
  }

  #displace(session: ModelSession): void {
    this.#away.delete(session)
    this.counts.displaced++
    session.isDisplaced = true
    session.hasToEnd(this.#now)
  }
}
