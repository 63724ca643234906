import { randomBytes, randomUUID } from 'node:crypto'
import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import type { ConnectionDescription } from '../api/lifecycle.js'
import type { LifecycleSession } from '../api/session.js'
import type { Data, Message, SendOptions } from '../api/socket.js'
import { Callbacks, type CallbacksOwner } from '../callbacks/callbacks.js'
import { ScopeKeeper, type ScopeKeeperOwner } from '../callbacks/scope-keeper.js'
import type { Steps } from '../callbacks/steps.js'
import type { Cluster, DurableHold } from '../cluster/cluster.js'
import type { Slots } from '../core/admission/capacity.js'
import type { CloseInfo } from '../core/close/info.js'
import type { CauseWithCode } from '../core/close/policy.js'
import { lifetimeEnd } from '../core/liveness/time-limits.js'
import { ReleaseScope } from '../core/scope.js'
import type { Grave } from '../core/session/graves.js'
import { Incoming } from '../core/session/numbering.js'
import type { Facts } from '../facts/facts.js'
import type { Member, MemberOutbox, Membership } from '../groups/membership.js'
import { RateGate } from '../messages/rate-gate.js'
import { Reader, type ReaderOwner } from '../messages/reader.js'
import type { ResumeSettings, RouteSettings } from '../options/settings.js'
import type { SendCallback } from '../outbox/send-callbacks.js'
import type { Writer } from '../outbox/writer.js'
import { RequestContext } from '../platform/context.js'
import { Deferred } from '../platform/deferred.js'
import type { Route } from '../routes/route.js'
import type { Clock } from '../time/clock.js'
import type { Sweep } from '../time/sweep.js'
import type { Turns } from '../time/turns.js'
import type { ClientParts } from './client-parts.js'
import { Face, type FaceOwner } from './face.js'
import { Gaps, type GapsOwner } from './gaps.js'
import { Goodbye, type GoodbyeOwner } from './goodbye.js'
import type { Line } from './line.js'
import { SessionOutbox, type SessionOutboxOwner } from './outbox.js'

/** Who can be resumed, and who is away. */
interface SessionRegister {
  add(session: SessionParts): void
  /** @param kept number of bytes that its outbox takes */
  suspended(session: SessionParts, kept: number): void
  grew(session: SessionParts, bytes: number): void
  resumed(session: SessionParts): void
  ended(session: SessionParts, grave: Grave | undefined): void
}

/** What a session needs of what all connections of a server share. */
export interface SessionShared {
  readonly clock: Clock
  readonly cluster: Cluster
  readonly facts: Facts
  readonly maxPayload: number
  readonly sessions: SessionRegister
  readonly steps: Steps
  readonly sweep: Sweep
  readonly turns: Turns
}

/** What a session takes over from the upgrade request that begins it. */
export interface SessionStart {
  /** The record of its cleanup. */
  readonly hold: DurableHold | undefined
  readonly request: FastifyRequest
  readonly route: Route
  readonly scope: ReleaseScope | undefined
  readonly slots: Slots | undefined
  /** Whose session it is: the answer of `resume.key`. */
  readonly key: string | null
  /** The URL without the query. */
  readonly path: string
  /** When the credentials end, epoch ms. */
  readonly expiresAt: number
  /** Whether the client speaks the link. If not, its session ends with its connection. */
  readonly isLinked: boolean
  readonly resume: ResumeSettings
}

/** The parts of a session. What can happen to it is in {@link Session}. */
export abstract class SessionParts
  implements
    CallbacksOwner,
    ClientParts,
    FaceOwner,
    GapsOwner,
    GoodbyeOwner,
    Member,
    ReaderOwner,
    ScopeKeeperOwner,
    SessionOutboxOwner
{
  readonly id: string
  /** The secret by which a client resumes it. It is private, so that nobody finds it who looks into a request. */
  readonly #token: string
  readonly shared: SessionShared
  readonly route: Route
  readonly request: FastifyRequest
  readonly key: string | null
  readonly path: string
  /** The subprotocol of the app. */
  readonly protocol: string
  readonly isLinked: boolean
  readonly resume: ResumeSettings
  readonly face: LifecycleSession = new Face(this)
  readonly context: RequestContext
  readonly callbacks: Callbacks
  readonly incoming: Incoming = new Incoming()
  readonly outbox: SessionOutbox
  readonly rate: RateGate | undefined
  readonly reader: Reader
  /** By the clock, as `endsAt`. */
  readonly beganAt: number
  readonly endsAt: number
  readonly slots: Slots | undefined
  membership: Membership | undefined
  protected readonly gaps: Gaps
  protected expiresAt: number
  isHandlerSettled = false
  /** The socket of the current connection, or of the one that ended; none that matters while it is away. */
  socket: WebSocket
  /** At the end, that of its last connection. */
  protected lastLatency: number | undefined
  #scope: ReleaseScope | undefined
  #goodbye: Goodbye | undefined
  readonly #closed = new Deferred<CloseInfo>()

  constructor(shared: SessionShared, socket: WebSocket, start: SessionStart) {
    const { clock } = shared
    const { route, scope } = start
    const { messageRate, outbox } = route.settings
    this.id = start.hold?.id ?? randomUUID()
    this.#token = makeToken(shared.cluster.node?.id)
    this.shared = shared
    this.route = route
    this.request = start.request
    this.key = start.key
    this.path = start.path
    this.protocol = socket.protocol
    this.isLinked = start.isLinked
    this.resume = start.resume
    this.slots = start.slots
    this.socket = socket
    this.context = new RequestContext()
    this.callbacks = new Callbacks(this, route)
    this.outbox = new SessionOutbox(this, outbox)
    this.rate = messageRate === false ? undefined : new RateGate(messageRate, shared)
    this.gaps = new Gaps(this, route)
    this.reader = new Reader(this, route)
    this.expiresAt = start.expiresAt
    this.beganAt = clock.now()
    this.endsAt = lifetimeEnd(route.settings, clock.now(), clock.random())
    this.#scope = scope
    scope?.handTo(new ScopeKeeper(this))
  }

  abstract readonly line: Line | undefined
  /** Whether it has not begun to end. */
  abstract readonly isOpen: boolean
  abstract readonly isReleased: boolean
  abstract readonly isSuspended: boolean
  abstract abortReason(): Error
  abstract close(code: number | undefined, reason: string | Buffer | undefined): void
  abstract end(cause: CauseWithCode, reason?: string): void
  abstract endOfHandlerError(): void
  abstract expireAt(when: Date | number): void
  abstract handlerSettled(hasFailed: boolean): void
  abstract noteHandlerError(error: Error): void
  abstract noteKept(bytes: number): void
  abstract send(data: Data, options: SendOptions, callback: SendCallback | undefined): boolean
  abstract terminate(): void
  abstract describe(): ConnectionDescription

  get token(): string {
    return this.#token
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

  get scope(): ReleaseScope {
    return (this.#scope ??= new ReleaseScope(new ScopeKeeper(this)))
  }

  get usedReader(): Reader {
    return this.reader
  }

  get closed(): Promise<CloseInfo> {
    return this.#closed.promise
  }

  get latency(): number | undefined {
    return this.line?.latency ?? this.lastLatency
  }

  get hasSentClose(): boolean {
    return this.line?.hasSentClose === true
  }

  get isHolding(): boolean {
    return this.gaps.isHolding
  }

  /** Where messages go of a client that confirms nothing, as long as it is connected. */
  protected get plainWriter(): Writer | undefined {
    return this.isLinked ? undefined : this.line?.writer
  }

  /** The session, as groups know it. */
  get member(): Member {
    return this
  }

  get mayJoin(): boolean {
    return this.isOpen
  }

  get outboxForGroups(): MemberOutbox {
    return this.plainWriter ?? this.outbox
  }

  gapOver(): void {
    if (!this.isHolding) this.reader.goOn()
  }

  drained(): Promise<boolean> {
    return (this.plainWriter ?? this.outbox).drained()
  }

  messages(): AsyncIterableIterator<Message> {
    return this.reader.messages()
  }

  noteUnread(duration: number): void {
    this.rate?.excuse(duration)
  }

  lookBy(at: number): void {
    this.line?.lookBy(at)
  }

  fail(error: unknown, step: string): void {
    this.callbacks.fail(error, step)
  }

  sayGoodbye(remaining: number): Promise<void> | undefined {
    return (this.#goodbye ??= new Goodbye(this)).say(remaining)
  }

  catchUp(remaining: number): Promise<void> | undefined {
    return (this.#goodbye ??= new Goodbye(this)).catchUp(remaining)
  }

  /** The drain no longer waits for the goodbye. */
  protected endGoodbye(): void {
    this.#goodbye?.end('overran')
  }

  /** The last release has run. */
  protected over(close: CloseInfo): void {
    this.#goodbye?.end('needless')
    this.#closed.resolve(close)
  }
}

/** @param node where other nodes send a client that asks them for the session */
function makeToken(node: string | undefined): string {
  const secret = randomBytes(16).toString('base64url')
  return node === undefined ? secret : `${node}.${secret}`
}
