import { randomUUID } from 'node:crypto'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import { WebSocket } from 'ws'
import { Callbacks, type CallbacksOwner } from '../callbacks/callbacks.js'
import { kindOf } from '../options/check.js'
import { RequestContext } from '../platform/context.js'
import { CloseCode, REPLACED, toReason, toSendableCode } from '../core/close/codes.js'
import { CloseDeadline } from '../core/close/deadline.js'
import type { CloseCause, CloseInfo } from '../core/close/info.js'
import { CloseRecord } from '../core/close/record.js'
import { goodbyeBudget } from '../core/drain-plan.js'
import { restsUntil, type Talk } from '../core/liveness/heartbeat.js'
import type { Slots } from '../core/admission/limits.js'
import { MessageRate } from '../core/messages/message-rate.js'
import { type Release, ReleaseScope, type ScopeOwner } from '../core/scope.js'
import type { Occupant } from '../core/admission/succession.js'
import { TIME_CODES, type TimeFacts, TimeLimits } from '../core/liveness/time-limits.js'
import { Deferred } from '../platform/deferred.js'
import { makeController } from '../platform/abort-controller.js'
import { runRelease, runReleases, runStep } from '../callbacks/run-step.js'
import { ConnectionClosedError } from '../errors.js'
import {
  abandonReceiver,
  bytesArriving,
  bytesHeld,
  bytesTaken,
  hasParserFailed,
  isCloseFrameReceived,
  isParsing,
  isPreparing,
  keepParts,
  queuedFrames,
  whenParsed,
} from '../platform/internals.js'
import { Keepalive, type KeepaliveOwner } from '../liveness/keepalive.js'
import { toExpiry } from '../options/expiry.js'
import { type PongsOwner, Pongs } from '../liveness/pongs.js'
import type { LastLooker } from '../platform/raw-watcher.js'
import { type ReaderOwner, Reader } from '../messages/reader.js'
import { queueMicrotask, setImmediate } from '../platform/real-time.js'
import type { LiveConnection } from '../facts/registry.js'
import type { Route } from '../routes/route.js'
import type { Shared } from './shared.js'
import type { ConnectionSocket, SocketOwner } from './socket.js'
import { Budget } from '../callbacks/steps.js'
import { afterNextPoll, type Swept } from '../time/sweep.js'
import { peek, toError } from '../platform/thrown.js'
import { OFF } from '../time/wheel.js'
import { bufferedByWs, type OutboxOwner, Writer } from '../outbox/writer.js'

/** What a connection takes over from its upgrade request. */
export interface Handover {
  readonly raw: Duplex
  readonly request: FastifyRequest
  readonly route: Route
  readonly scope: ReleaseScope | undefined
  /** `raw.bytesRead` when the handshake was read, and nothing after it. */
  readonly bytesRead: number
  /** When the credentials end, epoch ms. */
  readonly expiresAt: number
  /** Its places in the limits; they are given back when the transport is gone. */
  readonly slots: Slots | undefined
}

/**
 * Where a connection stands; each phase knows what it alone needs.
 *
 *     open ──▶ closing ──▶ closed ──▶ released
 *       └───────────────────▲
 */
type Phase =
  | { readonly name: 'open' }
  | { readonly name: 'closing'; readonly watch: Swept; readonly deadline: CloseDeadline }
  | { readonly name: 'closed'; readonly close: CloseInfo }
  | { readonly name: 'released'; readonly close: CloseInfo }

const OPEN: Phase = { name: 'open' }

/** After these no message is handled any more. */
const DROPS_MESSAGES: ReadonlySet<CloseCause> = new Set([
  'handler-error',
  'rate-limited',
  'slow-consumer',
])

/** The app itself ended it. */
const BY_THE_APP: ReadonlySet<CloseCause | undefined> = new Set([
  'server-close',
  'server-terminate',
])

/** ws names what the peer did wrong with codes of its own, zlib with these. */
const PEERS_FAULT = /^(?:WS_ERR_|Z_)/
const TOO_BIG = /^WS_ERR_UNSUPPORTED_(?:MESSAGE|DATA_PAYLOAD)_LENGTH$/

/** One connection, from the 101 to its last release: it carries out what the core decides. */
export class Connection
  implements
    Swept,
    Talk,
    ScopeOwner,
    LastLooker,
    CallbacksOwner,
    KeepaliveOwner,
    ReaderOwner,
    OutboxOwner,
    PongsOwner,
    Occupant,
    SocketOwner,
    LiveConnection
{
  // What is read of one that is due and needs no look comes first: it lies together in memory.
  dueAt = 0
  place: number = OFF
  receivedAt = 0
  sentAt = 0
  bytesUnseen = 0
  /** 0 also where something else than keepalive needs a look. */
  restsFor = 0
  /** Messages and control frames. */
  received = 0
  /** Messages. */
  sent = 0
  wasForced = false
  isHandlerSettled = false
  readonly shared: Shared
  readonly socket: ConnectionSocket
  readonly request: FastifyRequest
  readonly raw: Duplex
  readonly context: RequestContext
  readonly callbacks: Callbacks
  readonly #route: Route
  readonly #slots: Slots | undefined
  readonly #record = new CloseRecord()
  readonly #closed = new Deferred<CloseInfo>()
  readonly #keepalive: Keepalive | undefined
  readonly #rate: MessageRate | undefined
  #limits: TimeLimits | undefined
  #reader: Reader | undefined
  #writer: Writer | undefined
  #pongs: Pongs | undefined
  #goodbye: Budget | undefined
  readonly #openedAt: number
  readonly #openedAtWall: number
  readonly #bytesReadBefore: number
  readonly #bytesWrittenBefore: number
  /** Of what the kernel takes: over TLS these are bytes of records. */
  readonly #bytesTakenBefore: number
  #bytesSent = 0
  #phase: Phase = OPEN
  #id: string | undefined
  #scope: ReleaseScope | undefined
  #messagesReceived = 0
  /** `sweep.forgiven` when a message last came. */
  #forgiven = 0
  /** Whether the app closed before its handler had settled, whatever had ended the connection by then. */
  #isRefused = false
  /** Whether ws has answered the peer's close frame. */
  #hasAnsweredClose = false
  #dropsMessages = false
  /** Whether we have destroyed the stream. */
  #isCutOff = false
  #hasStreamClosed = false

  constructor(shared: Shared, socket: ConnectionSocket, handover: Handover) {
    const { raw, request, route, scope } = handover
    this.shared = shared
    this.socket = socket
    this.request = request
    this.raw = raw
    this.context = new RequestContext(socket.extensions !== '')
    this.callbacks = new Callbacks(this, route)
    this.#route = route
    this.#slots = handover.slots
    this.#scope = scope
    this.#openedAt = shared.clock.now()
    this.#openedAtWall = shared.clock.wall()
    this.#bytesReadBefore = handover.bytesRead
    this.#bytesWrittenBefore = writtenTo(raw)
    // What is still on its way to the kernel is of the 101.
    this.#bytesTakenBefore = takenFrom(raw, 0)
    const { keepalive, messageRate, idleTimeout, maxLifetime, onMessage } = route.settings
    this.#keepalive = keepalive === false ? undefined : new Keepalive(this, keepalive)
    this.#rate = messageRate === false ? undefined : new MessageRate(messageRate)
    this.#forgiven = shared.sweep.forgiven
    if (idleTimeout !== false || maxLifetime !== false || handover.expiresAt !== Infinity) {
      this.#limits = this.#makeLimits(handover.expiresAt)
    }
    if (onMessage !== undefined) this.#reader = new Reader(this, route)
    this.dueAt = this.#keepalive || this.#limits ? 0 : Infinity
  }

  get id(): string {
    return (this.#id ??= randomUUID())
  }

  get log(): FastifyBaseLogger {
    return this.request.log
  }

  get routeUrl(): string {
    return this.#route.url
  }

  get cleanupTimeout(): number {
    return this.#route.settings.cleanupTimeout
  }

  get latency(): number | undefined {
    return this.#keepalive?.latency
  }

  get scope(): ReleaseScope {
    return (this.#scope ??= this.#makeScope())
  }

  get reader(): Reader {
    if (this.#reader !== undefined) return this.#reader
    this.#reader = new Reader(this, this.#route)
    // Nothing was received before the end, and nothing will be.
    if ('close' in this.#phase) this.#reader.abandon()
    this.#dismiss()
    return this.#reader
  }

  get writer(): Writer {
    return (this.#writer ??= new Writer(this, this.#route.settings.outbox))
  }

  get bytesFramed(): number {
    return this.#writer?.bytesFramed ?? 0
  }

  get closed(): Promise<CloseInfo> {
    return this.#closed.promise
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN
  }

  get isStaying(): boolean {
    return this.isOpen
  }

  get hasSentClose(): boolean {
    return this.#record.sent !== undefined
  }

  get isReleased(): boolean {
    return this.#phase.name === 'released'
  }

  // What the app does, through its socket.

  close(code: number | undefined, reason: string | Buffer | undefined): void {
    const text = toReason(reason)
    // ws itself calls it once, to answer the peer's close frame. (And on a protocol error: then too
    // what waits for the handler is dropped.)
    const isAnswer = isCloseFrameReceived(this.socket) && !this.#hasAnsweredClose
    if (isAnswer) this.#hasAnsweredClose = true
    else this.#noteRefusal()
    if (!this.isOpen) {
      this.#record.trustOwnClose()
      WebSocket.prototype.close.call(this.socket, code, reason)
    } else if (isAnswer) {
      this.#writer?.dropUnprepared()
      this.end('client-close', code, text)
    } else if (hasParserFailed(this.socket)) {
      // It was ws, which says later what was wrong: what came before is handled.
      this.#record.noteOwnClose()
      this.#sendClose(code, code === CloseCode.MessageTooBig ? 'message-too-big' : 'protocol-error')
    } else {
      this.#record.noteOwnClose()
      this.#dismiss()
      this.#sendClose(this.#sendableCode(code), text)
    }
  }

  terminate(cause: CloseCause): void {
    if (cause === 'server-terminate') this.#noteRefusal()
    if (this.socket.readyState === WebSocket.CLOSED) {
      WebSocket.prototype.terminate.call(this.socket)
      return
    }
    this.#record.note(cause)
    this.#dismiss()
    this.flush()
    try {
      WebSocket.prototype.terminate.call(this.socket)
    } finally {
      // Also where the stream throws, because somebody has patched it: the end goes on.
      this.#leaveOpen()
    }
    this.#cutOff()
  }

  expireAt(when: Date | number): void {
    const expiresAt = toExpiry(when, `socket.expireAt() of route ${this.routeUrl}`)
    if (this.#limits === undefined) this.#limits = this.#makeLimits(expiresAt)
    else this.#limits.expiresAt = expiresAt
    this.lookBy(this.shared.clock.now())
  }

  setBlobs(areWanted: boolean): void {
    if (areWanted) {
      this.reader.tellsBlobs = true
      keepParts(this.socket)
    } else if (this.#reader !== undefined) {
      this.#reader.tellsBlobs = false
    }
  }

  // What ws and the raw stream tell.

  admits(event: string | symbol, first: unknown, second: unknown): boolean {
    switch (event) {
      case 'message':
        return this.#admitsMessage(first, second === true)
      case 'ping':
        this.#heard()
        this.#answerPing(first as Buffer)
        return true
      case 'pong':
        this.#heard()
        if (this.#keepalive?.pong(first as Buffer)) this.#noteAnswer(this.#keepalive)
        return true
      case 'error':
        this.#sawError(toError(first))
        // It is recorded; an emitter without a listener would throw it once more.
        return this.socket.listenerCount('error') > 0
      case 'close':
        this.#transportGone(first as number, second as Buffer)
        return true
      default:
        return true
    }
  }

  unheard(data: unknown, isBinary: boolean): void {
    this.reader.unheard(data, isBinary)
  }

  listened(): void {
    this.#reader?.listened()
  }

  handlerSettled(hasFailed: boolean): void {
    this.isHandlerSettled = true
    this.#reader?.handlerSettled(hasFailed || this.#isRefused)
  }

  rawEnded(): void {
    this.#record.noteFinished()
    this.#leaveOpen()
    // A stream that is no socket has nobody who destroys it when both sides are done (injectWS).
    if (!(this.raw instanceof Socket)) setImmediate(() => this.raw.destroy())
  }

  /**
   * What node has taken from us and the kernel has not was never sent. Over TLS all that was sent counts as it was before it was
   * encrypted; where something was left behind, nobody can tell how much of that, so the records that the kernel took count.
   */
  rawDestroying(): void {
    const { raw } = this
    const written = writtenTo(raw) - this.#bytesWrittenBefore
    this.#bytesSent = Math.min(written, takenFrom(raw) - this.#bytesTakenBefore)
  }

  /**
   * As a rule ws ends now. Where it still inflates what came before, it is not waited for, but for a peer that said
   * with a FIN that it was done: what that one sent before is read, until the deadline.
   */
  rawClosed(): void {
    const { raw, socket } = this
    this.#hasStreamClosed = true
    if (!isParsing(socket)) return
    const saysItsLast = raw.readableEnded && !raw.errored && !this.#isCutOff
    if (saysItsLast) return
    this.shared.facts.messagesDropped(1)
    abandonReceiver(socket)
  }

  // What the plugin does.

  /**
   * Ends the connection, for a reason of our own or with the peer's own code. A program on the other side tells from `reason`
   * what several causes share a code for: it is API, and never anything of an error.
   */
  end(cause: CloseCause, code: number | undefined, reason: string = cause): void {
    if (!this.isOpen) return
    this.#note(cause)
    // The drain waits for it no longer.
    if (cause === 'shutdown') this.#goodbye?.end('overran')
    this.#sendClose(code, reason)
  }

  sayGoodbye(remaining: number): Promise<void> | undefined {
    if (this.#route.settings.onShutdown.length === 0) return this.catchUp(remaining)
    const budget = this.#beginGoodbye(remaining)
    return this.callbacks.sayGoodbye(budget).then(() => this.#catchUp(budget))
  }

  catchUp(remaining: number): Promise<void> | undefined {
    // What is being handled right now may turn out to take its time. What took too long before is not waited for again.
    const isBusy = isParsing(this.socket) || this.#reader?.idle() !== undefined
    if (!isBusy || this.#reader?.isBehind === true) return undefined
    return this.#catchUp(this.#beginGoodbye(remaining))
  }

  #beginGoodbye(remaining: number): Budget {
    const { cleanupTimeout, closeTimeout } = this.#route.settings
    const time = goodbyeBudget(cleanupTimeout, closeTimeout, remaining)
    return (this.#goodbye = new Budget(this.shared.clock.now() + time))
  }

  async #catchUp(budget: Budget): Promise<void> {
    const { steps } = this.shared
    // What takes longer has its own time at the end.
    await steps.runWithin(() => whenParsed(this.socket), budget)
    await steps.runWithin(() => this.#reader?.caughtUp(), budget)
  }

  destroyNow(): void {
    if (this.socket.readyState === WebSocket.CLOSED) return
    this.wasForced = true
    this.terminate('shutdown')
  }

  /** A newer connection of the same key waits for the place. */
  giveWay(): void {
    const isSilent = this.#isSilent
    this.end('replaced', REPLACED)
    if (this.#phase.name === 'closing')
      this.#phase.deadline.hurry(this.shared.transitions.forgivingNow)
    // Half-open, as it seems: but an answer may be in the kernel already.
    if (isSilent) afterNextPoll(() => this.#cutSilent())
  }

  /** Our close frame is with the kernel: if the peer is there after all, it still gets to know. */
  #cutSilent(): void {
    if (this.#phase.name !== 'closing' || !this.#isSilent) return
    this.wasForced = true
    this.#cutOff()
  }

  get #isSilent(): boolean {
    return this.#keepalive?.isSilent(this.shared.sweep.forgivingNow) === true
  }

  fail(error: unknown, step: string): void {
    this.callbacks.fail(error, step)
  }

  noteHandlerError(error: Error): void {
    if (this.isOpen) this.#note('handler-error', error)
  }

  endOfHandlerError(): void {
    this.end('handler-error', 1011)
  }

  onSweep(now: number, forgivingNow: number): void {
    const rest = restsUntil(this) - forgivingNow
    if (rest > 0) {
      this.shared.sweep.move(this, now + rest)
      return
    }
    const next = Math.min(
      this.#keepalive?.watch(forgivingNow) ?? Infinity,
      this.#limits === undefined ? Infinity : this.#watchTime(this.#limits, now, forgivingNow),
    )
    this.#lookAgain(now, forgivingNow, next)
  }

  /** @param next how long until the heart, or the time, needs another look, in ms */
  #lookAgain(now: number, forgivingNow: number, next: number): void {
    const nextOfOthers = Math.min(
      this.#writer?.look(forgivingNow) ?? Infinity,
      this.#reader?.look(now) ?? Infinity,
    )
    this.bytesUnseen = 0
    if (this.#phase === OPEN) {
      const mayRest = nextOfOthers === Infinity && this.#limits === undefined
      this.restsFor = (mayRest && this.#keepalive?.restsFor) || 0
      this.shared.sweep.move(this, now + Math.min(next, nextOfOthers))
    }
  }

  /**
   * An answer was read: what a look takes is at hand, so the sweep need not come for it. But the limits of time
   * take what ws still parses for activity.
   */
  #noteAnswer(keepalive: Keepalive): void {
    if (this.#phase !== OPEN || this.#limits !== undefined) return
    const { clock, sweep } = this.shared
    const now = clock.now()
    const forgivingNow = sweep.forgivingAt(now)
    this.#lookAgain(now, forgivingNow, keepalive.note(forgivingNow))
  }

  noteUnread(duration: number): void {
    this.#rate?.excuse(duration)
  }

  flush(): void {
    this.#writer?.flush()
  }

  noteControl(): void {
    if (this.#limits !== undefined) this.#limits.controlFrames++
  }

  lookBy(at: number): void {
    this.restsFor = 0
    if (at < this.dueAt) this.shared.sweep.move(this, at)
  }

  makeController(): AbortController {
    return makeController()
  }

  abortSignal(controller: AbortController, reason: Error): void {
    this.context.enter(() => controller.abort(reason), undefined)
  }

  abortReason(): Error {
    return new ConnectionClosedError(this.#record.cause)
  }

  releaseLate(release: Release): void {
    void runRelease(this, release)
  }

  #makeScope(): ReleaseScope {
    const scope = new ReleaseScope(this)
    if (this.#phase.name === 'closing') queueMicrotask(() => this.#settle())
    else if (this.#phase.name === 'closed') scope.abort()
    return scope
  }

  #makeLimits(expiresAt: number): TimeLimits {
    const { clock, sweep } = this.shared
    const { settings } = this.#route
    const [now, { forgivingNow }] = [clock.now(), sweep]
    const limits = new TimeLimits(settings, expiresAt, now, forgivingNow, Math.random())
    // From what is there now on something moves; the kernel has taken the 101 already, for instance.
    limits.look(this.#timeFacts(now, forgivingNow))
    return limits
  }

  /** @returns how long until the next look, in ms */
  #watchTime(limits: TimeLimits, now: number, forgivingNow: number): number {
    const facts = this.#timeFacts(now, forgivingNow)
    // What came while our loop stood still is heard first.
    if (limits.look(facts) !== undefined) afterNextPoll(() => this.#endOfTime(limits))
    return limits.remaining(facts)
  }

  #endOfTime(limits: TimeLimits): void {
    const { clock, sweep } = this.shared
    const cause = limits.look(this.#timeFacts(clock.now(), sweep.forgivingNow))
    if (cause !== undefined) this.end(cause, TIME_CODES[cause])
  }

  #timeFacts(now: number, forgivingNow: number): TimeFacts {
    const { raw, socket } = this
    const [pauses, fragments] = [this.#reader?.pauses ?? 0, this.#writer?.fragments ?? 0]
    const held = bytesHeld(raw)
    return {
      now,
      forgivingNow,
      wall: this.shared.clock.wall(),
      activity: this.#messagesReceived + this.sent + fragments + pauses,
      arriving: bytesArriving(socket),
      taken: takenFrom(raw, held),
      backlogged: held > 0 || bufferedByWs(socket) > 0 || queuedFrames(socket) > 0,
      // What waits for our own compression moves as little as what waits for our own handler.
      busy: this.#reader?.isBusy === true || isParsing(socket) || isPreparing(socket),
    }
  }

  #heard(): void {
    this.received++
    this.receivedAt = this.shared.sweep.forgivingAtTick
  }

  /** @returns whether plain listeners are to hear it at once */
  #admitsMessage(data: unknown, isBinary: boolean): boolean {
    this.#heard()
    this.#messagesReceived++
    const isWithinRate = this.#rate === undefined || this.#isWithin(this.#rate)
    if (!isWithinRate) this.end('rate-limited', 1008)
    if (!isWithinRate || this.#dropsMessages) {
      this.shared.facts.messagesDropped(1)
      return false
    }
    return this.#reader === undefined || this.#reader.accept(data, isBinary)
  }

  #isWithin(rate: MessageRate): boolean {
    const { clock, sweep } = this.shared
    // While our loop stood still, nothing was read.
    rate.excuse(sweep.forgiven - this.#forgiven)
    this.#forgiven = sweep.forgiven
    return rate.admits(clock.now())
  }

  /** The first cause wins; after some, what was received is not handled any more. */
  #note(cause: CloseCause, error?: Error): void {
    this.#record.note(cause, error)
    const isFirst = this.#record.cause === cause
    const isFault = isFirst && DROPS_MESSAGES.has(cause)
    // A drain has waited for what came before its close frame, and handles that also where it takes longer.
    if (isFault || (isFirst && cause === 'shutdown')) this.#dropsMessages = true
    if (isFault) this.#reader?.drop()
  }

  #sendClose(code: number | undefined, reason: string): void {
    this.#record.noteSent(code, reason)
    this.flush()
    try {
      WebSocket.prototype.close.call(this.socket, code, reason)
      // The peer's close frame must get in, also where the app has paused reading.
      if (this.socket.isPaused) this.socket.resume()
    } finally {
      this.#leaveOpen()
    }
  }

  /** Where the app has ended it, nothing more reaches whoever reads for it. */
  #dismiss(): void {
    if (BY_THE_APP.has(this.#record.cause)) this.#reader?.dismiss()
  }

  #noteRefusal(): void {
    if (!this.isHandlerSettled) this.#isRefused = true
  }

  #sendableCode(code: unknown): number | undefined {
    const sent = toSendableCode(code, CloseCode.NormalClosure)
    if (sent === undefined || sent === code) return sent
    this.shared.facts.closeCodeReplaced(this, kindOf(code), sent)
    return sent
  }

  #leaveOpen(): void {
    if (this.#phase.name !== 'open') return
    const { sweep, transitions } = this.shared
    const { closeTimeout } = this.#route.settings
    const deadline = new CloseDeadline(closeTimeout, transitions.forgivingNow, bytesTaken(this.raw))
    const watch: Swept = {
      dueAt: 0,
      place: OFF,
      onSweep: (now, forgivingNow) => this.#watchClosing(watch, deadline, now, forgivingNow),
    }
    this.#phase = { name: 'closing', watch, deadline }
    sweep.delete(this)
    transitions.add(watch)
    this.#writer?.end()
    queueMicrotask(() => this.#settle())
  }

  /** Aborts the signal, once the cause is certain and our close frame is with the stream. */
  #settle(): void {
    this.#record.trustOwnClose()
    const isFrameReceived = isCloseFrameReceived(this.socket)
    if (isFrameReceived || !isParsing(this.socket)) this.#record.trustFinished(isFrameReceived)
    if (this.#record.cause !== undefined && queuedFrames(this.socket) === 0) this.#scope?.abort()
  }

  #watchClosing(watch: Swept, deadline: CloseDeadline, now: number, forgivingNow: number): void {
    this.#settle()
    const { closeTimeout } = this.#route.settings
    const remaining = deadline.look(forgivingNow, bytesTaken(this.raw))
    this.shared.transitions.move(watch, now + Math.min(remaining, closeTimeout / 10))
    // What came while our loop stood still is heard first.
    if (remaining <= 0) afterNextPoll(() => this.#judgeClosing(deadline))
  }

  #judgeClosing(deadline: CloseDeadline): void {
    if (this.#phase.name !== 'closing') return
    if (deadline.look(this.shared.transitions.forgivingNow, bytesTaken(this.raw)) > 0) return
    this.wasForced = true
    this.#cutOff()
  }

  /** Destroys the stream; nobody waits for what came over it and is not parsed yet. */
  #cutOff(): void {
    this.#isCutOff = true
    this.raw.destroy()
    if (this.#hasStreamClosed) this.rawClosed()
  }

  #answerPing(data: Buffer): void {
    if (!this.shared.answersPings) return
    this.bytesUnseen += data.length
    this.#pongs ??= new Pongs(this)
    this.#pongs.answer(data)
  }

  #sawError(error: Error): void {
    const code = peek(error, 'code')
    if (typeof code === 'string' && PEERS_FAULT.test(code)) {
      this.#record.explain(TOO_BIG.test(code) ? 'message-too-big' : 'protocol-error', error)
    } else {
      this.#record.note('handler-error', error)
      this.fail(error, 'error')
      this.#leaveOpen()
    }
  }

  #transportGone(code: number, reason: Buffer): void {
    if (this.socket.readyState !== WebSocket.CLOSED || 'close' in this.#phase) return
    const { raw } = this
    const isSocket = raw instanceof Socket
    const close = this.#record.conclude(
      {
        transportError: raw.errored ? toError(raw.errored) : undefined,
        received: code === 1006 ? undefined : Object.freeze({ code, reason: reason.toString() }),
        isSentHandedOver: queuedFrames(this.socket) === 0,
        openedAt: this.#openedAtWall,
        duration: this.shared.clock.now() - this.#openedAt,
        messagesReceived: this.#messagesReceived,
        messagesSent: this.sent,
        bytesReceived: isSocket ? raw.bytesRead - this.#bytesReadBefore : 0,
        bytesSent: this.#bytesSent,
        latency: this.latency,
      },
      this.#route.settings.expectedCloseCodes,
    )
    const { sweep, transitions } = this.shared
    if (this.#phase.name === 'closing') transitions.delete(this.#phase.watch)
    else sweep.delete(this)
    this.#phase = { name: 'closed', close }
    this.#writer?.transportGone()
    this.#slots?.giveBack()
    this.shared.facts.connectionClosed(this, close)
    queueMicrotask(() => void this.#release(close))
  }

  /** The rest of the end, in its order: hooks while the resources live, then the releases. */
  async #release(close: CloseInfo): Promise<void> {
    this.scope.abort()
    if (this.#reader !== undefined) await this.#finishMessages(this.#reader)
    await this.callbacks.settleErrors()
    await this.callbacks.tellClose(close)
    await runReleases(this, this.scope)
    await this.callbacks.settleErrors()
    this.#goodbye?.end('needless')
    this.#phase = { name: 'released', close }
    this.shared.facts.connectionReleased(this)
    this.#closed.resolve(close)
  }

  /** What was received before the end is handled, as a step of it; what is left then is dropped. */
  async #finishMessages(reader: Reader): Promise<void> {
    await runStep(this, 'messages', () => reader.finish())
    reader.abandon()
  }
}

/** What was given to a socket, and may still wait with node. */
function writtenTo(raw: Duplex): number {
  return raw instanceof Socket ? raw.bytesWritten : 0
}

/** What the kernel took; 0 where node does not tell. */
function takenFrom(raw: Duplex, held?: number): number {
  return bytesTaken(raw, held) ?? 0
}
