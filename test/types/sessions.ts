// A route with `resume`: its handler and its hooks get a session, on every way to declare a route.
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import websocketLifecycle, {
  type CloseInfo,
  type ConnectionScope,
  type LifecycleOptions,
  type LifecycleSession,
  type LifecycleSocket,
  type Message,
  type ResumeOptions,
  type SessionRouteOptions,
  type WebsocketSessionHandler,
} from 'fastify-websocket-lifecycle'
import type { Server } from 'node:https'
import { exactly } from './exactly.js'

const app = Fastify()
app.register(websocketLifecycle)
const resume = { key: (): string => 'anna' }

// all that a session has
declare const session: LifecycleSession
exactly<string>()(session.id)
exactly<string>()(session.protocol)
exactly<FastifyRequest>()(session.request)
exactly<ConnectionScope>()(session.scope)
exactly<Promise<CloseInfo>>()(session.closed)
exactly<number | undefined>()(session.latency)
exactly<boolean>()(session.suspended)
exactly<boolean>()(session.send('text'))
exactly<boolean>()(session.send(Buffer.of(1), (error) => exactly<Error | undefined>()(error)))
exactly<boolean>()(session.send('text', { compress: false }, () => {}))
exactly<Promise<boolean>>()(session.drained())
exactly<AsyncIterableIterator<Message>>()(session.messages())
exactly<void>()(session.close(4000, 'bye'))
exactly<void>()(session.terminate())
exactly<void>()(session.expireAt(new Date()))

// get with three arguments
app.get(
  '/three',
  {
    websocket: true,
    resume: {
      key(request) {
        exactly<FastifyRequest>()(request)
        return request.ip
      },
      window: 60_000,
      maxBytes: 1_048_576,
    },
    onMessage(one, request, message) {
      exactly<FastifyInstance>()(this)
      exactly<LifecycleSession>()(one)
      exactly<FastifyRequest>()(request)
      exactly<string | Buffer>()(message)
      exactly<boolean>()(one.send(message))
    },
    onInvalidMessage(one, request, error) {
      exactly<FastifyInstance>()(this)
      exactly<LifecycleSession>()(one)
      exactly<FastifyRequest>()(request)
      exactly<Error>()(error)
    },
    onSuspend(one, request, close) {
      exactly<FastifyInstance>()(this)
      exactly<LifecycleSession>()(one)
      exactly<FastifyRequest>()(request)
      exactly<CloseInfo>()(close)
    },
    async onResume(one, request) {
      exactly<FastifyInstance>()(this)
      exactly<LifecycleSession>()(one)
      exactly<FastifyRequest>()(request)
    },
    onUnexpectedClose(one, request, close) {
      exactly<FastifyInstance>()(this)
      exactly<LifecycleSession>()(one)
      exactly<FastifyRequest>()(request)
      exactly<CloseInfo>()(close)
    },
    async onClose(one, request, close) {
      exactly<FastifyInstance>()(this)
      exactly<LifecycleSession>()(one)
      exactly<FastifyRequest>()(request)
      exactly<CloseInfo>()(close)
    },
    onShutdown(one, request) {
      exactly<FastifyInstance>()(this)
      exactly<LifecycleSession>()(one)
      exactly<FastifyRequest>()(request)
    },
    onHandlerError(one, request, error) {
      exactly<FastifyInstance>()(this)
      exactly<LifecycleSession>()(one)
      exactly<FastifyRequest>()(request)
      exactly<Error>()(error)
    },
    expiresAt(request) {
      exactly<FastifyRequest>()(request)
      return undefined
    },
    preHandler: (_request, reply) => reply.refuseWebsocket(),
    keepalive: false,
    maxConnectionsPerKey: { max: 1, key: (request) => request.ip },
  },
  function (one, request) {
    exactly<FastifyInstance>()(this)
    exactly<LifecycleSession>()(one)
    exactly<FastifyRequest>()(request)
  },
)
app.get('/three', { websocket: true, resume }, (one, request) => {
  exactly<LifecycleSession>()(one)
  exactly<unknown>()(request.params)
})
app.get('/three', { websocket: true, resume: { key: () => null } }, async (one) => {
  exactly<LifecycleSession>()(one)
  for await (const message of one.messages()) one.send(message)
})

// get with two arguments
app.get('/two', {
  websocket: true,
  resume: { key: (request) => request.ip },
  onMessage: (one, _request, message) => {
    exactly<LifecycleSession>()(one)
    exactly<string | Buffer>()(message)
  },
  onSuspend(one, request, close) {
    exactly<FastifyInstance>()(this)
    exactly<LifecycleSession>()(one)
    exactly<FastifyRequest>()(request)
    exactly<CloseInfo>()(close)
  },
  onResume: (one) => exactly<LifecycleSession>()(one),
  onClose: (one) => exactly<LifecycleSession>()(one),
  handler(one, request) {
    exactly<FastifyInstance>()(this)
    exactly<LifecycleSession>()(one)
    exactly<FastifyRequest>()(request)
  },
})

// route with `websocket: true`
app.route({
  method: 'GET',
  url: '/route',
  websocket: true,
  resume: { key: (request) => request.ip },
  onMessage: (one, _request, message) => {
    exactly<LifecycleSession>()(one)
    exactly<string | Buffer>()(message)
  },
  onSuspend: (one, _request, close) => {
    exactly<LifecycleSession>()(one)
    exactly<CloseInfo>()(close)
  },
  onResume(one, request) {
    exactly<FastifyInstance>()(this)
    exactly<LifecycleSession>()(one)
    exactly<FastifyRequest>()(request)
  },
  onUnexpectedClose: (one) => exactly<LifecycleSession>()(one),
  handler(one, request) {
    exactly<FastifyInstance>()(this)
    exactly<LifecycleSession>()(one)
    exactly<FastifyRequest>()(request)
  },
})

// route with a handler for each of the two protocols
app.route({
  method: 'GET',
  url: '/both',
  resume: { key: (request) => request.ip },
  onMessage: (one, _request, message) => {
    exactly<LifecycleSession>()(one)
    exactly<string | Buffer>()(message)
  },
  onShutdown: (one) => exactly<LifecycleSession>()(one),
  onSuspend: (one) => exactly<LifecycleSession>()(one),
  onResume: (one) => exactly<LifecycleSession>()(one),
  handler(request, reply) {
    exactly<FastifyInstance>()(this)
    exactly<FastifyRequest>()(request)
    exactly<FastifyReply>()(reply)
  },
  wsHandler(one, request) {
    exactly<FastifyInstance>()(this)
    exactly<LifecycleSession>()(one)
    exactly<FastifyRequest>()(request)
  },
})

// over TLS, and in a child
const https = Fastify({ https: {} })
https.get(
  '/tls',
  {
    websocket: true,
    resume: { key: (request) => request.raw.url ?? null },
    onSuspend(one) {
      exactly<Server>()(this.server)
      exactly<LifecycleSession>()(one)
    },
  },
  function (one) {
    exactly<Server>()(this.server)
    exactly<LifecycleSession>()(one)
  },
)
app.register(async (child) => {
  child.get('/child', { websocket: true, resume, config: {} }, (one) => {
    exactly<LifecycleSession>()(one)
  })
})

// declared apart
const handler: WebsocketSessionHandler = function (one, request) {
  exactly<FastifyInstance>()(this)
  exactly<LifecycleSession>()(one)
  exactly<unknown>()(request.params)
}
const options: SessionRouteOptions = {
  resume: { key: (request) => request.ip },
  onMessage: (one, _request, message) => {
    exactly<LifecycleSession>()(one)
    exactly<string | Buffer>()(message)
  },
  onSuspend: (one, _request, close) => {
    exactly<LifecycleSession>()(one)
    exactly<CloseInfo>()(close)
  },
}
app.get('/apart', { websocket: true, resume }, handler)
app.get('/apart', { websocket: true, resume, handler })
app.get('/apart', { ...options, websocket: true }, handler)
app.get('/apart', { ...options, websocket: true, handler })
app.route({ method: 'GET', url: '/apart', websocket: true, handler, ...options })
app.route({ method: 'GET', url: '/apart', handler: () => 'http', wsHandler: handler, ...options })
const howLong: ResumeOptions = { key: () => null, window: 5_000 }
app.get('/apart', { websocket: true, resume: howLong }, handler)
exactly<ResumeOptions>()(options.resume)

// without `resume` it is a socket, as ever; also where nobody knows what the options are
app.get('/socket', { websocket: true, resume: undefined, onResume: undefined }, (socket) =>
  exactly<LifecycleSocket>()(socket),
)
app.get('/socket', JSON.parse('{}'), (socket) => exactly<LifecycleSocket>()(socket))
app.get('/socket', {
  websocket: true,
  ...JSON.parse('{}'),
  handler: (socket: LifecycleSocket) => socket.id,
})
app.route({
  method: 'GET',
  url: '/socket',
  websocket: true,
  resume: undefined,
  handler: (socket) => exactly<LifecycleSocket>()(socket),
})

// what both have in common may serve both
const greet = (one: LifecycleSocket | LifecycleSession): boolean => one.send('hello')
const answer = (one: LifecycleSocket | LifecycleSession): boolean =>
  one.send('hello', { binary: false }, () => one.close(1000))
app.get('/plain', { websocket: true, onShutdown: greet }, answer)
app.get('/session', { websocket: true, resume, onShutdown: greet }, answer)
exactly<LifecycleOptions['onClose']>()(({} as import('fastify').RouteShorthandOptions).onClose)

// the plugin's hooks serve both too, and say so themselves
app.register(websocketLifecycle, {
  onClose: (one: LifecycleSocket | LifecycleSession) => one.id,
  onShutdown: greet,
})
app.register(websocketLifecycle, { onClose: (socket) => exactly<LifecycleSocket>()(socket) })
