import type { FastifyRequest } from 'fastify'
import type { ConnectionDescription } from '../api/lifecycle.js'
import type { Data, SendOptions } from '../api/socket.js'
import type { Occupant } from '../core/admission/succession.js'
import { LONGEST_LOOK } from '../core/budgets.js'
import { CloseCode, toReason, toSendableCode } from '../core/close/codes.js'
import type { ResumeRequest } from '../core/session/link.js'
import { addTotals, type Traffic } from '../facts/traffic.js'
import { namesOf } from '../groups/membership.js'
import { toExpiry } from '../options/expiry.js'
import type { SendCallback } from '../outbox/send-callbacks.js'
import type { Line } from './line.js'
import { refuseFragment } from './outbox.js'
import { SessionLife, type Suspended } from './session-life.js'

/** A connection that resumes a session. */
export interface Resumption {
  readonly line: Line
  readonly request: FastifyRequest
  readonly asked: ResumeRequest
  /** When the credentials end, epoch ms. */
  readonly expiresAt: number
}

/**
 * One client of a route with `resume`, over one or more connections. It has a door (a method) for all that
 * the app does, that the plugin does, and that its connections tell. What follows is in {@link SessionLife},
 * its parts are in {@link SessionParts}.
 */
export class Session extends SessionLife implements Occupant {
  /** The number of the client's last attempt that was taken. */
  #attempt = 0
  /** Number of upgrades that ask for this session and are not decided yet. */
  #asking = 0

  get isStaying(): boolean {
    return this.isOpen
  }

  get suspendedSince(): number {
    return this.state.is === 'suspended' ? this.state.since : Infinity
  }

  // Called by the app.

  send(data: Data, options: SendOptions, callback: SendCallback | undefined): boolean {
    this.membership?.catchUp()
    const { plainWriter } = this
    if (plainWriter === undefined) return this.outbox.send(data, options, callback)
    refuseFragment(options)
    return plainWriter.send(data, options, callback)
  }

  close(code: number | undefined, reason: string | Buffer | undefined): void {
    this.wantsNoMore = true
    const away = {
      cause: 'server-close',
      code: toSendableCode(code, CloseCode.NormalClosure),
      reason: toReason(reason),
    } as const
    this.endBy((line) => line.close(code, reason), away)
  }

  terminate(): void {
    this.wantsNoMore = true
    const away = { cause: 'server-terminate', code: undefined, reason: '' } as const
    this.endBy((line) => line.terminate('server-terminate'), away)
  }

  expireAt(when: Date | number): void {
    this.#expireAt(toExpiry(when, `session.expireAt() of route ${this.routeUrl}`))
  }

  describe(): ConnectionDescription {
    const { id, isLinked, latency, outbox, reader, routeUrl, totals } = this
    const line = this.line?.describe()
    const owed = this.membership?.owedBytes ?? 0
    return {
      id,
      route: routeUrl,
      state: this.#phase,
      openedAt: Math.min(totals.openedAt, line?.openedAt ?? Infinity),
      lastReceivedAt: line?.lastReceivedAt ?? this.#heardWhenLost,
      latency,
      remoteAddress: line?.remoteAddress ?? this.request.ip,
      groups: namesOf(this.membership),
      inbox: { messages: reader.inbox.waiting, bytes: reader.inbox.bytes },
      outbox: { bytes: isLinked ? outbox.bytes + owed : (line?.outbox.bytes ?? 0) },
      session: { resumes: totals.resumes },
      history: this.shared.facts.histories.read(this, this.beganAt),
    }
  }

  // Called by the plugin and by the parts.

  addTraffic(traffic: Traffic): void {
    const { isLinked, line, outbox, reader, state, totals } = this
    const { messagesSent, outboxBytes } = traffic
    if (line === undefined) {
      traffic.inboxMessages += reader.inbox.waiting
      traffic.inboxBytes += reader.inbox.bytes
    } else line.addTraffic(traffic)
    if (state.is === 'suspended') traffic.interrupted++
    if (state.is !== 'connected' && state.is !== 'suspended') return
    addTotals(traffic, totals)
    if (!isLinked) return
    // Its connections count each message that they repeat, too.
    traffic.messagesSent = messagesSent + outbox.total
    traffic.outboxBytes = outboxBytes + outbox.bytes
  }

  shutDown(code: number, reason: string, reconnectWindow: number): void {
    this.endGoodbye()
    const away = { cause: 'shutdown', code, reason } as const
    this.endBy((line) => line.shutDown(code, reason, reconnectWindow), away)
  }

  destroyNow(): void {
    const away = { cause: 'shutdown', code: undefined, reason: '' } as const
    this.endBy((line) => line.destroyNow(), away)
  }

  /** A newer connection of the same key waits for the place. */
  giveWay(): void {
    if (this.line === undefined) this.displace()
    else this.line.giveWay()
  }

  handlerSettled(hasFailed: boolean): void {
    this.isHandlerSettled = true
    this.reader.handlerSettled(hasFailed || this.wantsNoMore || this.line?.wantsNoMore === true)
  }

  noteKept(bytes: number): void {
    if (this.state.is === 'suspended') this.shared.sessions.grew(this, bytes)
  }

  onSweep(now: number, forgivingNow: number): void {
    if (this.state.is === 'suspended') this.#look(this.state, now, forgivingNow)
  }

  // Called by the upgrade that asks for it, and by its connections.

  /** Its first connection is ready. */
  begin(): void {
    this.shared.facts.sessionOpened(this)
    if (!this.isLinked || this.line === undefined) return
    this.shared.sessions.add(this)
    this.#welcome(this.line, false)
  }

  /** An upgrade asks for it: until {@link answered} the session waits, also after its window. */
  asked(): void {
    this.#asking++
  }

  answered(): void {
    this.#asking--
  }

  /** Whether a client that asks now can go on with it. */
  mayResume({ attempt, received }: ResumeRequest, protocol: string): boolean {
    const isNewer = attempt > this.#attempt
    return this.isOpen && isNewer && protocol === this.protocol && this.outbox.isPossible(received)
  }

  /** A connection takes over, at once. */
  goOn({ line, request, asked, expiresAt }: Resumption): void {
    const { facts, sweep, sessions } = this.shared
    const before = this.state
    this.#attempt = asked.attempt
    // Who resumes it has its token.
    this.isConfirmed = true
    this.totals.resumes++
    this.socket = line.socket
    this.state = { is: 'connected', line }
    if (before.is === 'connected') {
      this.idleFor = before.line.idleFor
      this.#forgive(before.line.receivedAt)
      before.line.supersede()
      this.gaps.suspended(before.line.closed)
    } else if (before.is === 'suspended') {
      sweep.delete(this)
      sessions.resumed(this)
      this.slots?.harden()
      this.#forgive(before.silentSince)
    }
    this.gaps.resumed(request)
    facts.sessionResumed(this, request, before.is === 'suspended')
    this.outbox.rewind()
    this.#welcome(line, true)
    // Only now: callbacks of the app may send.
    this.outbox.acknowledge(asked.received)
    // Without the option, what the app has set holds.
    this.#expireAt(this.settings.expiresAt === undefined ? this.expiresAt : expiresAt)
    line.idleFor = this.idleFor
    this.reader.inbox.messagesLeft()
    this.outbox.feed()
  }

  get #phase(): ConnectionDescription['state'] {
    if (this.isReleased) return 'ended'
    if (this.isSuspended) return 'suspended'
    return this.isOpen ? 'open' : 'ending'
  }

  /** When the last frame came of the connection that was lost, in epoch ms. */
  get #heardWhenLost(): number | undefined {
    if (this.state.is !== 'suspended') return undefined
    const { clock, sweep } = this.shared
    return clock.wall() - (sweep.forgivingNow - this.state.silentSince)
  }

  /** The client may send what it has kept since it was last heard, at most that of one window. */
  #forgive(silentSince: number): void {
    const silence = this.shared.sweep.forgivingNow - silentSince
    this.rate?.excuse(Math.min(silence, this.resume.window))
  }

  #welcome(line: Line, isResumed: boolean): void {
    const { incoming, resume, token } = this
    line.welcome({ token, isResumed, received: incoming.tell(), window: resume.window })
  }

  #expireAt(when: number): void {
    this.expiresAt = when
    if (this.state.is === 'connected') this.state.line.setExpiresAt(when)
    this.shared.sweep.move(this, this.shared.clock.now())
  }

  /**
   * Whether it waits for an upgrade that asks for it. An upgrade that has come within the window is decided within
   * `handshakeTimeout`. Those that come later prolong nothing: else one after the other could hold it for ever.
   */
  #isAskedFor(until: number, forgivingNow: number): boolean {
    return this.#asking > 0 && forgivingNow < until + (this.settings.handshakeTimeout || Infinity)
  }

  /** Looks whether it has waited long enough for its client. */
  #look({ lost, until }: Suspended, now: number, forgivingNow: number): void {
    const { clock, facts, sweep } = this.shared
    const untilExpiry = this.expiresAt - clock.wall()
    if (untilExpiry <= 0) {
      this.end('auth-expired')
    } else if (now >= this.endsAt) {
      this.end('lifetime-expired')
    } else if (forgivingNow >= until && !this.#isAskedFor(until, forgivingNow)) {
      facts.sessionExpired()
      this.conclude(lost, undefined)
    } else {
      // Somebody may set the wall clock.
      const untilLook = untilExpiry === Infinity ? Infinity : LONGEST_LOOK
      const untilEnd = Math.max(0, Math.min(until - forgivingNow, this.endsAt - now))
      sweep.move(this, now + Math.min(untilEnd, untilExpiry, untilLook))
    }
  }
}
