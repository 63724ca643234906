import type { CloseFrame, CloseInfo } from '../core/close/info.js'
import type { CloseCause } from '../core/close/policy.js'
import type { ReleaseScope } from '../core/scope.js'
import type { Member } from '../groups/membership.js'
import { Writer } from '../outbox/writer.js'
import type { Handler } from '../routes/route.js'
import type { Line } from '../session/line.js'
import type { RequestScope } from '../session/request-scope.js'
import type { SessionLife } from '../session/session-life.js'
import type { Handover } from './handover.js'
import { LinkedConnection } from './linked-connection.js'
import type { Shared } from './shared.js'
import type { ConnectionSocket } from './socket.js'

/**
 * A connection of a session: it has a socket, keepalive, and an end of its own. All that belongs to the
 * client is the session's, and the session is told of the end.
 */
export class SessionConnection extends LinkedConnection implements Line {
  readonly #session: SessionLife
  /** The scope of the request that has resumed the session; `undefined` for the first connection. */
  readonly #requestScope: RequestScope | undefined
  #isSuperseded = false

  constructor(
    shared: Shared,
    socket: ConnectionSocket,
    handover: Handover,
    session: SessionLife,
    requestScope?: RequestScope,
  ) {
    super(shared, socket, handover, session)
    this.#session = session
    this.#requestScope = requestScope
    if (socket.extensions !== '') session.context.inflates()
  }

  override get id(): string {
    return this.#session.id
  }

  override get scope(): ReleaseScope {
    return this.#requestScope?.scope ?? this.#session.scope
  }

  /** What the groups of a client owe that has no link waits for this connection. */
  override get bytesFramed(): number {
    const owed = this.link === undefined ? this.#session.membership?.owedBytes : undefined
    return super.bytesFramed + (owed ?? 0)
  }

  override get member(): Member {
    return this.#session
  }

  get wantsNoMore(): boolean {
    return this.usedEnding?.life.wantsNoMore === true
  }

  get cause(): CloseCause | undefined {
    return this.usedEnding?.life.cause
  }

  get codeOfEnd(): number | undefined {
    return this.usedEnding?.life.sent?.code
  }

  get untold(): CloseFrame | undefined {
    return this.isCloseFrameReceived ? undefined : this.usedEnding?.life.sent
  }

  get isEnding(): boolean {
    return this.hasLeftOpen
  }

  get idleFor(): number {
    return this.timeWatch?.idleFor ?? 0
  }

  set idleFor(duration: number) {
    if (this.timeWatch !== undefined) this.timeWatch.idleFor = duration
  }

  supersede(): void {
    this.#isSuperseded = true
    this.terminate('connection-lost')
  }

  override setExpiresAt(expiresAt: number): void {
    if (this.timeWatch !== undefined || expiresAt !== Infinity) super.setExpiresAt(expiresAt)
  }

  override acknowledged(received: number): number | undefined {
    return this.#session.acknowledged(received)
  }

  override runHandler(handler: Handler): void {
    if (this.#requestScope === undefined) super.runHandler(handler)
  }

  override admits(event: string | symbol, first: unknown, second: unknown): boolean {
    if (this.#isSuperseded && event !== 'close') return false
    return super.admits(event, first, second)
  }

  override sayLast(): void {
    this.#session.sayLast(this)
    super.sayLast()
  }

  /** A client that speaks the link sends it again. */
  override noteUnparsed(): void {
    if (this.link === undefined) super.noteUnparsed()
  }

  override abortSignal(): void {
    this.#session.abortSignalFor(this)
    this.#requestScope?.abort(this.cause)
  }

  override noteClosing(): void {
    this.#session.lineClosing(this)
  }

  override noteClosed(close: CloseInfo): void {
    this.#session.lineClosed(this, close)
  }

  override async runLastSteps({ cause }: CloseInfo): Promise<void> {
    if (this.#requestScope === undefined) return
    this.#requestScope.abort(cause)
    const released = this.#requestScope.end()
    this.#session.awaitScope(released)
    await released
  }

  protected override noteReleased(): void {}

  /** The session keeps what the client has not confirmed, and decides when it is too much. */
  protected override makeWriter(): Writer {
    const { outbox } = this.settings
    return new Writer(this, this.link === undefined ? outbox : { ...outbox, maxBytes: Infinity })
  }
}
