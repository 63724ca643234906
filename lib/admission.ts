import { randomUUID } from 'node:crypto'
import { type IncomingMessage, STATUS_CODES } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify'
import type { RefusalReason } from './api.js'
import { Connection } from './connection.js'
import { type Release, ReleaseScope, type ScopeOwner } from './core/scope.js'
import { makeController } from './controller.js'
import { Deferred } from './deferred.js'
import { type Mortal, runRelease, runReleases, tell } from './ending.js'
import {
  ConnectionClosedError,
  credentialsExpired,
  handshakeTimeout,
  type LifecycleError,
  toError,
} from './errors.js'
import { type RouteSettings, toExpiry } from './options.js'
import { type RawWatcher, rewatchRaw, watchRaw } from './raw.js'
import type { PendingUpgrade } from './registry.js'
import type { Route } from './route.js'
import type { Shell } from './shell.js'
import { ConnectionSocket } from './socket.js'
import type { Swept } from './sweep.js'

const kScoped = Symbol('fastify-websocket-lifecycle.scoped')

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

/** The handshake threw: before the 101 the socket ends, after it the connection does. */
export function failHandshake(message: IncomingMessage, error: unknown): void {
  const holder = (message as ScopedMessage)[kScoped]
  holder?.fail(error, 'handshake')
  if (holder instanceof Upgrade) holder.cut()
}

/** One upgrade request, from node's `'upgrade'` event to its 101, its refusal or its loss. */
export class Upgrade implements Swept, ScopeOwner, RawWatcher, Mortal, PendingUpgrade {
  dueAt: number
  readonly shell: Shell
  readonly #message: ScopedMessage
  readonly #raw: Duplex
  readonly #startedAt: number
  readonly #bytesRead: number
  readonly #bytesWritten: number | undefined
  #settings: RouteSettings
  #log: FastifyBaseLogger
  #request: FastifyRequest | undefined
  #reply: FastifyReply | undefined
  #route: Route | undefined
  #scope: ReleaseScope | undefined
  #id: string | undefined
  #expiresAt = Infinity
  #isRefused = false
  #isOver = false
  readonly #released = new Deferred<void>()

  constructor(
    shell: Shell,
    message: IncomingMessage,
    raw: Duplex,
    head: Buffer,
    settings: RouteSettings,
    log: FastifyBaseLogger,
  ) {
    this.shell = shell
    this.#message = message
    this.#raw = raw
    this.#settings = settings
    this.#log = log
    this.#startedAt = shell.clock.now()
    this.dueAt = this.#startedAt + (settings.handshakeTimeout || Infinity)
    const isSocket = raw instanceof Socket
    this.#bytesRead = isSocket ? raw.bytesRead - head.length : 0
    this.#bytesWritten = isSocket ? raw.bytesWritten : undefined
    // node forgets the address when the socket closes, unless somebody has asked before: this is
    // what lets `request.ip` answer in onClose.
    if (isSocket) void raw.remoteAddress
    this.#message[kScoped] = this
    watchRaw(raw, this)
    shell.registry.upgrades.add(this)
    shell.sweep.add(this)
  }

  get id(): string {
    return (this.#id ??= randomUUID())
  }

  get log(): FastifyBaseLogger {
    return this.#log
  }

  get routeUrl(): string {
    // The query of a request that no route has taken yet is the user's.
    return this.#route?.url ?? String(this.#message.url).split('?', 1).join()
  }

  get cleanupTimeout(): number {
    return this.#settings.cleanupTimeout
  }

  get scope(): ReleaseScope {
    if (this.#scope === undefined) {
      this.#scope = new ReleaseScope(this)
      if (this.#isOver) {
        this.#scope.abort()
        this.#scope.next()
      }
    }
    return this.#scope
  }

  /** Whether its handler must not run any more. */
  get isLost(): boolean {
    return this.#isRefused || this.#isOver
  }

  get released(): Promise<void> {
    return this.#released.promise
  }

  /** Our first hook has seen it: from now on Fastify can answer, and the route's options hold. */
  enter(request: FastifyRequest, reply: FastifyReply, route: Route | undefined): void {
    this.#request = request
    this.#reply = reply
    this.#log = request.log
    // The response of a stream that is no socket never says that it has finished (injectWS).
    if (!(this.#raw instanceof Socket)) {
      reply.raw.once('prefinish', () => setImmediate(() => this.cut()))
    }
    if (route === undefined) return
    this.#route = route
    this.#settings = route.settings
    this.dueAt = this.#startedAt + (route.settings.handshakeTimeout || Infinity)
  }

  /** All hooks have run: the route's messages can be read, and its credentials still hold. */
  prepare(request: FastifyRequest, route: Route): void | Promise<void> {
    route.prepare(request)
    const { expiresAt } = route.settings
    return expiresAt === undefined ? undefined : this.#checkExpiry(expiresAt, request)
  }

  /** ws has sent the 101: the connection takes over, unless it was none of our routes that opened. */
  open(socket: ConnectionSocket): void {
    if (this.#request === undefined || this.#route === undefined) {
      this.dueAt = Infinity
      return
    }
    const connection = new Connection(this.shell, socket, {
      raw: this.#raw,
      request: this.#request,
      route: this.#route,
      scope: this.#scope,
      bytesRead: this.#bytesRead,
      expiresAt: this.#expiresAt,
    })
    this.#scope?.handTo(connection)
    this.#message[kScoped] = connection
    rewatchRaw(this.#raw, connection)
    this.#forget()
    ConnectionSocket.attach(socket, connection)
    this.shell.registry.open(connection)
    this.shell.sweep.add(connection)
  }

  /** Counts and logs a refusal; whoever calls it sees to the answer. */
  refuse(reason: RefusalReason): void {
    this.#isRefused = true
    this.dueAt = this.shell.clock.now() + this.#settings.closeTimeout
    this.shell.registry.refused(reason)
    tell(this.#log, 'info', { reason, route: this.routeUrl }, 'WebSocket upgrade refused')
  }

  /** Refuses, and answers from outside of Fastify's hooks: one of them may never settle. */
  refuseNow(reason: RefusalReason, error: LifecycleError): void {
    if (this.isLost) return
    if (!this.#isUnanswered()) {
      // Fastify has answered, outside of our encapsulation: nobody ends that socket but us.
      this.dueAt = this.shell.clock.now() + this.#settings.closeTimeout
      endRaw(this.#raw)
      return
    }
    this.refuse(reason)
    // From here on no hook begins. `reply.send` would not do: an answer may be on its way already,
    // behind an onSend or onError hook, and Fastify would mix the two.
    this.#reply?.hijack()
    answerRaw(this.#raw, error)
  }

  /** The handshake took too long, or a refused peer does not go. */
  onSweep(): void {
    if (this.#isRefused || !this.#isUnanswered()) this.cut()
    else this.refuseNow('handshake', handshakeTimeout(String(this.#settings.handshakeTimeout)))
  }

  cut(): void {
    this.dueAt = Infinity
    this.#raw.destroy()
  }

  /** A peer that sent a FIN before the 101 has left: nothing that it could say completes it. */
  rawEnded(): void {
    this.#end()
    this.cut()
  }

  rawClosed(): void {
    this.#end()
  }

  makeController(): AbortController {
    return makeController()
  }

  abortReason(): Error {
    return new ConnectionClosedError(undefined)
  }

  releaseLate(release: Release): void {
    void runRelease(this, release)
  }

  fail(error: unknown, step: string): void {
    const { id, routeUrl: route } = this
    const fields = { err: toError(error), id, route, step }
    tell(this.#log, 'error', fields, 'a callback of a WebSocket upgrade failed')
  }

  async #checkExpiry(
    expiresAt: NonNullable<RouteSettings['expiresAt']>,
    request: FastifyRequest,
  ): Promise<void> {
    const when = await expiresAt(request)
    if (when === undefined) return
    this.#expiresAt = toExpiry(when, `the answer of \`expiresAt\` of route ${this.routeUrl}`)
    if (this.#expiresAt <= this.shell.clock.wall()) throw credentialsExpired()
  }

  #isUnanswered(): boolean {
    if (this.#raw instanceof Socket) return this.#raw.bytesWritten === this.#bytesWritten
    return this.#reply?.raw.headersSent !== true
  }

  /** The request is over without a connection. */
  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.shell.sweep.delete(this)
    this.scope.abort()
    void runReleases(this, this.scope).then(() => {
      this.#forget()
      this.#released.resolve()
    })
  }

  #forget(): void {
    this.shell.sweep.delete(this)
    this.shell.registry.upgrades.delete(this)
  }
}

/** Answers where Fastify cannot, in the form of its own errors, and ends the stream. */
function answerRaw(raw: Duplex, error: LifecycleError): void {
  const { statusCode = 500, code, message } = error
  const body = JSON.stringify({ statusCode, code, error: STATUS_CODES[statusCode], message })
  const headers = {
    ...error.headers,
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  }
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  raw.write(`HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode]}\r\n${head.join('')}\r\n${body}`)
  endRaw(raw)
}

/** Ends a stream when all that was written to it has left. */
function endRaw(raw: Duplex): void {
  // Unread bytes would turn the end of the stream into a reset, and the answer might be lost.
  raw.resume()
  raw.on('error', destroyRaw)
  raw.once('finish', destroyRaw)
  raw.end()
}

function destroyRaw(this: Duplex): void {
  this.destroy()
}
