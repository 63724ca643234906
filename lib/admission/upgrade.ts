import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify'
import type { RefusalReason } from '../api/api.js'
import { type Refusal, refusePerKey } from './verdict.js'
import { Answer } from './answer.js'
import { Connection } from '../connection/connection.js'
import { RequestContext } from '../platform/context.js'
import { REPLACED } from '../core/close/codes.js'
import { type Limit, Slots } from '../core/admission/limits.js'
import { ReleaseScope } from '../core/scope.js'
import type { Claimant, Succession } from '../core/admission/succession.js'
import { ScopeKeeper, type ScopeKeeperOwner } from '../callbacks/scope-keeper.js'
import { Deferred } from '../platform/deferred.js'
import { runReleases } from '../callbacks/run-step.js'
import {
  ConnectionClosedError,
  credentialsExpired,
  handshakeTimeout,
  type LifecycleError,
  tooLateToRefuse,
} from '../errors.js'
import { toExpiry } from '../options/expiry.js'
import type { RouteSettings } from '../options/settings.js'
import { type RawWatcher, rewatchRaw, watchRaw } from '../platform/raw-watcher.js'
import { setImmediate } from '../platform/real-time.js'
import type { PendingUpgrade } from '../facts/registry.js'
import { type Route, routeOf } from '../routes/route.js'
import type { Shared } from '../connection/shared.js'
import { ConnectionSocket } from '../connection/socket.js'
import { afterNextPoll, type Swept } from '../time/sweep.js'
import { toPromise } from '../platform/thenable.js'
import { toError } from '../platform/thrown.js'
import { OFF } from '../time/wheel.js'

/** Of a path that is no route's. */
const LONGEST_PATH = 200

const kScoped = Symbol('fastify-websocket-lifecycle.scoped')

/** `send` as it was before it was watched. */
const kSend = Symbol('fastify-websocket-lifecycle.send')

interface WatchedReply extends FastifyReply {
  [kSend](payload?: unknown): FastifyReply
}

interface ScopedMessage extends IncomingMessage {
  [kScoped]?: Upgrade | Connection
}

/** The upgrade that a request is, as long as it is one. */
export function upgradeOf(message: IncomingMessage): Upgrade | undefined {
  const holder = (message as ScopedMessage)[kScoped]
  return holder instanceof Upgrade ? holder : undefined
}

/** The scope of an upgrade request, before and after its 101; `undefined` for any other request. */
export function scopeOf(message: IncomingMessage): ReleaseScope | undefined {
  return (message as ScopedMessage)[kScoped]?.scope
}

/** Whether a request is an upgrade, or has been one before its 101. */
export function isUpgrade(message: IncomingMessage): boolean {
  return kScoped in message
}

/** The handshake threw: before the 101 the socket ends, after it the connection does. */
export function failHandshake(message: IncomingMessage, error: unknown): void {
  const holder = (message as ScopedMessage)[kScoped]
  holder?.fail(error, 'handshake')
  if (holder instanceof Upgrade) holder.destroyNow()
}

/** One upgrade request, from node's `'upgrade'` event to its 101, its refusal or its loss. */
export class Upgrade implements Swept, ScopeKeeperOwner, RawWatcher, Claimant, PendingUpgrade {
  dueAt = 0
  place: number = OFF
  readonly shared: Shared
  readonly order: number
  readonly #message: ScopedMessage
  readonly #raw: Duplex
  readonly #head: Buffer
  /** By the forgiving time of the sweep. */
  readonly #startedAt: number
  /** By when it has to be decided, or its refused peer has to be gone; by the forgiving time too. */
  #until = Infinity
  readonly #bytesRead: number
  readonly #answer: Answer
  #settings: RouteSettings
  #log: FastifyBaseLogger
  #request: FastifyRequest | undefined
  #route: Route | undefined
  #scope: ReleaseScope | undefined
  #context: RequestContext | undefined
  #id: string | undefined
  #slots: Slots | undefined
  /** As long as it waits for an older connection of the same key to end. */
  #seated: Deferred<void> | undefined
  /** Whether ws has been asked to shake hands: that may take its time, where functions of the app are asked. */
  #isShaking = false
  #hasGivenWay = false
  #headers: readonly string[] | undefined
  #expiresAt = Infinity
  #isRefused = false
  #isOver = false
  /** Whether the stream is somebody else's; only its end is watched. */
  #isLetGo = false
  readonly #released = new Deferred<void>()

  constructor(
    shared: Shared,
    message: IncomingMessage,
    raw: Duplex,
    head: Buffer,
    settings: RouteSettings,
    log: FastifyBaseLogger,
  ) {
    this.shared = shared
    this.order = shared.facts.upgradeArrived(this)
    this.#message = message
    this.#raw = raw
    this.#head = head
    this.#settings = settings
    this.#log = log
    this.#startedAt = shared.transitions.forgivingNow
    this.#answer = new Answer(raw)
    const isSocket = raw instanceof Socket
    this.#bytesRead = isSocket ? raw.bytesRead - head.length : 0
    // node forgets the address when the socket closes, unless somebody has asked before: this is
    // what lets `request.ip` answer in onClose.
    if (isSocket) void raw.remoteAddress
    this.#message[kScoped] = this
    watchRaw(raw, this)
    shared.transitions.add(this)
    this.#endBy(this.#handshakeBy)
  }

  get id(): string {
    return (this.#id ??= randomUUID())
  }

  get log(): FastifyBaseLogger {
    return this.#log
  }

  get routeUrl(): string {
    if (this.#knownUrl !== undefined) return this.#knownUrl
    // A path that is none of a route's has no parameters. Before that is known they may be secrets, as a query may.
    if (this.#request?.is404 !== true) return ''
    return String(this.#message.url).split('?', 1).join().slice(0, LONGEST_PATH)
  }

  get cleanupTimeout(): number {
    return this.#settings.cleanupTimeout
  }

  get scope(): ReleaseScope {
    if (this.#scope === undefined) {
      this.#scope = new ReleaseScope(new ScopeKeeper(this))
      this.#context = new RequestContext()
      if (this.#isOver) {
        this.#scope.abort()
        this.#scope.next()
      }
    }
    return this.#scope
  }

  /** As it was where the scope was first asked for: nothing of the app's is called before. */
  get context(): RequestContext {
    return (this.#context ??= new RequestContext())
  }

  /** Whether its handler must not run any more. */
  get isLost(): boolean {
    return this.#isRefused || this.#isOver
  }

  /** Whether nothing can be decided of it any more: it is lost, or being answered. */
  get isDecided(): boolean {
    return !this.#answer.isOpen || this.isLost
  }

  /** Whether Fastify may still be told what to answer. */
  get mayAnswer(): boolean {
    return this.#answer.isOpen && !this.#isOver
  }

  get isStaying(): boolean {
    const isLeaving = this.isLost || this.#hasGivenWay
    return !isLeaving && (this.#isShaking || this.#answer.isOpen)
  }

  get released(): Promise<void> {
    return this.#released.promise
  }

  /** Our first hook has seen it: from now on Fastify can answer, and the route's options hold. */
  enter(request: FastifyRequest, reply: FastifyReply): void {
    if (this.#request !== undefined) return
    this.#request = request
    this.#answer.enter(reply)
    this.#log = request.log
    // The response of a stream that is no socket never says that it has finished (injectWS).
    if (!(this.#raw instanceof Socket)) {
      reply.raw.once('prefinish', () => setImmediate(() => this.destroyNow()))
    }
    const send: unknown = Reflect.get(reply, 'send')
    Object.assign(reply, { [kSend]: send, send: replySend })
    const route = routeOf(request.routeOptions.config)
    if (!route) return
    this.#route = route
    this.#settings = route.settings
    this.#endBy(this.#handshakeBy)
  }

  /** Fastify has been handed it. What it answers before any hook has run, it does not end. */
  routed(): void {
    if (this.#request !== undefined) return
    this.#answer.watchUnseen(this.#message, (wereHooksRun) => {
      if (this.#request !== undefined) return
      if (!wereHooksRun) this.refuse('route', 'no route of ours has answered it')
      this.#endSoon()
      this.#answer.end()
    })
  }

  /** The app has taken the reply: what becomes of the stream is its own affair, but for what was acquired. */
  hijacked(): void {
    if (!this.#answer.mayBeTaken || this.isLost) return
    this.#answer.leaveToApp()
    this.#flush()
  }

  /** Takes a place in a limit, until the connection has ended. @returns whether there was room */
  take(limit: Limit, key = ''): boolean {
    return (this.#slots ??= new Slots()).take(limit, key)
  }

  /** Takes a place of a key, or begins to wait for one; gives way where newer ones have them all. */
  claim(succession: Succession, key: string): void {
    const seat = (this.#slots ??= new Slots()).claim(succession, key, this)
    if (seat === undefined) this.giveWay()
    else if (!seat.isTaken) this.#seated ??= new Deferred()
  }

  seated(): void {
    this.#seated?.resolve()
  }

  /** It is told what it would be told a moment after its 101: so much for the peer does not depend on who is faster. */
  giveWay(): void {
    if (this.#isShaking) this.#hasGivenWay = true
    if (this.isDecided) return
    this.refuse('key', 'a newer one of the same key has come')
    this.#closeAtOnce(REPLACED, 'replaced')
  }

  /**
   * All hooks have run: the route's messages can be read, its credentials still hold, and there is room
   * for one more of that key.
   * @returns what to await, if there is something
   */
  prepare(request: FastifyRequest, route: Route): Promise<void> | undefined {
    route.prepare(request)
    const { expiresAt } = route.settings
    if (expiresAt === undefined) return this.#takeKey(request, route)
    return this.#checkExpiry(expiresAt, request).then(() => this.#takeKey(request, route))
  }

  /** ws has sent the 101: the connection takes over, unless it was none of our routes that opened. */
  open(socket: ConnectionSocket): void {
    if (this.#request === undefined || this.#route === undefined) {
      this.#flush()
      return
    }
    const connection = new Connection(this.shared, socket, {
      raw: this.#raw,
      request: this.#request,
      route: this.#route,
      scope: this.#scope,
      bytesRead: this.#bytesRead,
      expiresAt: this.#expiresAt,
      slots: this.#slots,
    })
    this.#scope?.handTo(new ScopeKeeper(connection))
    this.#message[kScoped] = connection
    rewatchRaw(this.#raw, connection)
    this.#forget()
    this.shared.sweep.add(connection)
    ConnectionSocket.attach(socket, connection)
    this.shared.facts.connectionOpened(connection)
    this.#slots?.handTo(connection)
    if (this.#hasGivenWay) connection.giveWay()
  }

  /** Counts and logs a refusal; whoever calls it sees to the answer. */
  refuse(reason: RefusalReason, why: string): void {
    this.#isRefused = true
    this.#giveBack()
    this.#endSoon()
    const about = { route: this.routeUrl, why }
    this.shared.facts.upgradeRefused(this.#log, reason, this.#knownUrl, about)
  }

  /**
   * Refuses in the way that the route wants.
   * @returns what Fastify is to answer; `undefined` if it was answered
   */
  turnAway({ reason, error, closeCode }: Refusal): LifecycleError | undefined {
    this.refuse(reason, error.message)
    if (this.#settings.refuse === 'close-frame') {
      this.#closeAtOnce(closeCode, reason)
      return undefined
    }
    this.#answer.setHeaders(error)
    return error
  }

  /**
   * The app refuses.
   * @throws FST_ERR_WSL_TOO_LATE_TO_REFUSE
   */
  refuseWithClose(reply: FastifyReply, code: number | undefined, reason: string): void {
    // A hook that was added before ours may be the first to see it.
    this.enter(reply.request, reply)
    const isOver = this.#isOver || this.#answer.isGiven
    if (!isOver && this.#answer.isTheirs) throw tooLateToRefuse(`GET ${this.routeUrl}`)
    if (isOver) {
      reply.hijack()
      return
    }
    // An error handler may say in its own way what we have refused.
    const what = code === undefined ? 'no code' : `${code} ${reason}`.trimEnd()
    if (!this.#isRefused) this.refuse('hook', `the app closed it with ${what}`)
    this.#closeAtOnce(code, reason)
  }

  /** Lines of the 101 that the app's hooks have asked for. */
  get headers(): readonly string[] | undefined {
    return this.#headers
  }

  /** ws shakes hands: nothing else may be written any more. Throws where a header may not be sent, and Fastify can say so. */
  noteHandshake(): void {
    this.#headers = this.#answer.handshakeHeaders()
    this.#isShaking = true
    this.#answer.leaveToHandshake()
  }

  /** Fastify was told to send something. */
  noteSend(payload: unknown): void {
    if (!this.#answer.noteSend(payload)) return
    // Our onResponse hook ends the socket, unless one of the app's fails before.
    this.#answer.onceWritten(() => this.#endSoon())
    // As long as nothing was sent, a hook could refuse.
    if (this.#request?.is404 === true && !this.isLost)
      this.refuse('route', 'there is no such route')
  }

  /** Refuses, and answers from outside of Fastify's hooks: one of them may never settle. */
  refuseNow(reason: RefusalReason, error: LifecycleError): void {
    if (this.isLost) return
    if (this.#answer.isUnwritten) {
      this.refuse(reason, error.message)
      this.#answer.give(error)
    } else {
      // Fastify has answered, outside of our encapsulation: nobody ends that socket but us.
      this.#endSoon()
      this.#answer.end()
    }
  }

  onSweep(now: number, forgivingNow: number): void {
    if (forgivingNow < this.#until)
      this.shared.transitions.move(this, now + this.#until - forgivingNow)
    // What came while our loop stood still is heard first.
    else afterNextPoll(() => this.#judge())
  }

  /** The handshake took too long, or a refused peer does not go. */
  #judge(): void {
    // It may have opened or ended meanwhile, or been refused, and has a new deadline.
    if (this.place === OFF || this.shared.transitions.forgivingNow < this.#until) return
    if (this.#answer.isForeign) this.#flush()
    else if (this.#isRefused || !this.#answer.isUnwritten) this.destroyNow()
    else this.refuseNow('handshake', handshakeTimeout(String(this.#settings.handshakeTimeout)))
  }

  destroyNow(): void {
    this.shared.transitions.delete(this)
    this.#raw.destroy()
  }

  /** A peer that sent a FIN before the 101 has left: nothing that it could say completes it. */
  rawEnded(): void {
    if (this.#answer.isForeign) this.#flush()
    if (this.#isLetGo) return
    this.#end()
    this.destroyNow()
  }

  rawClosed(): void {
    this.#end()
  }

  abortReason(): Error {
    return new ConnectionClosedError(undefined)
  }

  fail(error: unknown, step: string): void {
    this.shared.facts.upgradeCallbackFailed(this, step, toError(error))
  }

  /** @throws FST_ERR_WSL_TOO_MANY_CONNECTIONS_PER_KEY */
  #takeKey(request: FastifyRequest, route: Route): Promise<void> | undefined {
    const refusal = this.isDecided ? undefined : refusePerKey(this, request, route)
    const error = refusal && this.turnAway(refusal)
    if (error !== undefined) throw error
    return this.#seated?.promise
  }

  #endSoon(): void {
    this.#endBy(this.shared.transitions.forgivingNow + this.#settings.closeTimeout)
  }

  /** @param until by the forgiving time */
  #endBy(until: number): void {
    const { clock, transitions } = this.shared
    this.#until = until
    transitions.move(this, clock.now() + until - transitions.forgivingNow)
  }

  /** Completes the handshake only to close: that is what a browser's page can see. */
  #closeAtOnce(code: number | undefined, reason: string): void {
    this.#answer.takeOver()
    try {
      this.#headers = this.#answer.handshakeHeaders()
      this.shared.accept(this.#message, this.#raw, this.#head, (socket) => {
        // What a refused peer still says is heard by nobody, and what it does wrong concerns nobody.
        socket.on('error', ignore)
        socket.close(code, reason)
      })
    } catch (error) {
      // From a function that the app gave to ws.
      failHandshake(this.#message, error)
    }
  }

  async #checkExpiry(
    expiresAt: NonNullable<RouteSettings['expiresAt']>,
    request: FastifyRequest,
  ): Promise<void> {
    const when = await toPromise(expiresAt(request))
    if (when === undefined) return
    this.#expiresAt = toExpiry(when, `the answer of \`expiresAt\` of route ${this.routeUrl}`)
    if (this.#expiresAt <= this.shared.clock.wall()) throw credentialsExpired()
  }

  get #handshakeBy(): number {
    return this.#startedAt + (this.#settings.handshakeTimeout || Infinity)
  }

  /** The pattern of a route, ours or not. */
  get #knownUrl(): string | undefined {
    return this.#route?.url ?? this.#request?.routeOptions.url
  }

  /** The request is over without a connection. */
  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#giveBack()
    this.shared.transitions.delete(this)
    this.scope.abort()
    void runReleases(this, this.scope).then(() => {
      this.#forget()
      this.#released.resolve()
    })
  }

  /** No deadline and no drain concerns it any more. */
  #flush(): void {
    this.#isLetGo = true
    this.#forget()
  }

  /** Also what it still waits for. */
  #giveBack(): void {
    this.#slots?.giveBack()
    this.seated()
  }

  #forget(): void {
    this.shared.transitions.delete(this)
    this.shared.facts.upgradeEnded(this)
  }
}

/** `reply.send` of an upgrade: shared by all, and takes note that there is an answer. */
function replySend(this: WatchedReply, payload?: unknown): FastifyReply {
  if (!this.sent) upgradeOf(this.request.raw)?.noteSend(payload)
  return this[kSend](payload)
}

function ignore(): void {}
