import type { TestContext } from 'node:test'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { CloseInfo, Message, WebsocketLifecycleOptions } from '../../../lib/index.js'
import { Deferred } from '../../../lib/platform/deferred.js'
import { within } from '../time/bound.js'
import { portOf, serve } from './server.js'

/** The three ways in which an app gets messages. */
export const ECHO_ROUTES = ['plain', 'on-message', 'loop'] as const

/** The same with `resume`. */
export const SESSION_ROUTE = 'session'

export type EchoRoute = (typeof ECHO_ROUTES)[number] | typeof SESSION_ROUTE

/** What a server saw of one connection. */
export class Seen {
  /** A string is text, a Buffer binary. */
  readonly messages: Message[] = []
  /** Each call of `onClose`. */
  readonly closes: CloseInfo[] = []
  readonly #released = new Deferred<void>()

  /** The end of it, when its last release has run: then nothing more is told. */
  async end(): Promise<CloseInfo> {
    await within(this.#released.promise, 'the last release')
    if (this.closes.length !== 1) throw new Error(`Expected one onClose, got ${this.closes.length}`)
    return this.closes[0] as CloseInfo
  }

  released(): void {
    this.#released.resolve()
  }
}

/** An app that echoes on each of {@link ECHO_ROUTES}; a connection has the name that its query gives it. */
export class EchoServer {
  readonly app: FastifyInstance
  readonly port: number
  readonly #seen = new Map<string, Seen>()

  private constructor(app: FastifyInstance, seen: Map<string, Seen>) {
    this.app = app
    this.port = portOf(app)
    this.#seen = seen
  }

  static async serve(t: TestContext, options: WebsocketLifecycleOptions): Promise<EchoServer> {
    const connections = new Map<string, Seen>()
    const app = await serve(t, {
      options: { keepalive: false, ...options },
      routes: (instance) => addRoutes(instance, connections),
    })
    return new EchoServer(app, connections)
  }

  static path(route: EchoRoute, name: string): string {
    return `/${route}?name=${encodeURIComponent(name)}`
  }

  /** The connection of this path. */
  of(path: string): Seen {
    const seen = this.#seen.get(path)
    if (seen === undefined) throw new Error(`Expected a connection of ${path}, got none`)
    return seen
  }

  /** Forgets what was seen: a long run would keep all messages. */
  forget(): void {
    this.#seen.clear()
  }
}

function addRoutes(app: FastifyInstance, connections: Map<string, Seen>): void {
  const of = (request: FastifyRequest): Seen => {
    const seen = connections.get(request.url) ?? new Seen()
    connections.set(request.url, seen)
    return seen
  }
  const onClose = (_socket: unknown, request: FastifyRequest, close: CloseInfo): void => {
    of(request).closes.push(close)
  }
  const onMessage = (
    socket: { send(message: Message): boolean },
    request: FastifyRequest,
    message: Message,
  ): void => {
    of(request).messages.push(message)
    socket.send(message)
  }
  app.get('/plain', { websocket: true, onClose }, (socket, request) => {
    const seen = of(request)
    socket.scope.defer(() => seen.released())
    socket.on('message', (data: Buffer, isBinary) => {
      onMessage(socket, request, isBinary ? data : data.toString())
    })
  })
  app.get('/on-message', { websocket: true, onClose, onMessage }, (socket, request) => {
    const seen = of(request)
    socket.scope.defer(() => seen.released())
  })
  app.get('/loop', { websocket: true, onClose }, async (socket, request) => {
    const seen = of(request)
    socket.scope.defer(() => seen.released())
    for await (const message of socket.messages()) onMessage(socket, request, message)
  })
  const resume = { key: () => null }
  app.get('/session', { websocket: true, resume, onClose, onMessage }, (session, request) => {
    const seen = of(request)
    session.scope.defer(() => seen.released())
  })
}
