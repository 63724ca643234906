import type { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify'
import type { RefusalReason } from '../api/lifecycle.js'
import { ScopeKeeper } from '../callbacks/scope-keeper.js'
import { Connection } from '../connection/connection.js'
import type { Shared } from '../connection/shared.js'
import { ConnectionSocket } from '../connection/socket.js'
import type { Capacity } from '../core/admission/capacity.js'
import type { Claimant, Succession } from '../core/admission/succession.js'
import { REPLACED } from '../core/close/codes.js'
import { handshakeTimeout, type LifecycleError } from '../errors.js'
import type { PendingUpgrade } from '../facts/registry.js'
import type { RouteSettings } from '../options/settings.js'
import { type RawWatcher, rewatchRaw, watchRaw } from '../platform/raw-watcher.js'
import { setImmediate } from '../platform/real-time.js'
import type { Route } from '../routes/route.js'
import { askExpiry } from './credentials.js'
import { Places } from './places.js'
import { Refusing, type RefusingOwner } from './refusing.js'
import { type SendWatcher, watchSend } from './reply-watch.js'
import { holderOf, setHolder } from './scope-holder.js'
import { UpgradeDeadline } from './upgrade-deadline.js'
import { type Handshake, UpgradeRequest } from './upgrade-request.js'
import { type Refusal, refusePerKey } from './verdict.js'

/** The upgrade that a request is, as long as it is one. */
export function upgradeOf(message: IncomingMessage): Upgrade | undefined {
  const holder = holderOf(message)
  return holder instanceof Upgrade ? holder : undefined
}

/** The handshake threw: before the 101 the socket ends, after it the connection does. */
export function failHandshake(message: IncomingMessage, error: unknown): void {
  const holder = holderOf(message)
  holder?.fail(error, 'handshake')
  if (holder instanceof Upgrade) holder.destroyNow()
}

/** One upgrade request, from node's `'upgrade'` event to its 101, its refusal or its loss. */
export class Upgrade
  extends UpgradeRequest
  implements Claimant, PendingUpgrade, RawWatcher, RefusingOwner, SendWatcher
{
  readonly order: number
  readonly #bytesRead: number
  readonly #deadline: UpgradeDeadline
  readonly #places = new Places()
  #refusing: Refusing | undefined
  #headers: readonly string[] | undefined
  #expiresAt = Infinity
  /** Whether ws has been asked to shake hands: that may take its time, where functions of the app are asked. */
  #isShaking = false
  #hasGivenWay = false
  /** Whether the stream is somebody else's; only its end is watched. */
  #isLetGo = false

  constructor(
    shared: Shared,
    handshake: Handshake,
    settings: RouteSettings,
    log: FastifyBaseLogger,
  ) {
    super(shared, handshake, settings, log)
    const [message, raw, head] = handshake
    const { clock, facts, transitions } = shared
    this.order = facts.upgradeArrived(this)
    const isSocket = raw instanceof Socket
    this.#bytesRead = isSocket ? raw.bytesRead - head.length : 0
    // node forgets the address when the socket closes, unless somebody has asked before: this is
    // what lets `request.ip` answer in onClose.
    if (isSocket) void raw.remoteAddress
    setHolder(message, this)
    watchRaw(raw, this)
    this.#deadline = new UpgradeDeadline(clock, transitions, () => this.#overdue())
    this.#deadline.endAt(this.decidedBy)
  }

  get isStaying(): boolean {
    const isLeaving = this.isLost || this.#hasGivenWay
    return !isLeaving && (this.#isShaking || this.answer.isOpen)
  }

  /** Our first hook has seen it: from now on Fastify can answer, and the route's options hold. */
  enter(request: FastifyRequest, reply: FastifyReply): void {
    if (this.request !== undefined) return
    this.answer.enter(reply)
    // The response of a stream that is no socket never says that it has finished (injectWS).
    if (!(this.raw instanceof Socket)) {
      reply.raw.once('prefinish', () => setImmediate(() => this.destroyNow()))
    }
    watchSend(reply, this)
    this.routedBy(request)
    if (this.route !== undefined) this.#deadline.endAt(this.decidedBy)
  }

  /** Fastify has been handed it. What it answers before any hook has run, it does not end. */
  routed(): void {
    if (this.request !== undefined) return
    this.answer.watchUnseen(this.message, (wereHooksRun) => {
      if (this.request !== undefined) return
      if (!wereHooksRun) this.refuse('route', 'no route of ours has answered it')
      this.endSoon()
      this.answer.end()
    })
  }

  /** The app has taken the reply: what becomes of the stream is its own affair, but for what was acquired. */
  hijacked(): void {
    if (!this.answer.mayBeTaken || this.isLost) return
    this.answer.leaveToApp()
    this.#letGo()
  }

  /** Takes a place, until the connection has ended. @returns whether there was room */
  take(capacity: Capacity, key = ''): boolean {
    return this.#places.take(capacity, key)
  }

  /** Takes a place of a key, or begins to wait for one; gives way where newer ones have them all. */
  claim(succession: Succession, key: string): void {
    if (!this.#places.claim(succession, key, this)) this.giveWay()
  }

  seated(): void {
    this.#places.seated()
  }

  /** It is told what it would be told a moment after its 101: so much for the peer does not depend on who is faster. */
  giveWay(): void {
    if (this.#isShaking) this.#hasGivenWay = true
    if (this.isDecided) return
    this.refuse('key', 'a newer one of the same key has come')
    this.#refuser.closeAtOnce(REPLACED, 'replaced')
  }

  /**
   * All hooks have run: the route's messages can be read, its credentials still hold, and there is room
   * for one more of that key.
   * @returns what to await, if there is something
   */
  prepare(request: FastifyRequest, route: Route): Promise<void> | undefined {
    route.prepare(request)
    const asking = askExpiry(route, request, this.shared.clock)
    if (asking === undefined) return this.#takeKey(request, route)
    return asking.then((expiresAt) => {
      this.#expiresAt = expiresAt
      return this.#takeKey(request, route)
    })
  }

  /** ws has sent the 101: the connection takes over, unless it was none of our routes that opened. */
  open(socket: ConnectionSocket): void {
    if (this.request === undefined || this.route === undefined) {
      this.#letGo()
      return
    }
    const connection = new Connection(this.shared, socket, {
      raw: this.raw,
      request: this.request,
      route: this.route,
      scope: this.usedScope,
      bytesRead: this.#bytesRead,
      expiresAt: this.#expiresAt,
      slots: this.#places.slots,
    })
    this.usedScope?.handTo(new ScopeKeeper(connection))
    setHolder(this.message, connection)
    rewatchRaw(this.raw, connection)
    this.forget()
    this.shared.sweep.add(connection)
    ConnectionSocket.attach(socket, connection)
    this.shared.facts.connectionOpened(connection)
    this.#places.handTo(connection)
    if (this.#hasGivenWay) connection.giveWay()
  }

  /** Counts and logs a refusal; whoever calls it sees to the answer. */
  refuse(reason: RefusalReason, why: string): void {
    this.isRefused = true
    this.#places.giveBack()
    this.endSoon()
    const about = { route: this.routeUrl, why }
    this.shared.facts.upgradeRefused(this.log, reason, this.pattern, about)
  }

  /** In the way that the route wants: see {@link Refusing.turnAway}. */
  turnAway(refusal: Refusal): LifecycleError | undefined {
    return this.#refuser.turnAway(refusal)
  }

  /** @throws FST_ERR_WSL_TOO_LATE_TO_REFUSE */
  refuseForApp(reply: FastifyReply, code: number | undefined, reason: string): void {
    // A hook that was added before ours may be the first to see it.
    this.enter(reply.request, reply)
    this.#refuser.refuseForApp(reply, code, reason)
  }

  /** Refuses, and answers from outside of Fastify's hooks: one of them may never settle. */
  refuseNow(reason: RefusalReason, error: LifecycleError): void {
    if (!this.isLost) this.#refuser.refuseNow(reason, error)
  }

  /** Lines of the 101 that the app's hooks have asked for. */
  get headers(): readonly string[] | undefined {
    return this.#headers
  }

  setHeaders(lines: readonly string[] | undefined): void {
    this.#headers = lines
  }

  /** ws shakes hands: nothing else may be written any more. Throws where a header may not be sent, and Fastify can say so. */
  noteHandshake(): void {
    this.#headers = this.answer.handshakeHeaders()
    this.#isShaking = true
    this.answer.leaveToHandshake()
  }

  /** Fastify was told to send something. */
  noteSend(payload: unknown): void {
    if (!this.answer.noteSend(payload)) return
    // Our onResponse hook ends the socket, unless one of the app's fails before.
    this.answer.onceWritten(() => this.endSoon())
    // As long as nothing was sent, a hook could refuse.
    if (this.request?.is404 === true && !this.isLost) this.refuse('route', 'there is no such route')
  }

  /** The handshake took too long, or a refused peer does not go. */
  #overdue(): void {
    if (this.answer.isForeign) this.#letGo()
    else if (this.isRefused || !this.answer.isUnwritten) this.destroyNow()
    else this.refuseNow('handshake', handshakeTimeout(String(this.settings.handshakeTimeout)))
  }

  destroyNow(): void {
    this.#deadline.stop()
    this.raw.destroy()
  }

  /** A peer that sent a FIN before the 101 has left: nothing that it could say completes it. */
  rawEnded(): void {
    if (this.answer.isForeign) this.#letGo()
    if (this.#isLetGo) return
    this.#end()
    this.destroyNow()
  }

  rawClosed(): void {
    this.#end()
  }

  /** Its peer has to be gone soon. */
  endSoon(): void {
    this.#deadline.endIn(this.settings.closeTimeout)
  }

  handshakeFailed(error: unknown): void {
    failHandshake(this.message, error)
  }

  get #refuser(): Refusing {
    return (this.#refusing ??= new Refusing(this))
  }

  /** @throws FST_ERR_WSL_TOO_MANY_CONNECTIONS_PER_KEY */
  #takeKey(request: FastifyRequest, route: Route): Promise<void> | undefined {
    const refusal = this.isDecided ? undefined : refusePerKey(this, request, route)
    const error = refusal && this.turnAway(refusal)
    if (error !== undefined) throw error
    return this.#places.untilSeated
  }

  /** The request is over without a connection. */
  #end(): void {
    if (this.isOver) return
    this.isOver = true
    this.#places.giveBack()
    this.#deadline.stop()
    void this.release()
  }

  /** No deadline and no drain concerns it any more. */
  #letGo(): void {
    this.#isLetGo = true
    this.forget()
  }

  protected override forget(): void {
    this.#deadline.stop()
    this.shared.facts.upgradeEnded(this)
  }
}
