import { randomUUID } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import { WebSocket } from 'ws'
import type { LifecycleSession } from '../api/session.js'
import type { LifecycleSocket } from '../api/socket.js'
import { Callbacks, type CallbacksOwner } from '../callbacks/callbacks.js'
import { ScopeKeeper, type ScopeKeeperOwner } from '../callbacks/scope-keeper.js'
import type { Slots } from '../core/admission/capacity.js'
import type { CloseInfo } from '../core/close/info.js'
import type { CauseWithCode, CloseCause } from '../core/close/policy.js'
import { lifetimeEnd } from '../core/liveness/time-limits.js'
import { ReleaseScope } from '../core/scope.js'
import { ConnectionClosedError } from '../errors.js'
import type { Membership } from '../groups/membership.js'
import { Attention } from '../liveness/attention.js'
import { Keepalive, type KeepaliveOwner } from '../liveness/keepalive.js'
import { TimeWatch, type TimeWatchOwner } from '../liveness/time-watch.js'
import { RateGate } from '../messages/rate-gate.js'
import { Reader, type ReaderOwner } from '../messages/reader.js'
import type { RouteSettings } from '../options/settings.js'
import type { OutboxOwner } from '../outbox/owner.js'
import { Writer } from '../outbox/writer.js'
import { RequestContext } from '../platform/context.js'
import { Deferred } from '../platform/deferred.js'
import { queueMicrotask } from '../platform/real-time.js'
import { isCloseFrameReceived } from '../platform/ws-socket.js'
import type { Handler, Route } from '../routes/route.js'
import type { ClientParts } from '../session/client-parts.js'
import { Goodbye, type GoodbyeOwner } from '../session/goodbye.js'
import { runLastSteps } from '../session/last-steps.js'
import { Ending, type EndingOwner } from './ending.js'
import type { Handover } from './handover.js'
import { Meter, type Totals } from './meter.js'
import type { Shared } from './shared.js'
import type { ConnectionSocket } from './socket.js'

/**
 * The parts of a connection. Some are there from its beginning, the others are made when they are first
 * needed, so that an open and quiet connection stays light. A part knows its connection by a small interface,
 * its `...Owner`. What others can do to a connection is in {@link Connection}.
 */
export abstract class ConnectionParts
  extends Attention
  implements
    CallbacksOwner,
    EndingOwner,
    GoodbyeOwner,
    KeepaliveOwner,
    OutboxOwner,
    ReaderOwner,
    ScopeKeeperOwner,
    TimeWatchOwner
{
  // Numbers begin as numbers: V8 makes an object for each number in a field that was undefined.
  /** Number of messages sent. */
  sent = 0
  protected messagesReceived = 0
  isHandlerSettled = false

  // Parts from the beginning.
  readonly shared: Shared
  readonly socket: ConnectionSocket
  readonly request: FastifyRequest
  readonly raw: Duplex
  readonly context: RequestContext
  readonly callbacks: Callbacks
  readonly slots: Slots | undefined
  protected readonly route: Route
  readonly rate: RateGate | undefined
  readonly meter: Meter

  // Parts that are made when they are needed: `undefined` before.
  usedScope: ReleaseScope | undefined
  usedReader: Reader | undefined
  usedWriter: Writer | undefined
  membership: Membership | undefined
  protected usedGoodbye: Goodbye | undefined
  protected usedEnding: Ending | undefined
  #id: string | undefined
  #closed: Deferred<CloseInfo> | undefined

  /** @param client what it has in common with other connections of the same session */
  constructor(
    shared: Shared,
    socket: ConnectionSocket,
    handover: Handover,
    client: ClientParts | undefined,
  ) {
    super()
    const { raw, request, route, scope } = handover
    this.shared = shared
    this.socket = socket
    this.request = request
    this.raw = raw
    this.context = client?.context ?? new RequestContext(socket.extensions !== '')
    this.callbacks = client?.callbacks ?? new Callbacks(this, route)
    this.route = route
    this.slots = handover.slots
    this.#id = handover.hold?.id
    this.usedScope = scope
    this.meter = new Meter(raw, shared.clock, handover.bytesRead)
    const { keepalive, messageRate, idleTimeout, maxLifetime, onMessage } = route.settings
    this.keepalive = keepalive === false ? undefined : new Keepalive(this, keepalive)
    if (client === undefined) {
      this.rate = messageRate === false ? undefined : new RateGate(messageRate, shared)
      if (onMessage !== undefined) this.usedReader = new Reader(this, route)
    } else {
      this.rate = client.rate
      this.usedReader = client.reader
    }
    const isTimed =
      idleTimeout !== false || maxLifetime !== false || handover.expiresAt !== Infinity
    if (isTimed) this.timeWatch = this.makeTimeWatch(handover.expiresAt, client?.endsAt)
    this.dueAt = this.keepalive || isTimed ? 0 : Infinity
  }

  abstract end(cause: CauseWithCode, reason?: string): void
  abstract shutDown(code: number, reason: string, reconnectWindow: number): void
  abstract terminate(cause: CloseCause): void
  abstract destroyNow(): void
  abstract fail(error: unknown, step: string): void
  abstract noteHandlerError(error: Error): void
  abstract endOfHandlerError(): void
  abstract handlerSettled(hasFailed: boolean): void
  abstract sayGoodbye(remaining: number): Promise<void> | undefined
  abstract catchUp(remaining: number): Promise<void> | undefined
  abstract noteUnread(duration: number): void
  abstract noteControl(): void
  abstract notePing(isAgain: boolean): void
  abstract noteSuspicion(pingedAt: number): void
  abstract notePong(latency: number): void
  abstract noteClosing(): void
  abstract sayLast(): void
  abstract verdictAverted(cause: CloseCause): void
  protected abstract noteReleased(): void
  abstract runHandler(handler: Handler): void

  get id(): string {
    return (this.#id ??= randomUUID())
  }

  get log(): FastifyBaseLogger {
    return this.request.log
  }

  get routeUrl(): string {
    return this.route.url
  }

  get settings(): RouteSettings {
    return this.route.settings
  }

  get cleanupTimeout(): number {
    return this.settings.cleanupTimeout
  }

  get latency(): number | undefined {
    return this.keepalive?.latency
  }

  get scope(): ReleaseScope {
    return (this.usedScope ??= this.#makeScope())
  }

  get reader(): Reader {
    return (this.usedReader ??= this.#makeReader())
  }

  get writer(): Writer {
    return (this.usedWriter ??= this.makeWriter())
  }

  /** Made at the first sign of an end. */
  protected get ending(): Ending {
    return (this.usedEnding ??= new Ending(this))
  }

  protected get goodbye(): Goodbye {
    return (this.usedGoodbye ??= new Goodbye(this))
  }

  get closed(): Promise<CloseInfo> {
    return (this.#closed ??= new Deferred()).promise
  }

  /** What the app gets. */
  get face(): LifecycleSocket | LifecycleSession {
    return this.socket
  }

  get isHolding(): boolean {
    return false
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN
  }

  get isReleased(): boolean {
    return this.usedEnding?.isReleased === true
  }

  get isCloseFrameReceived(): boolean {
    return isCloseFrameReceived(this.socket)
  }

  get hasSentClose(): boolean {
    return this.usedEnding?.life.hasSentClose === true
  }

  get wasForced(): boolean {
    return this.usedEnding?.wasForced === true
  }

  get bytesFramed(): number {
    return (this.usedWriter?.bytesFramed ?? 0) + (this.membership?.owedBytes ?? 0)
  }

  get activity(): number {
    const pauses = this.usedReader?.inbox.pausesByApp ?? 0
    const fragments = this.usedWriter?.fragments ?? 0
    return this.messagesReceived + this.sent + fragments + pauses
  }

  get isHandling(): boolean {
    return this.usedReader?.isBusy === true
  }

  totals(): Totals {
    const { messagesReceived, sent: messagesSent, latency } = this
    return { ...this.meter.totals(), messagesReceived, messagesSent, latency }
  }

  abortReason(): Error {
    return new ConnectionClosedError(this.usedEnding?.life.cause, true)
  }

  noteUnparsed(): void {
    this.shared.facts.messagesDropped(this, 'received')
  }

  abortSignal(): void {
    this.usedScope?.abort()
  }

  noteClosed(close: CloseInfo): void {
    this.slots?.giveBack()
    this.shared.facts.connectionClosed(this, close)
  }

  runLastSteps(close: CloseInfo): Promise<void> {
    return runLastSteps(this, close)
  }

  over(close: CloseInfo): void {
    this.noteReleased()
    this.usedGoodbye?.end('needless')
    ;(this.#closed ??= new Deferred()).resolve(close)
  }

  protected override get hasLeftOpen(): boolean {
    return this.usedEnding?.hasBegun === true
  }

  protected override lookAtQueues(now: number, forgivingNow: number): number {
    return Math.min(
      this.usedWriter?.judgeBacklog(forgivingNow) ?? Infinity,
      this.usedReader?.inbox.warnOfHandler(now) ?? Infinity,
    )
  }

  protected makeWriter(): Writer {
    return new Writer(this, this.settings.outbox)
  }

  /** @param endsAt when its lifetime is over, by the clock */
  protected makeTimeWatch(expiresAt: number, endsAt?: number): TimeWatch {
    const { settings, shared } = this
    const endsBy = endsAt ?? lifetimeEnd(settings, shared.clock.now(), shared.clock.random())
    return new TimeWatch(this, settings, expiresAt, endsBy)
  }

  #makeReader(): Reader {
    const reader = new Reader(this, this.route)
    // Nothing waited for a reader before the end, and nothing more will come.
    if (this.usedEnding?.isClosed) reader.abandon()
    if (this.usedEnding?.life.messages === 'for listeners only') reader.dismiss()
    return reader
  }

  #makeScope(): ReleaseScope {
    const scope = new ReleaseScope(new ScopeKeeper(this))
    const ending = this.usedEnding
    if (ending?.isClosing) queueMicrotask(() => ending.settle())
    else if (ending?.isClosed) scope.abort()
    return scope
  }
}
