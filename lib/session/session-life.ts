import type { WebSocket } from 'ws'
import type { CloseFrame, CloseInfo } from '../core/close/info.js'
import { type CauseWithCode, type CloseCause, POLICY } from '../core/close/policy.js'
import type { Silence } from '../core/diagnosis/idle-cluster.js'
import type { Grave } from '../core/session/graves.js'
import { isLoss } from '../core/session/loss.js'
import { ConnectionClosedError } from '../errors.js'
import type { LiveConnection } from '../facts/registry.js'
import type { Traffic } from '../facts/traffic.js'
import { queueMicrotask } from '../platform/real-time.js'
import { NO_SOCKET } from '../platform/ws-socket.js'
import type { Swept } from '../time/sweep.js'
import { OFF } from '../time/wheel.js'
import { runLastSteps } from './last-steps.js'
import type { Line } from './line.js'
import { type Away, endedAway, frameOf, graveOf, SessionTotals } from './session-end.js'
import { SessionParts, type SessionShared, type SessionStart } from './session-parts.js'

/** A session that waits for its client. */
export interface Suspended {
  readonly is: 'suspended'
  readonly cause: undefined
  /** How the connection was lost. */
  readonly lost: CloseInfo
  /** In forgiving time, like `until`. */
  readonly since: number
  readonly until: number
  /** When the client was last heard. */
  readonly silentSince: number
}

/** Where a session is in its life. Each state holds only what it needs. */
type State =
  | { readonly is: 'connected'; readonly line: Line }
  | Suspended
  | { readonly is: 'ending'; readonly cause: CloseCause }
  | { readonly is: 'released'; readonly cause: CloseCause }

/**
 * The life of a session.
 *
 *     connected ◀──▶ suspended
 *         └──▶ ending ◀──┘ ──▶ released
 *
 * Its connection tells it when the transport is gone. Then it waits for the client, or it ends. There is one
 * end, with the same last steps as that of a connection.
 */
export abstract class SessionLife extends SessionParts implements LiveConnection, Swept {
  dueAt: number = Infinity
  place: number = OFF
  protected readonly totals: SessionTotals = new SessionTotals()
  /** How long no message had come or gone when its last connection was lost, in ms. */
  protected idleFor = 0
  /** Whether the app has ended it, or a parser has failed: messages that wait for the handler are dropped. */
  protected wantsNoMore = false
  protected state: State
  /** What ends it as soon as its connection, which is being lost, is gone. */
  #pending: Away | undefined
  /** A callback has failed, and no connection could be told. */
  #failure: Error | undefined
  /** Whether the client has confirmed that it has the token. */
  protected isConfirmed = false
  #wasForced = false
  /** Whether it is known that its end has begun. */
  #isClosing = false
  /** The scopes of the requests that have resumed it, as long as their releases run. */
  readonly #scopes = new Set<Promise<void>>()

  /** @param connect makes its first connection */
  constructor(
    shared: SessionShared,
    socket: WebSocket,
    start: SessionStart,
    connect: (session: SessionLife) => Line,
  ) {
    super(shared, socket, start)
    this.state = { is: 'connected', line: connect(this) }
  }

  abstract addTraffic(traffic: Traffic): void
  abstract destroyNow(): void
  abstract onSweep(now: number, forgivingNow: number): void
  abstract shutDown(code: number, reason: string, reconnectWindow: number): void

  get line(): Line | undefined {
    return this.state.is === 'connected' ? this.state.line : undefined
  }

  get wasForced(): boolean {
    return this.#wasForced
  }

  get isSuspended(): boolean {
    return this.state.is === 'suspended'
  }

  get isReleased(): boolean {
    return this.state.is === 'released'
  }

  get isOpen(): boolean {
    if (this.#pending !== undefined || this.#failure !== undefined) return false
    const { line } = this
    return line === undefined ? this.isSuspended : !this.#endsWith(line)
  }

  abortReason(): Error {
    return new ConnectionClosedError(this.#cause, true)
  }

  end(cause: CauseWithCode, reason: string = cause): void {
    this.endBy((line) => line.end(cause, reason), { cause, code: POLICY[cause].code, reason })
  }

  noteHandlerError(error: Error): void {
    if (this.line?.isOpen === true) this.line.noteHandlerError(error)
    else if (this.isOpen) this.#failure = error
  }

  endOfHandlerError(): void {
    this.end('handler-error')
  }

  /** The client has told how many messages it has received. @returns see {@link SessionOutbox.acknowledge} */
  acknowledged(received: number): number | undefined {
    this.isConfirmed = true
    return this.outbox.acknowledge(received)
  }

  /** Our close frame follows. */
  sayLast(line: Line): void {
    this.membership?.catchUp()
    if (this.isLinked && line.cause !== 'client-close') this.outbox.flush(line)
  }

  /** The end of a connection has begun. As long as its cause is not certain, the session may outlive it. */
  lineClosing(line: Line): void {
    const isLast = line === this.line && line.cause !== undefined && this.#endsWith(line)
    if (isLast) this.#tellClosing(line.cause)
  }

  get silence(): Silence | undefined {
    return this.line?.silence
  }

  isSparedBy(lateness: number): boolean {
    return this.line?.isSparedBy(lateness) === true
  }

  /** A connection ends: the signal aborts if that is the end of the session. */
  abortSignalFor(line: Line): void {
    if (line === this.line && this.#endsWith(line)) this.scope.abort()
  }

  /** The transport of a connection is gone. */
  lineClosed(line: Line, close: CloseInfo): void {
    this.totals.add(close)
    // Of a connection that was superseded, nothing counts but its numbers.
    if (line !== this.line) return
    this.#wasForced = line.wasForced
    this.wantsNoMore ||= line.wantsNoMore
    const outlives = this.#mayBeSuspended && isLoss(close.cause, close.received?.code)
    if (outlives) this.#suspend(line, close)
    else this.conclude(close, line.untold)
  }

  /** It ends, and its line may be dead: what a client is told that asks for it before that is certain. */
  get epitaph(): Grave | undefined {
    return graveOf(this, this.#pending === undefined ? this.line?.untold : frameOf(this.#pending))
  }

  /** A request that has resumed it has a scope of its own, whose releases run now. */
  awaitScope(released: Promise<void>): void {
    this.#scopes.add(released)
    void released.then(() => this.#scopes.delete(released))
  }

  /** Somebody else needs the place, or the memory, of a session that is away. */
  displace(): void {
    if (this.state.is === 'suspended') {
      this.shared.facts.sessionDisplaced()
      this.conclude(this.state.lost, undefined)
    }
  }

  /** Ends it through its connection; if there is none, or none any more, by itself. */
  protected endBy(through: (line: Line) => void, away: Away): void {
    const { line } = this
    if (line === undefined) {
      this.#endAway(away)
      return
    }
    if (!line.isOpen && this.isOpen) this.#pending = away
    through(line)
  }

  /**
   * @param untold the close frame that the client has not answered. If it says not to connect again, the
   * client is told when it comes back.
   */
  protected conclude(close: CloseInfo, untold: CloseFrame | undefined): void {
    const { isLinked, outbox, shared, slots } = this
    const wasSuspended = this.isSuspended
    // A client that has answered our close frame had received all that came before it.
    const isTold = close.clean && close.initiator === 'server'
    const unacknowledged = isTold ? 0 : outbox.unacknowledged
    this.#tellClosing(close.cause)
    const history = shared.facts.histories.read(this, this.beganAt)
    const sent = isLinked ? outbox.total : undefined
    const final = this.totals.conclude(close, history, unacknowledged, sent)
    this.state = { is: 'ending', cause: final.cause }
    this.lastLatency = final.latency
    shared.sweep.delete(this)
    slots?.giveBack()
    if (isLinked) shared.sessions.ended(this, graveOf(this, untold))
    outbox.end()
    shared.facts.sessionClosed(this, final, wasSuspended)
    queueMicrotask(() => void this.#release(final))
  }

  get #cause(): CloseCause | undefined {
    const { state } = this
    return state.is === 'connected' ? state.line.cause : state.cause
  }

  /** A client that has never confirmed has no token: nobody could resume the session. */
  get #mayBeSuspended(): boolean {
    return this.isLinked && this.isConfirmed && !this.shared.facts.isDraining
  }

  /** Whether the end of a connection has begun, and is the end of the session. */
  #endsWith(line: Line): boolean {
    const { cause } = line
    if (cause === undefined) return line.isEnding && !this.#mayBeSuspended
    return !this.#mayBeSuspended || !isLoss(cause, line.codeOfEnd)
  }

  #suspend(line: Line, lost: CloseInfo): void {
    const { facts, sessions, sweep } = this.shared
    const since = sweep.forgivingNow
    this.idleFor = line.idleFor
    // Its connection can be collected.
    this.socket = NO_SOCKET
    this.state = {
      is: 'suspended',
      cause: undefined,
      lost,
      since,
      until: since + this.resume.window,
      silentSince: line.receivedAt,
    }
    this.dueAt = 0
    sweep.add(this)
    facts.sessionSuspended(this, lost)
    this.gaps.suspended(lost)
    this.slots?.soften(this)
    sessions.suspended(this, this.outbox.footprint)
    if (this.#failure !== undefined) this.end('handler-error')
    else if (this.#pending !== undefined) this.#endAway(this.#pending)
  }

  #endAway(away: Away): void {
    if (this.state.is !== 'suspended') return
    const cause = this.#failure === undefined ? away.cause : 'handler-error'
    const { messages } = POLICY[cause]
    if (messages === 'all dropped') this.reader.drop()
    if (messages === 'for listeners only') this.reader.dismiss()
    const frame = frameOf(away)
    this.conclude(endedAway(cause, this.#failure, frame, this.state.lost), frame)
  }

  #tellClosing(cause: CloseCause | undefined): void {
    if (this.#isClosing) return
    this.#isClosing = true
    this.shared.facts.connectionClosing(this, cause)
    this.membership?.end()
  }

  async #release(close: CloseInfo): Promise<void> {
    this.scope.abort()
    this.outbox.abandon()
    await this.gaps.settled
    await runLastSteps(this, close)
    await Promise.all(this.#scopes)
    this.state = { is: 'released', cause: close.cause }
    this.shared.facts.connectionReleased(this)
    this.over(close)
  }
}
