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

/** The upgrade of a request, until its 101. */
export function upgradeOf(message: IncomingMessage): Upgrade | undefined {
  const holder = holderOf(message)
  return holder instanceof Upgrade ? holder : undefined
}

/** The handshake threw. Before the 101 the socket ends, after it the connection. */
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
  /** Whether ws is shaking hands. That may take time, if it asks functions of the app. */
  #isShaking = false
  #hasGivenWay = false
  /** Whether the stream now belongs to somebody else. We only watch for its end. */
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
    // node forgets the address when the socket closes, unless somebody has read it before. So `request.ip`
    // still works in onClose.
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

  /** Our first hook has seen it. Now Fastify can answer, and the route's options hold. */
  enter(request: FastifyRequest, reply: FastifyReply): void {
    if (this.request !== undefined) return
    this.answer.enter(reply)
    // On a stream that is no socket (injectWS) the response never says that it has finished.
    if (!(this.raw instanceof Socket)) {
      reply.raw.once('prefinish', () => setImmediate(() => this.destroyNow()))
    }
    watchSend(reply, this)
    this.routedBy(request)
    if (this.route !== undefined) this.#deadline.endAt(this.decidedBy)
  }

  /** Fastify has been given the request. If it answers before any hook, we end the socket. */
  routed(): void {
    if (this.request !== undefined) return
    this.answer.watchUnseen(this.message, (wereHooksRun) => {
      if (this.request !== undefined) return
      if (!wereHooksRun) this.refuse('route', 'no route of ours has answered it')
      this.endSoon()
      this.answer.end()
    })
  }

  /** The app has taken the reply and its stream. We still release the resources of the scope. */
  hijacked(): void {
    if (!this.answer.mayBeTaken || this.isLost) return
    this.answer.leaveToApp()
    this.#letGo()
  }

  /** Takes a place until the connection has ended. @returns whether there was room */
  take(capacity: Capacity, key = ''): boolean {
    return this.#places.take(capacity, key)
  }

  /** Takes a place of a key, or begins to wait for one. Gives way if newer upgrades have all. */
  claim(succession: Succession, key: string): void {
    if (!this.#places.claim(succession, key, this)) this.giveWay()
  }

  seated(): void {
    this.#places.seated()
  }

  /**
   * A newer upgrade needs the place. This one gets the same close frame that it would get right after its
   * 101, so the peer sees no difference.
   */
  giveWay(): void {
    if (this.#isShaking) this.#hasGivenWay = true
    if (this.isDecided) return
    this.refuse('key', 'a newer one of the same key has come')
    this.#refuser.closeAtOnce(REPLACED, 'replaced')
  }

  /**
   * All hooks have run. Compiles the message schema, asks whether the credentials still hold, and takes the
   * place of its key.
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

  /** ws has sent the 101: makes the connection, unless the route is none of ours. */
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

  /** Counts and logs a refusal. The caller gives the answer. */
  refuse(reason: RefusalReason, why: string): void {
    this.isRefused = true
    this.#places.giveBack()
    this.endSoon()
    const about = { route: this.routeUrl, why }
    this.shared.facts.upgradeRefused(this.log, reason, this.pattern, about)
  }

  /** See {@link Refusing.turnAway}. */
  turnAway(refusal: Refusal): LifecycleError | undefined {
    return this.#refuser.turnAway(refusal)
  }

  /** @throws FST_ERR_WSL_TOO_LATE_TO_REFUSE */
  refuseForApp(reply: FastifyReply, code: number | undefined, reason: string): void {
    // A hook that was added before ours may see it first.
    this.enter(reply.request, reply)
    this.#refuser.refuseForApp(reply, code, reason)
  }

  /** See {@link Refusing.refuseNow}. Does nothing if it is refused or over. */
  refuseNow(reason: RefusalReason, error: LifecycleError): void {
    if (!this.isLost) this.#refuser.refuseNow(reason, error)
  }

  /** Header lines of the 101 that the app's hooks have set. */
  get headers(): readonly string[] | undefined {
    return this.#headers
  }

  setHeaders(lines: readonly string[] | undefined): void {
    this.#headers = lines
  }

  /** ws shakes hands now. Throws if a header may not be sent, while Fastify can still answer. */
  noteHandshake(): void {
    this.#headers = this.answer.handshakeHeaders()
    this.#isShaking = true
    this.answer.leaveToHandshake()
  }

  /** Fastify was told to send something. */
  noteSend(payload: unknown): void {
    if (!this.answer.noteSend(payload)) return
    // Our onResponse hook ends the socket. If a hook of the app fails before it, this deadline does.
    this.answer.onceWritten(() => this.endSoon())
    // Only now it is certain that no hook refuses it.
    if (this.request?.is404 === true && !this.isLost) this.refuse('route', 'there is no such route')
  }

  /** The handshake took too long, or a refused peer has not gone. */
  #overdue(): void {
    if (this.answer.isForeign) this.#letGo()
    else if (this.isRefused || !this.answer.isUnwritten) this.destroyNow()
    else this.refuseNow('handshake', handshakeTimeout(String(this.settings.handshakeTimeout)))
  }

  destroyNow(): void {
    this.#deadline.stop()
    this.raw.destroy()
  }

  /** A peer that sent a FIN before the 101 has gone: it cannot complete the handshake any more. */
  rawEnded(): void {
    if (this.answer.isForeign) this.#letGo()
    if (this.#isLetGo) return
    this.#end()
    this.destroyNow()
  }

  rawClosed(): void {
    this.#end()
  }

  /** Gives the peer `closeTimeout` to go. */
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

  /** Neither a deadline nor a drain concerns it any more. */
  #letGo(): void {
    this.#isLetGo = true
    this.forget()
  }

  protected override forget(): void {
    this.#deadline.stop()
    this.shared.facts.upgradeEnded(this)
  }
}
