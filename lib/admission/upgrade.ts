import type { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify'
import type { RefusalReason } from '../api/lifecycle.js'
import type { Shared } from '../connection/shared.js'
import type { ConnectionSocket } from '../connection/socket.js'
import type { Capacity } from '../core/admission/capacity.js'
import type { Succession } from '../core/admission/succession.js'
import { REPLACED } from '../core/close/codes.js'
import { handshakeTimeout, type LifecycleError } from '../errors.js'
import type { PendingUpgrade } from '../facts/registry.js'
import type { RouteSettings } from '../options/settings.js'
import { type RawWatcher, watchRaw } from '../platform/raw-watcher.js'
import { setImmediate } from '../platform/real-time.js'
import type { Route } from '../routes/route.js'
import { SWITCHING } from './answer.js'
import { askGroups } from './ask-groups.js'
import { askExpiry } from './credentials.js'
import { enterCluster, type Entrant } from './enter-cluster.js'
import { openConnection } from './opening.js'
import { Places } from './places.js'
import { Refusing, type RefusingOwner } from './refusing.js'
import { type SendWatcher, watchSend } from './reply-watch.js'
import { Resuming } from './resuming.js'
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
  implements Entrant, PendingUpgrade, RawWatcher, RefusingOwner, SendWatcher
{
  readonly order: number
  readonly #deadline: UpgradeDeadline
  readonly #places = new Places()
  #refusing: Refusing | undefined
  #expiresAt = Infinity
  #groups: readonly string[] = []
  /** On a route with `resume`. */
  #resuming: Resuming | undefined
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
    const [message, raw] = handshake
    const { clock, facts, transitions } = shared
    this.order = facts.upgradeArrived(this)
    setHolder(message, this)
    watchRaw(raw, this)
    this.#deadline = new UpgradeDeadline(clock, transitions, () => this.#overdue())
    this.#deadline.endAt(this.decidedBy)
  }

  get isStaying(): boolean {
    return !this.isLost && !this.#hasGivenWay && (this.#isShaking || this.answer.isOpen)
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
    if (this.route === undefined) return
    this.#deadline.endAt(this.decidedBy)
    const { offer, path, route, shared } = this
    const { resume } = route.settings
    if (resume) this.#resuming = new Resuming(resume, shared.sessions, route, path, offer)
  }

  /** Fastify has been given the request. If it answers before any hook, we end the socket. */
  routed(): void {
    if (this.request !== undefined) return
    this.answer.watchUnseen(this.message, (wereHooksRun, statusCode) => {
      if (this.request !== undefined) return
      if (!wereHooksRun) this.refuse('route', 'no route of ours has answered it', statusCode)
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
    // A session that goes on keeps its places.
    return this.#resuming?.isAsking === true || this.#places.take(capacity, key)
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
    this.refuse('key', 'a newer one of the same key has come', SWITCHING)
    this.#refuser.closeAtOnce(REPLACED, 'replaced')
  }

  /**
   * All hooks have run. Compiles the message schema, asks whether the credentials still hold, and takes what it
   * needs here and on other nodes.
   * @returns what to await, if there is something
   */
  prepare(request: FastifyRequest, route: Route): Promise<void> | undefined {
    route.prepare(request)
    return (
      askExpiry(route, request, this.shared.clock)?.then((expiresAt) => {
        this.#expiresAt = expiresAt
        return this.#takeKey(request, route)
      }) ?? this.#takeKey(request, route)
    )
  }

  /** ws has sent the 101: makes the connection, unless the route is none of ours. */
  open(socket: ConnectionSocket): void {
    if (this.request === undefined || this.route === undefined) {
      this.#letGo()
      return
    }
    const { bytesRead, message, offer, raw, request, route, shared, usedScope: scope } = this
    const [expiresAt, groups, { hold, slots }] = [this.#expiresAt, this.#groups, this.#places]
    const handover = { raw, request, route, scope, bytesRead, expiresAt, groups, hold, slots }
    const occupant = openConnection({ shared, message, handover, offer }, socket, this.#resuming)
    this.tell(occupant === undefined ? 'refused' : 'opened', SWITCHING)
    if (occupant === undefined) {
      this.isRefused = true
      this.endSoon()
      return
    }
    this.forget()
    this.#places.handTo(occupant)
    if (this.#hasGivenWay) occupant.giveWay()
  }

  /** Counts and logs a refusal. The caller gives the answer, with this status. */
  refuse(reason: RefusalReason, why: string, statusCode: number | undefined): void {
    this.isRefused = true
    this.#places.giveBack()
    this.endSoon()
    this.shared.facts.upgradeRefused(this, reason, why)
    this.tell('refused', statusCode)
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

  /** ws shakes hands now. Throws if a header may not be sent, while Fastify can still answer. */
  noteHandshake(): void {
    this.setHeaders(this.answer.handshakeHeaders())
    this.#isShaking = true
    this.answer.leaveToHandshake()
  }

  /** Fastify was told to send something. */
  noteSend(payload: unknown): void {
    if (!this.answer.noteSend(payload)) return
    // Our onResponse hook ends the socket. If a hook of the app fails before it, this deadline does.
    this.answer.onceWritten(() => this.endSoon())
    // Only now it is certain that no hook refuses it.
    if (this.request?.is404 && !this.isLost) this.refuse('route', 'there is no such route', 404)
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
    const refusal = this.isDecided ? undefined : this.#refuseAtLast(request, route)
    const error = refusal && this.turnAway(refusal)
    if (error !== undefined) throw error
    // A session that goes on has its own.
    if (this.isDecided || this.#resuming?.isAsking === true) return this.#places.untilSeated
    this.#groups = askGroups(route, request, this.shared.cluster.node)
    return enterCluster(this, this.#places, route, request)
  }

  #refuseAtLast(request: FastifyRequest, route: Route): Refusal | undefined {
    const resuming = this.#resuming
    return resuming ? resuming.refuse(this, request) : refusePerKey(this, request, route)
  }

  /** The request is over without a connection. */
  #end(): void {
    if (this.isOver) return
    this.isOver = true
    const { isGiven, isUnwritten } = this.answer
    const isAnswered = this.isRefused || this.#isLetGo || isGiven || !isUnwritten
    if (!isAnswered) this.shared.facts.upgradeLost(this)
    this.tell(isAnswered ? 'answered' : 'lost', this.answer.statusCode)
    this.#resuming?.over()
    this.#places.giveBack()
    this.#deadline.stop()
    void this.release()
  }

  /** Neither a deadline nor a drain concerns it any more. */
  #letGo(): void {
    this.#isLetGo = true
    this.#resuming?.over()
    this.tell('answered')
    this.forget()
  }

  protected override forget(): void {
    this.#deadline.stop()
    this.shared.facts.upgradeEnded(this)
  }
}
