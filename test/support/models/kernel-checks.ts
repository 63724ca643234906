// What has to hold of the connections of a server, between two steps of a schedule and at its end.
import assert from 'node:assert/strict'
import { CLOSE_CAUSES } from '../../../lib/core/close/policy.js'
import type { CloseInfo } from '../../../lib/index.js'
import { BOUNDS, CAUSES, EXPECTED_CODES, PLACES_OF_KEY, ROUTE_OPTIONS } from './kernel-bounds.js'
import type { Fullness, Guest } from './kernel-guest.js'
import type { KernelWorld } from './kernel-world.js'

/** How fast the slowest line carries, in bytes per ms: what was written excuses silence. */
const SLOWEST_LINE = 65.536
/** The head of a frame, at most. */
const FRAME = 128
/** In ms. */
const TICK = 1_000

/** The codes of errors, without their beginning. */
const REFUSALS = {
  DRAINING: 'draining',
  TOO_MANY_CONNECTIONS: 'limit',
  TOO_MANY_CONNECTIONS_PER_KEY: 'key',
  HANDSHAKE_TIMEOUT: 'handshake',
} as const

export class KernelChecks {
  readonly #world: KernelWorld
  readonly #groups: ReadonlyMap<string, Set<Guest>>
  readonly #stalls: Array<{ readonly at: number; readonly length: number }> = []
  readonly #places: number
  #drainedAt = Infinity
  #drainEndsAt = Infinity

  /** @param places how many have a place on the route `few` */
  constructor(world: KernelWorld, groups: ReadonlyMap<string, Set<Guest>>, places: number) {
    this.#world = world
    this.#groups = groups
    this.#places = places
  }

  stalled(length: number): void {
    // The clock has moved already.
    this.#stalls.push({ at: this.#world.clock.now(), length })
  }

  /** @param timeout how long it may take from now on */
  drains(timeout: number): void {
    const now = this.#world.clock.now()
    this.#drainedAt = Math.min(this.#drainedAt, now)
    this.#drainEndsAt = Math.min(this.#drainEndsAt, now + timeout)
  }

  get isAsOwed(): boolean {
    return this.#owed().length === 0
  }

  settle(): void {
    const { clock, faults, guests } = this.#world
    for (const guest of guests) guest.note(clock.now())
    assert.deepEqual([...faults, ...this.#owed()], [])
    for (const guest of guests) this.#know(guest)
  }

  /** Nothing is left of anybody. */
  finish(): void {
    const { app, guests } = this.#world
    this.settle()
    const causes = Object.fromEntries(CLOSE_CAUSES.map((cause) => [cause, 0]))
    for (const guest of guests) {
      assert.deepEqual(
        guest.releases.map(({ runs }) => runs),
        guest.releases.map(() => 1),
        `${guest.name}: its releases`,
      )
      if (guest.socket === undefined) {
        assert.equal(guest.ends.includes('onClose'), false, `${guest.name}: onClose`)
      } else if (guest.info !== undefined) causes[guest.info.cause]!++
    }
    assert.deepEqual(app.websocketLifecycle.stats().closed, causes)
  }

  /** Whether there is a place for somebody who dials now. */
  fullnessFor(guest: Guest, isBusy: boolean): Fullness {
    const { guests } = this.#world
    const isFew = guest.route === 'few'
    if (!isFew && guest.route !== 'key') return guest.route === 'newest' ? 'perhaps' : 'free'
    const isRival = ({ dial, route }: Guest): boolean =>
      route === guest.route && (isFew || dial.key === guest.dial.key)
    const rivals = guests.filter((other) => isRival(other) && other.hasPlace)
    // Somebody who is refused by a hook has a place for a while, and who waits in one may take it.
    const isClear = !isBusy && rivals.every(({ socket }) => socket !== undefined)
    if (!isClear) return 'perhaps'
    return rivals.length >= (isFew ? this.#places : PLACES_OF_KEY) ? 'full' : 'free'
  }

  /** What has left OPEN: nothing that happens later changes why. */
  #know(guest: Guest): void {
    const { socket } = guest
    if (socket === undefined || guest.isOpen) return
    guest.leftOpenAt ??= this.#world.clock.now()
    for (const members of this.#groups.values()) members.delete(guest)
  }

  /** What has to be, and is not. */
  #owed(): string[] {
    const { guests } = this.#world
    const owed = guests.flatMap((guest) =>
      this.#owedBy(guest).map((what) => `${guest.name} ${what}`),
    )
    return [
      ...owed,
      ...this.#owedByStats(),
      ...this.#owedByRefusals(),
      ...this.#owedByGroups(),
      ...this.#owedByKeys(),
    ]
  }

  #owedBy(guest: Guest): string[] {
    if (guest.socket === undefined) return this.#owedByAnswer(guest)
    if (guest.isOpen) return this.#owedWhileOpen(guest)
    this.#judge(guest)
    // A long advance must not hide that it was open, or closing, for too long.
    const owed = this.#owedByTime(guest, guest.leftOpenAt)
    if (guest.goneAt === undefined) return [...owed, ...this.#owedWhileClosing(guest)]
    owed.push(...this.#owedByClose(guest, guest.goneAt))
    if (guest.closedAt === undefined) return [...owed, ...this.#owedByEnd(guest)]
    owed.push(...this.#owedByDrain(guest.closedAt, 'was ending after the drain'))
    if (guest.info === undefined) return [...owed, 'has no record']
    return [...owed, ...this.#owedByRecord(guest, guest.info)]
  }

  #owedByAnswer(guest: Guest): string[] {
    const { answer, hasEnded } = guest.peer
    if (guest.hasLeft) return []
    const now = this.#world.clock.now()
    const lateAt =
      guest.dialledAt + BOUNDS.handshakeTimeout + BOUNDS.slack + this.#stalledSince(guest.dialledAt)
    if (answer === undefined) {
      const mayWait = !guest.hasPassed || guest.route === 'newest'
      if (!mayWait || now > lateAt || hasEnded) return ['has no answer']
      return []
    }
    const allowed = this.#answersTo(guest)
    return allowed.includes(answer) ? [] : [`got ${answer}, not ${allowed.join(' or ')}`]
  }

  #answersTo({ dial, fullness, mayBeDrained, peer, route, wasDraining }: Guest): string[] {
    if (wasDraining) return ['503 DRAINING']
    const ofHook = { pass: [], slow: [], throw: ['500'], answer: ['401'], refuse: ['101'] }[
      dial.hook
    ]
    const allowed: string[] = fullness === 'full' && route === 'few' ? [] : ofHook
    const full = route === 'few' ? '503 TOO_MANY_CONNECTIONS' : '429 TOO_MANY_CONNECTIONS_PER_KEY'
    if (fullness !== 'free') allowed.push(full)
    if (dial.hook === 'slow' || route === 'newest') allowed.push('503 HANDSHAKE_TIMEOUT')
    if (mayBeDrained) allowed.push('503 DRAINING')
    // It was replaced before its handler could run, and is told so.
    if (route === 'newest' && peer.closedWith === 4409) allowed.push('101')
    return allowed
  }

  #owedWhileOpen(guest: Guest): string[] {
    const { peer, socket } = guest
    const isPaused = socket?.isPaused === true
    const owed: string[] = []
    if (guest.endsAtOnce) owed.push('is to end')
    if (guest.endsWhenRead && !isPaused) owed.push('is to end, as its peer has')
    if (!guest.isBlocked && !isPaused && guest.heard < this.#saidBy(guest)) {
      owed.push(`has got ${guest.heard} of ${guest.said} messages`)
    }
    if (!peer.isFrozen && peer.isWell) {
      if (!isPaused && peer.pongs < guest.pinged) owed.push('owes a pong')
      if (!this.#hasAll(guest))
        owed.push(`has sent ${peer.messages.length} of ${guest.sent.length}`)
    }
    if (!this.#isInOrder(guest))
      owed.push(`has sent ${peer.messages.join()}, not ${guest.sent.join()}`)
    return [...owed, ...this.#owedByBounds(guest), ...this.#owedByTime(guest)]
  }

  /** What is held for it is bounded. */
  #owedByBounds({ largestSent, route, socket }: Guest): string[] {
    if (socket === undefined) return []
    const { inbox, outbox } = this.#world.app.websocketLifecycle.describe(socket)
    const { maxBytes = Infinity } = ROUTE_OPTIONS[route].outbox ?? {}
    const { maxMessages = Infinity } = ROUTE_OPTIONS[route].inbox ?? {}
    const owed: string[] = []
    if (outbox.bytes > maxBytes + largestSent + FRAME) owed.push(`holds ${outbox.bytes} bytes`)
    if (inbox.messages >= maxMessages && !socket.isPaused) owed.push('reads on, and is full')
    return owed
  }

  #saidBy({ peer, said }: Guest): number {
    return peer.isHalfWay ? said - 1 : said
  }

  #hasAll({ peer, route, sent }: Guest): boolean {
    return route === 'drop' || peer.messages.length >= sent.length
  }

  /** Once and in order; where messages are dropped, without those. */
  #isInOrder({ peer, route, sent }: Guest): boolean {
    if (route !== 'drop') return peer.messages.every((message, index) => message === sent[index])
    let from = 0
    return peer.messages.every((message) => {
      from = sent.indexOf(message, from) + 1
      return from > 0
    })
  }

  /** @param now when it left OPEN, if it has */
  #owedByTime(guest: Guest, now = this.#world.clock.now()): string[] {
    const { peer } = guest
    const owed: string[] = []
    const { idleTimeout, keepalive, maxLifetime, slack } = BOUNDS
    const isSilent = guest.silentAt !== undefined && guest.route !== 'quiet'
    const excuse = guest.bytesSent / SLOWEST_LINE + this.#stalledSince(guest.silentSince) + slack
    const longest = keepalive.interval * 1.1 + keepalive.timeout + excuse
    if (isSilent && now - guest.silentSince > longest) owed.push('is dead for too long')
    // What was read late, after a pause, counts as an answer: from then on the longest interval is the bound.
    const owesSince = peer.owesSince > guest.pausedAt ? peer.owesSince : Infinity
    if (isSilent && now - Math.max(guest.silentSince, owesSince) > keepalive.timeout + excuse)
      owed.push('owes an answer for too long')
    const isPast = (from: number, longest: number): boolean =>
      now > from + longest + slack + this.#stalledSince(from)
    if (isPast(guest.expiresAt, 0)) owed.push('has expired')
    if (guest.route === 'limits' && isPast(guest.openedAt, maxLifetime)) owed.push('is too old')
    const activeAt = Math.max(guest.activeAt, guest.pausedAt, guest.wellAt, peer.finishedAt)
    if (guest.route === 'limits' && isPast(activeAt, idleTimeout * 1.1))
      owed.push('is idle for too long')
    return [...owed, ...this.#owedByDrain(now, 'is open after the drain')]
  }

  #owedWhileClosing(guest: Guest): string[] {
    if (!guest.wasUnwell && !guest.peer.isHalfWay && guest.socket?.isPaused === false)
      return ['is closing']
    return this.#owedByClose(guest, this.#world.clock.now())
  }

  /** @param now when it was gone, if it is */
  #owedByClose({ leftOpenAt = Infinity, wellAt }: Guest, now: number): string[] {
    const from = Math.max(leftOpenAt, wellAt)
    const lateAt = from + BOUNDS.closeTimeout + BOUNDS.slack + this.#stalledSince(from)
    const owed = this.#owedByDrain(now, 'is closing after the drain')
    return now > lateAt ? [...owed, 'is closing for too long'] : owed
  }

  #owedByDrain(now: number, what: string): string[] {
    const lateAt = this.#drainEndsAt + TICK + this.#stalledSince(this.#drainedAt)
    return now > lateAt ? [what] : []
  }

  #owedByEnd(guest: Guest): string[] {
    const { goneAt = Infinity, hangs } = guest
    const now = this.#world.clock.now()
    const longest = hangs * BOUNDS.cleanupTimeout + this.#stalledSince(goneAt)
    if (now > goneAt + longest || hangs === 0) return ['is ending for too long']
    return this.#owedByDrain(now, 'is ending after the drain')
  }

  #owedByRecord(guest: Guest, info: CloseInfo): string[] {
    const owed: string[] = []
    const { cause, code, expected, initiator, sent } = info
    const [wantedInitiator, isExpected] = CAUSES[cause]
    const codes = ROUTE_OPTIONS[guest.route].expectedCloseCodes ?? EXPECTED_CODES
    if (!guest.causes.has(cause)) {
      owed.push(`ended by ${cause}, not ${[...guest.causes].join(' or ')}`)
    }
    if (initiator !== wantedInitiator) owed.push(`has ${initiator} for ${cause}`)
    if (expected !== (isExpected === 'by code' ? codes.includes(code) : isExpected)) {
      owed.push(`has expected: ${expected} for ${cause} with ${code}`)
    }
    const isOurs = cause === 'server-close' || cause === 'handler-error' || cause === 'shutdown'
    if (isOurs && sent !== undefined && !guest.codes.has(sent.code)) owed.push(`sent ${sent.code}`)
    if (guest.callbacksCalled !== guest.callbacks) {
      owed.push(`called back ${guest.callbacksCalled} of ${guest.callbacks} sends`)
    }
    if (!guest.peer.isFrozen && !guest.peer.hasEnded)
      owed.push('is over, and its peer does not know')
    const isClean = cause === 'server-close' || cause === 'client-close'
    if (
      isClean &&
      !guest.wasUnwell &&
      !guest.wasTerminated &&
      !guest.isGarbled &&
      guest.causes.size === 1 &&
      !info.clean
    ) {
      owed.push(`is not clean after ${cause}`)
    }
    if (cause === 'handler-error' && guest.errors === 0) owed.push('has told of no error')
    // The close frame is behind all that was sent before.
    const isTold = guest.peer.closedWith !== undefined && cause !== 'slow-consumer'
    if (isTold && !this.#hasAll(guest)) owed.push('closed before it had sent all')
    return [...owed, ...this.#owedByOrder(guest, info)]
  }

  /** Hooks, then the releases, the last one first. */
  #owedByOrder({ ends, releases }: Guest, { expected }: CloseInfo): string[] {
    const hooks = [...(expected ? [] : ['onUnexpectedClose']), 'onClose', 'onClose of the plugin']
    const owed: string[] = []
    if (
      ends.slice(0, hooks.length).join() !== hooks.join() ||
      ends.filter((end) => !end.startsWith('release')).length !== hooks.length
    ) {
      owed.push(`has ended by ${ends.join()}`)
    }
    if (releases.some(({ runs }) => runs !== 1)) owed.push('has not released all')
    const first = [2, 1, 0].map((number) => ends.indexOf(`release ${number}`))
    if (!(first[0]! < first[1]! && first[1]! < first[2]!)) owed.push(`released ${ends.join()}`)
    return owed
  }

  /** Adds the causes for which time may have ended it when it left OPEN. What happens later changes nothing. */
  #judge(guest: Guest): void {
    if (guest.isJudged) return
    guest.isJudged = true
    const { causes, openedAt, route } = guest
    const at = guest.leftOpenAt ?? this.#world.clock.now()
    const { idleTimeout, keepalive, maxLifetime } = BOUNDS
    const since = Math.max(guest.silentSince, guest.peer.unansweredSince ?? 0)
    const stalls = this.#stalls.filter((stall) => stall.at > since && stall.at <= at)
    // A tick that comes late is late by what is left of the stall.
    const forgiven = stalls.reduce((sum, { length }) => sum + length - TICK, 0)
    if (route !== 'quiet' && at - since - forgiven >= keepalive.timeout) {
      causes.add('heartbeat-timeout')
    }
    if (route === 'limits' && at - openedAt >= idleTimeout) causes.add('idle-timeout')
    if (route === 'limits' && at - openedAt >= 0.9 * maxLifetime) causes.add('lifetime-expired')
    if (at >= guest.expiresAt) causes.add('auth-expired')
    // What the kernel does not take at once may be too much.
    if (guest.bytesSent > 50_000) causes.add('slow-consumer')
  }

  #owedByStats(): string[] {
    const { app, guests } = this.#world
    const { closed, open, opened } = app.websocketLifecycle.stats()
    const all = guests.filter(({ socket }) => socket !== undefined)
    const gone = all.filter(({ goneAt }) => goneAt !== undefined).length
    const ended = Object.values(closed).reduce((sum, count) => sum + count, 0)
    const still = all.filter(({ closedAt }) => closedAt === undefined).length
    const counted = [opened, ended, open, app.websocketLifecycle.connections.size]
    const wanted = [all.length, gone, still, still]
    return counted.join() === wanted.join()
      ? []
      : [`counts ${counted.join()}, not ${wanted.join()}`]
  }

  /** Each refusal is counted; of those who went before they could read it, it is not known. */
  #owedByRefusals(): string[] {
    const { app, guests } = this.#world
    const { refused } = app.websocketLifecycle.stats()
    const unknown = guests.filter(({ hasLeft, route }) => hasLeft || route === 'newest').length
    return Object.entries(REFUSALS).flatMap(([code, reason]) => {
      const told = guests.filter(({ peer, route }) => {
        return route !== 'newest' && peer.answer?.endsWith(` ${code}`) === true
      }).length
      const count = refused[reason]
      const isRight = count >= told && count <= told + unknown
      return isRight ? [] : [`counts ${count} refused for ${reason}, not ${told}`]
    })
  }

  #owedByGroups(): string[] {
    return [...this.#groups].flatMap(([name, members]) => {
      const { size } = this.#world.app.websocketLifecycle.group(name)
      const wanted = [...members].filter(({ isOpen }) => isOpen).length
      return size === wanted ? [] : [`the group ${name} has ${size} members, not ${wanted}`]
    })
  }

  /** No more than there are places for. */
  #owedByKeys(): string[] {
    const counts = new Map<string, number>()
    for (const { dial, goneAt, route, socket } of this.#world.guests) {
      if (socket === undefined || goneAt !== undefined) continue
      const name = route === 'few' ? route : `${route} of ${dial.key}`
      if (route === 'few' || route === 'key' || route === 'newest') {
        counts.set(name, (counts.get(name) ?? 0) + 1)
      }
    }
    return [...counts].flatMap(([name, count]) => {
      const most = name === 'few' ? this.#places : PLACES_OF_KEY
      return count > most ? [`${count} have places on ${name}`] : []
    })
  }

  #stalledSince(from: number): number {
    return this.#stalls.reduce((sum, { at, length }) => (at > from ? sum + length : sum), 0)
  }
}
