import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import { runReleases } from '../callbacks/run-step.js'
import { ScopeKeeper, type ScopeKeeperOwner } from '../callbacks/scope-keeper.js'
import type { Shared } from '../connection/shared.js'
import { ReleaseScope } from '../core/scope.js'
import type { Offer } from '../core/session/link.js'
import { ConnectionClosedError } from '../errors.js'
import { TRACES } from '../facts/events.js'
import { HandshakeTrace, type Outcome } from '../facts/handshake-trace.js'
import type { UpgradeSubject } from '../facts/subjects.js'
import type { RouteSettings } from '../options/settings.js'
import { RequestContext } from '../platform/context.js'
import { Deferred } from '../platform/deferred.js'
import { toError } from '../platform/thrown.js'
import { isTraced } from '../platform/traced.js'
import { type Route, routeOf } from '../routes/route.js'
import { Answer } from './answer.js'
import type { ScopeHolder } from './scope-holder.js'
import { offerOf } from './take-offer.js'

/** An upgrade request, as node gives it to the code that shakes hands. */
export type Handshake = readonly [message: IncomingMessage, raw: Duplex, head: Buffer]

/** The most characters of a path in the log, if it is no path of a route. */
const LONGEST_PATH = 200

/**
 * What an upgrade is: its request, its route once Fastify has found it, and the scope that holds the app's
 * resources.
 */
export abstract class UpgradeRequest implements ScopeKeeperOwner, ScopeHolder, UpgradeSubject {
  readonly shared: Shared
  readonly handshake: Handshake
  readonly answer: Answer
  isRefused = false
  /** Whether the request is over without a connection. */
  isOver = false
  readonly message: IncomingMessage
  protected readonly raw: Duplex
  /** Number of bytes of the handshake. */
  protected readonly bytesRead: number
  protected request: FastifyRequest | undefined
  protected route: Route | undefined
  protected usedScope: ReleaseScope | undefined
  /** In forgiving time. */
  readonly #startedAt: number
  readonly #released = new Deferred<void>()
  #settings: RouteSettings
  #log: FastifyBaseLogger
  #context: RequestContext | undefined
  #id: string | undefined
  #headers: readonly string[] | undefined
  #trace: HandshakeTrace | undefined

  constructor(
    shared: Shared,
    handshake: Handshake,
    settings: RouteSettings,
    log: FastifyBaseLogger,
  ) {
    this.shared = shared
    this.handshake = handshake
    const [message, raw, head] = handshake
    this.message = message
    this.raw = raw
    this.bytesRead = raw instanceof Socket ? raw.bytesRead - head.length : 0
    // node forgets the address when the socket closes, unless somebody has read it before. So `request.ip`
    // still works in onClose.
    if (raw instanceof Socket) void raw.remoteAddress
    this.answer = new Answer(raw)
    this.#settings = settings
    this.#log = log
    this.#startedAt = shared.transitions.forgivingNow
  }

  /** Runs what gives the request to Fastify. */
  start(go: (upgrade: this) => void): void {
    if (!isTraced(TRACES.handshake)) return go(this)
    this.#trace = new HandshakeTrace(this.shared.facts, this)
    return this.#trace.run(() => go(this))
  }

  /** It is answered, or its client has gone. Only the first outcome counts. */
  protected tell(outcome: Outcome, statusCode?: number): void {
    this.#trace?.over(outcome, statusCode)
  }

  /** What a client that speaks the link has offered; `undefined` for any other. */
  get offer(): Offer | undefined {
    return offerOf(this.message)
  }

  /** Header lines of the 101 that the app's hooks have set. */
  get headers(): readonly string[] | undefined {
    return this.#headers
  }

  setHeaders(lines: readonly string[] | undefined): void {
    this.#headers = lines
  }

  get id(): string {
    return (this.#id ??= randomUUID())
  }

  get log(): FastifyBaseLogger {
    return this.#log
  }

  /** The options of its route. Until the route is known, the plugin's. */
  get settings(): RouteSettings {
    return this.#settings
  }

  get cleanupTimeout(): number {
    return this.#settings.cleanupTimeout
  }

  get routeUrl(): string {
    if (this.pattern !== undefined) return this.pattern
    // A path that belongs to no route has no parameters. Until that is known, the path may hold secrets, as a
    // query may.
    if (this.request?.is404 !== true) return ''
    return this.path.slice(0, LONGEST_PATH)
  }

  /** The URL without the query. */
  protected get path(): string {
    return String(this.message.url).split('?', 1).join()
  }

  /** The URL pattern of the route, ours or not. */
  get pattern(): string | undefined {
    return this.route?.url ?? this.request?.routeOptions.url
  }

  /** When it has to be decided, in forgiving time. */
  protected get decidedBy(): number {
    return this.#startedAt + (this.#settings.handshakeTimeout || Infinity)
  }

  get scope(): ReleaseScope {
    if (this.usedScope === undefined) {
      this.usedScope = new ReleaseScope(new ScopeKeeper(this))
      this.#context = new RequestContext()
      if (this.isOver) {
        this.usedScope.abort()
        this.usedScope.next()
      }
    }
    return this.usedScope
  }

  /**
   * The async context of the moment at which the scope was first asked for. Nothing of the app is called
   * before.
   */
  get context(): RequestContext {
    return (this.#context ??= new RequestContext())
  }

  /** Whether it is refused or over, so that its handler must not run. */
  get isLost(): boolean {
    return this.isRefused || this.isOver
  }

  /** Whether it is too late to decide: it is lost, or being answered. */
  get isDecided(): boolean {
    return !this.answer.isOpen || this.isLost
  }

  /** Whether Fastify may still be told what to answer. */
  get mayAnswer(): boolean {
    return this.answer.isOpen && !this.isOver
  }

  /** Resolves when the request is over without a connection, and all its releases have run. */
  get released(): Promise<void> {
    return this.#released.promise
  }

  abortReason(): Error {
    return new ConnectionClosedError(undefined)
  }

  fail(error: unknown, step: string): void {
    this.shared.facts.upgradeCallbackFailed(this, step, toError(error))
  }

  /** Fastify has found the route: from now on the route's options hold. */
  protected routedBy(request: FastifyRequest): void {
    this.request = request
    this.#log = request.log
    const route = routeOf(request.routeOptions.config)
    if (!route) return
    this.route = route
    this.#settings = route.settings
  }

  /** The request is over without a connection: runs the releases of its scope. */
  protected async release(): Promise<void> {
    this.scope.abort()
    await runReleases(this, this.scope)
    this.forget()
    this.#released.resolve()
  }

  /** Removes it from all lists that hold it. */
  protected abstract forget(): void
}
