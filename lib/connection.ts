import { randomUUID } from 'node:crypto'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import { WebSocket } from 'ws'
import { Callbacks, type Host, type Route } from './callbacks.js'
import { isSendableCode, truncateReason } from './core/close-codes.js'
import { CloseDeadline } from './core/close-deadline.js'
import { type CloseCause, type CloseInfo, closeLogLevel } from './core/close-info.js'
import { CloseRecord } from './core/close-record.js'
import { type Release, ReleaseScope, type ScopeOwner } from './core/scope.js'
import { Deferred } from './deferred.js'
import { makeController } from './controller.js'
import { runRelease, runReleases, tell } from './ending.js'
import { ConnectionClosedError, toError } from './errors.js'
import { bytesTaken, isCloseFrameReceived, isParsing, queuedFrames } from './internals.js'
import { Keepalive, type Peer } from './keepalive.js'
import type { RawWatcher } from './raw.js'
import type { LiveConnection } from './registry.js'
import type { Shell } from './shell.js'
import type { ConnectionSocket, SocketOwner } from './socket.js'
import type { Swept } from './sweep.js'

/** What a connection takes over from its upgrade request. */
export interface Handover {
  readonly raw: Duplex
  readonly request: FastifyRequest
  readonly route: Route
  readonly scope: ReleaseScope | undefined
  /** `raw.bytesRead` when the handshake was read, and nothing after it. */
  readonly bytesRead: number
}

/**
 * Where a connection stands; each phase knows what it alone needs.
 *
 *     open ──▶ closing ──▶ closed ──▶ released
 *       └───────────────────▲
 */
type Phase =
  | { readonly name: 'open' }
  | { readonly name: 'closing'; readonly deadline: CloseDeadline }
  | { readonly name: 'closed'; readonly close: CloseInfo }
  | { readonly name: 'released'; readonly close: CloseInfo }

const OPEN: Phase = { name: 'open' }

/** ws names what the peer did wrong with codes of its own, zlib with these. */
const PEERS_FAULT = /^(?:WS_ERR_|Z_)/
const TOO_BIG = /^WS_ERR_UNSUPPORTED_(?:MESSAGE|DATA_PAYLOAD)_LENGTH$/

/** One connection, from the 101 to its last release: it carries out what the core decides. */
export class Connection
  implements Swept, ScopeOwner, RawWatcher, Host, Peer, SocketOwner, LiveConnection
{
  dueAt: number
  wasForced = false
  /** Messages and control frames. */
  received = 0
  /** Messages. */
  sent = 0
  readonly shell: Shell
  readonly socket: ConnectionSocket
  readonly request: FastifyRequest
  readonly raw: Duplex
  readonly callbacks: Callbacks
  readonly #route: Route
  readonly #record = new CloseRecord()
  readonly #closed = new Deferred<CloseInfo>()
  readonly #keepalive: Keepalive | undefined
  readonly #openedAt: number
  readonly #openedAtWall: number
  readonly #bytesReadBefore: number
  readonly #bytesWrittenBefore: number
  #phase: Phase = OPEN
  #id: string | undefined
  #scope: ReleaseScope | undefined
  #messagesReceived = 0
  #isPongHeld = false
  #owedPong: Buffer | undefined

  constructor(shell: Shell, socket: ConnectionSocket, handover: Handover) {
    const { raw, request, route, scope } = handover
    this.shell = shell
    this.socket = socket
    this.request = request
    this.raw = raw
    this.callbacks = new Callbacks(this, route)
    this.#route = route
    this.#scope = scope
    this.#openedAt = shell.clock.now()
    this.#openedAtWall = shell.clock.wall()
    this.#bytesReadBefore = handover.bytesRead
    this.#bytesWrittenBefore = raw instanceof Socket ? raw.bytesWritten : 0
    const { keepalive } = route.settings
    this.#keepalive = keepalive === false ? undefined : new Keepalive(this, keepalive)
    this.dueAt = keepalive === false ? Infinity : this.#openedAt
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

  get closed(): Promise<CloseInfo> {
    return this.#closed.promise
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN
  }

  get isReleased(): boolean {
    return this.#phase.name === 'released'
  }

  // What the app does, through its socket.

  close(code: number | undefined, reason: string | Buffer | undefined): void {
    const text = truncateReason(toText(reason))
    if (!this.isOpen) {
      this.#record.trustOwnClose()
      WebSocket.prototype.close.call(this.socket)
    } else if (isCloseFrameReceived(this.socket)) {
      this.end('client-close', code, text)
    } else {
      this.#record.noteOwnClose()
      this.#sendClose(this.#sendableCode(code), text)
    }
  }

  terminate(cause: CloseCause): void {
    if (this.socket.readyState === WebSocket.CLOSED) return
    this.#record.note(cause)
    WebSocket.prototype.terminate.call(this.socket)
    this.#leaveOpen()
  }

  // What ws and the raw stream tell.

  admits(event: string | symbol, first: unknown, second: unknown): boolean {
    switch (event) {
      case 'message':
        this.received++
        this.#messagesReceived++
        return !this.shell.registry.drops()
      case 'ping':
        this.received++
        this.#answerPing(first as Buffer)
        return true
      case 'pong':
        this.received++
        this.#keepalive?.pong(first as Buffer)
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

  rawEnded(): void {
    this.#record.noteFinished()
    this.#leaveOpen()
    // A stream that is no socket has nobody who destroys it when both sides are done (injectWS).
    if (!(this.raw instanceof Socket)) setImmediate(() => this.raw.destroy())
  }

  // What the plugin does.

  /** Ends the connection, for a reason of our own or with the peer's own code. */
  end(cause: CloseCause, code: number | undefined, reason: string): void {
    if (!this.isOpen) return
    this.#record.note(cause)
    this.#sendClose(code, reason)
  }

  sayGoodbye(remaining: number): Promise<void> {
    return this.callbacks.sayGoodbye(remaining)
  }

  cut(): void {
    if (this.socket.readyState === WebSocket.CLOSED) return
    this.wasForced = true
    this.terminate('shutdown')
  }

  fail(error: unknown, step: string): void {
    this.callbacks.fail(error, step)
  }

  noteHandlerError(error: Error): void {
    if (this.isOpen) this.#record.note('handler-error', error)
  }

  endOfHandlerError(): void {
    this.end('handler-error', 1011, '')
  }

  onSweep(now: number, alive: number): void {
    if (this.#phase.name === 'closing') this.#watchClosing(this.#phase.deadline, now)
    else if (this.#keepalive !== undefined) this.dueAt = now + this.#keepalive.watch(alive)
  }

  makeController(): AbortController {
    return makeController()
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

  #sendClose(code: number | undefined, reason: string): void {
    this.#record.noteSent(code, reason)
    WebSocket.prototype.close.call(this.socket, code, reason)
    // The peer's close frame must get in, also where the app has paused reading.
    if (this.socket.isPaused) this.socket.resume()
    this.#leaveOpen()
  }

  #sendableCode(code: unknown): number | undefined {
    if (code === undefined || isSendableCode(code)) return code
    const { id, routeUrl: route } = this
    tell(
      this.log,
      'warn',
      { id, route, code },
      'close() got a code that may not be sent; 1000 was sent',
    )
    return 1000
  }

  #leaveOpen(): void {
    if (this.#phase.name !== 'open') return
    const now = this.shell.clock.now()
    const { closeTimeout } = this.#route.settings
    const deadline = new CloseDeadline(closeTimeout, now, bytesTaken(this.raw))
    this.#phase = { name: 'closing', deadline }
    this.dueAt = now
    queueMicrotask(() => this.#settle())
  }

  /** Aborts the signal, once the cause is certain and our close frame is with the stream. */
  #settle(): void {
    this.#record.trustOwnClose()
    const isFrameReceived = isCloseFrameReceived(this.socket)
    if (isFrameReceived || !isParsing(this.socket)) this.#record.trustFinished(isFrameReceived)
    if (this.#record.cause !== undefined && queuedFrames(this.socket) === 0) this.#scope?.abort()
  }

  #watchClosing(deadline: CloseDeadline, now: number): void {
    this.#settle()
    const { closeTimeout } = this.#route.settings
    const remaining = deadline.look(now, bytesTaken(this.raw))
    this.dueAt = now + Math.min(remaining, closeTimeout / 10)
    if (remaining > 0) return
    this.wasForced = true
    this.raw.destroy()
  }

  /** Behind a backlog only the latest ping is owed an answer, one at a time (RFC 6455 §5.5.3). */
  #answerPing(data: Buffer): void {
    if (!this.shell.answersPings || !this.isOpen) return
    if (this.#isPongHeld) {
      this.#owedPong = data
    } else if (this.raw.writableNeedDrain || queuedFrames(this.socket) > 0) {
      this.#isPongHeld = true
      WebSocket.prototype.pong.call(this.socket, data, false, () => this.#pongLeft())
    } else {
      WebSocket.prototype.pong.call(this.socket, data)
    }
  }

  #pongLeft(): void {
    const data = this.#owedPong
    this.#owedPong = undefined
    this.#isPongHeld = false
    if (data !== undefined) this.#answerPing(data)
  }

  #sawError(error: Error): void {
    const code = String(Reflect.get(error, 'code'))
    if (PEERS_FAULT.test(code)) {
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
        transportError: raw.errored ?? undefined,
        received: code === 1006 ? undefined : Object.freeze({ code, reason: reason.toString() }),
        isSentHandedOver: queuedFrames(this.socket) === 0,
        openedAt: this.#openedAtWall,
        duration: this.shell.clock.now() - this.#openedAt,
        messagesReceived: this.#messagesReceived,
        messagesSent: this.sent,
        bytesReceived: isSocket ? raw.bytesRead - this.#bytesReadBefore : 0,
        bytesSent: isSocket ? raw.bytesWritten - this.#bytesWrittenBefore : 0,
        latency: this.latency,
      },
      this.#route.settings.expectedCloseCodes,
    )
    this.#phase = { name: 'closed', close }
    this.shell.sweep.delete(this)
    this.shell.registry.closed(close.cause)
    const { cause, initiator, clean, expected, duration } = close
    const { id, routeUrl: route } = this
    tell(
      this.log,
      closeLogLevel(close),
      { id, route, cause, code: close.code, initiator, clean, expected, duration },
      'WebSocket connection ended',
    )
    queueMicrotask(() => void this.#release(close))
  }

  /** The rest of the end, in its order: hooks while the resources live, then the releases. */
  async #release(close: CloseInfo): Promise<void> {
    this.scope.abort()
    await this.callbacks.settleErrors()
    await this.callbacks.tellClose(close)
    await runReleases(this, this.scope)
    await this.callbacks.settleErrors()
    this.#phase = { name: 'released', close }
    this.shell.registry.forget(this)
    this.#closed.resolve(close)
  }
}

/** A close reason as text: `close()` must not throw for what JavaScript lets people pass. */
function toText(reason: unknown): string {
  if (ArrayBuffer.isView(reason)) {
    return Buffer.from(reason.buffer, reason.byteOffset, reason.byteLength).toString()
  }
  return typeof reason === 'string' || typeof reason === 'number' ? String(reason) : ''
}
