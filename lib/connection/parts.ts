import { randomUUID } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import { WebSocket } from 'ws'
import { Callbacks, type CallbacksOwner } from '../callbacks/callbacks.js'
import { ScopeKeeper, type ScopeKeeperOwner } from '../callbacks/scope-keeper.js'
import type { Slots } from '../core/admission/capacity.js'
import type { CloseInfo } from '../core/close/info.js'
import type { CauseWithCode, CloseCause } from '../core/close/policy.js'
import { ReleaseScope } from '../core/scope.js'
import { ConnectionClosedError } from '../errors.js'
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
import type { Route } from '../routes/route.js'
import { Ending, type EndingOwner } from './ending.js'
import { Goodbye, type GoodbyeOwner } from './goodbye.js'
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
  // Numbers that change begin as numbers: V8 makes an object for each number in a field that was once
  // undefined.
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
  protected readonly rate: RateGate | undefined
  protected readonly meter: Meter

  // Parts that are made when they are needed: `undefined` before.
  usedScope: ReleaseScope | undefined
  usedReader: Reader | undefined
  usedWriter: Writer | undefined
  protected usedGoodbye: Goodbye | undefined
  protected usedEnding: Ending | undefined
  #id: string | undefined
  #closed: Deferred<CloseInfo> | undefined

  constructor(shared: Shared, socket: ConnectionSocket, handover: Handover) {
    super()
    const { raw, request, route, scope } = handover
    this.shared = shared
    this.socket = socket
    this.request = request
    this.raw = raw
    this.context = new RequestContext(socket.extensions !== '')
    this.callbacks = new Callbacks(this, route)
    this.route = route
    this.slots = handover.slots
    this.usedScope = scope
    this.meter = new Meter(raw, shared.clock, handover.bytesRead)
    const { keepalive, messageRate, idleTimeout, maxLifetime, onMessage } = route.settings
    this.keepalive = keepalive === false ? undefined : new Keepalive(this, keepalive)
    this.rate = messageRate === false ? undefined : new RateGate(messageRate, shared)
    const isTimed =
      idleTimeout !== false || maxLifetime !== false || handover.expiresAt !== Infinity
    if (isTimed) this.timeWatch = new TimeWatch(this, route.settings, handover.expiresAt)
    if (onMessage !== undefined) this.usedReader = new Reader(this, route)
    this.dueAt = this.keepalive || isTimed ? 0 : Infinity
  }

  abstract end(cause: CauseWithCode, reason?: string): void
  abstract shutDown(code: number, reason: string): void
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
    return (this.usedWriter ??= new Writer(this, this.settings.outbox))
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

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN
  }

  get isReleased(): boolean {
    return this.usedEnding?.isReleased === true
  }

  get hasSentClose(): boolean {
    return this.usedEnding?.life.hasSentClose === true
  }

  get wasForced(): boolean {
    return this.usedEnding?.wasForced === true
  }

  get bytesFramed(): number {
    return this.usedWriter?.bytesFramed ?? 0
  }

  get activity(): number {
    const [pauses, fragments] = [
      this.usedReader?.inbox.pausesByApp ?? 0,
      this.usedWriter?.fragments ?? 0,
    ]
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

  over(close: CloseInfo): void {
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
