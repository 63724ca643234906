// What `onMessage` gets, on every way to declare a route; and what else has to do with messages.
import Fastify, {
  type FastifyInstance,
  type FastifyRequest,
  type FastifySchema,
  type RouteShorthandOptions,
} from 'fastify'
import websocketLifecycle, {
  type LifecycleSocket,
  type Message,
  type MessageOf,
  type RouteLifecycleOptions,
  type WebsocketHandler,
} from 'fastify-websocket-lifecycle'
import type { Server } from 'node:https'
import { exactly } from './exactly.js'

const app = Fastify()
app.register(websocketLifecycle)
const handler: WebsocketHandler = () => {}

exactly<string | Buffer>()({} as Message)

// without a schema, and without a generic: what ws brings
app.get(
  '/three',
  {
    websocket: true,
    onMessage(socket, request, message) {
      exactly<FastifyInstance>()(this)
      exactly<LifecycleSocket>()(socket)
      exactly<FastifyRequest>()(request)
      exactly<string | Buffer>()(message)
      exactly<boolean>()(socket.send(message))
    },
    onInvalidMessage(socket, request, error) {
      exactly<FastifyInstance>()(this)
      exactly<LifecycleSocket>()(socket)
      exactly<FastifyRequest>()(request)
      exactly<Error>()(error)
    },
  },
  (socket) => exactly<LifecycleSocket>()(socket),
)
app.get('/two', {
  websocket: true,
  async onMessage(socket, request, message) {
    exactly<FastifyInstance>()(this)
    exactly<LifecycleSocket>()(socket)
    exactly<FastifyRequest>()(request)
    exactly<string | Buffer>()(message)
  },
  async onInvalidMessage(_socket, _request, error) {
    exactly<FastifyInstance>()(this)
    exactly<Error>()(error)
  },
  handler: (socket) => exactly<LifecycleSocket>()(socket),
})
app.route({
  method: 'GET',
  url: '/route',
  websocket: true,
  onMessage(socket, request, message) {
    exactly<FastifyInstance>()(this)
    exactly<LifecycleSocket>()(socket)
    exactly<FastifyRequest>()(request)
    exactly<string | Buffer>()(message)
  },
  onInvalidMessage: (_socket, _request, error) => exactly<Error>()(error),
  handler: (socket) => exactly<LifecycleSocket>()(socket),
})
app.route({
  method: 'GET',
  url: '/both',
  onMessage(socket, request, message) {
    exactly<FastifyInstance>()(this)
    exactly<LifecycleSocket>()(socket)
    exactly<FastifyRequest>()(request)
    exactly<string | Buffer>()(message)
  },
  onInvalidMessage: (_socket, _request, error) => exactly<Error>()(error),
  handler: () => 'http',
  wsHandler: (socket) => exactly<LifecycleSocket>()(socket),
})
app.register(async (child) => {
  child.get(
    '/child',
    { websocket: true, onMessage: (_socket, _request, message) => exactly<Message>()(message) },
    handler,
  )
})

// other parts of a schema say nothing about messages
app.get(
  '/params',
  {
    websocket: true,
    schema: { params: { type: 'object' } },
    onMessage: (_socket, _request, message) => exactly<string | Buffer>()(message),
  },
  handler,
)

// with a schema, but without a type provider that reads it
const schema = { message: { type: 'object', properties: { id: { type: 'integer' } } } }
app.get(
  '/three',
  {
    websocket: true,
    schema,
    onMessage: (_socket, _request, message) => exactly<unknown>()(message),
  },
  handler,
)
app.get('/two', {
  websocket: true,
  schema: { message: { type: 'string' } },
  onMessage: (_socket, _request, message) => exactly<unknown>()(message),
  handler,
})
app.route({
  method: 'GET',
  url: '/route',
  websocket: true,
  schema,
  onMessage: (_socket, _request, message) => exactly<unknown>()(message),
  handler,
})
app.route({
  method: 'GET',
  url: '/both',
  schema,
  onMessage: (_socket, _request, message) => exactly<unknown>()(message),
  handler: () => 'http',
  wsHandler: handler,
})

// the route's generic says it, whatever the schema is
interface Order {
  Params: { id: string }
  Message: { buy: number }
}
interface Untold {
  Params: { id: string }
}
app.get<Order>(
  '/three/:id',
  {
    websocket: true,
    schema,
    onMessage(socket, request, message) {
      exactly<FastifyInstance>()(this)
      exactly<LifecycleSocket>()(socket)
      exactly<{ id: string }>()(request.params)
      exactly<{ buy: number }>()(message)
    },
    onInvalidMessage: (_socket, request) => exactly<{ id: string }>()(request.params),
    expiresAt: (request) => {
      exactly<{ id: string }>()(request.params)
      return undefined
    },
  },
  (_socket, request) => exactly<{ id: string }>()(request.params),
)
app.get<Order>('/two/:id', {
  websocket: true,
  onMessage: (_socket, _request, message) => exactly<{ buy: number }>()(message),
  handler,
})
app.route<Order>({
  method: 'GET',
  url: '/route/:id',
  websocket: true,
  schema,
  onMessage: (_socket, request, message) => {
    exactly<{ id: string }>()(request.params)
    exactly<{ buy: number }>()(message)
  },
  handler,
})
app.route<Order>({
  method: 'GET',
  url: '/both/:id',
  onMessage: (_socket, _request, message) => exactly<{ buy: number }>()(message),
  handler: () => 'http',
  wsHandler: handler,
})
app.get<{ Message: string }>(
  '/text',
  { websocket: true, onMessage: (socket, _request, message) => socket.send(message.trim()) },
  handler,
)
app.get<{ Message: unknown }>(
  '/unknown',
  { websocket: true, onMessage: (_socket, _request, message) => exactly<unknown>()(message) },
  handler,
)

// generics that do not say it: TypeScript infers no schema beside them, but it sees whether one speaks of messages
app.get<Untold>(
  '/three/:id',
  {
    websocket: true,
    onMessage(_socket, request, message) {
      exactly<{ id: string }>()(request.params)
      exactly<string | Buffer>()(message)
    },
  },
  (socket, request) => {
    exactly<LifecycleSocket>()(socket)
    exactly<{ id: string }>()(request.params)
  },
)
app.get<Untold>(
  '/three/:id',
  {
    websocket: true,
    schema,
    onMessage(socket, request, message) {
      exactly<FastifyInstance>()(this)
      exactly<LifecycleSocket>()(socket)
      exactly<{ id: string }>()(request.params)
      exactly<unknown>()(message)
    },
  },
  (socket, request) => {
    exactly<LifecycleSocket>()(socket)
    exactly<{ id: string }>()(request.params)
  },
)
app.get<Untold>('/two/:id', {
  websocket: true,
  schema: { params: { type: 'object' } },
  onMessage: (_socket, _request, message) => exactly<string | Buffer>()(message),
  handler: (socket) => exactly<LifecycleSocket>()(socket),
})
app.get<Untold>('/two/:id', {
  websocket: true,
  schema: { params: { type: 'object' }, message: { type: 'object' } },
  onMessage: (_socket, request, message) => {
    exactly<{ id: string }>()(request.params)
    exactly<unknown>()(message)
  },
  handler: (socket) => exactly<LifecycleSocket>()(socket),
})
app.route<Untold>({
  method: 'GET',
  url: '/route/:id',
  websocket: true,
  onMessage: (_socket, _request, message) => exactly<string | Buffer>()(message),
  handler: (socket) => exactly<LifecycleSocket>()(socket),
})
app.route<Untold>({
  method: 'GET',
  url: '/route/:id',
  websocket: true,
  schema,
  onMessage: (_socket, _request, message) => exactly<unknown>()(message),
  handler: (socket) => exactly<LifecycleSocket>()(socket),
})
app.route<Untold>({
  method: 'GET',
  url: '/both/:id',
  onMessage: (_socket, _request, message) => exactly<string | Buffer>()(message),
  handler: () => 'http',
  wsHandler: (socket) => exactly<LifecycleSocket>()(socket),
})
app.route<Untold>({
  method: 'GET',
  url: '/both/:id',
  schema,
  onMessage: (_socket, _request, message) => exactly<unknown>()(message),
  handler: () => 'http',
  wsHandler: (socket) => exactly<LifecycleSocket>()(socket),
})

// a schema of which nobody knows whether it speaks of messages
declare const any: FastifySchema
declare const perhaps: { params?: object; message?: object }
for (const unclear of [any, perhaps]) {
  app.get<Untold>(
    '/three/:id',
    {
      websocket: true,
      schema: unclear,
      onMessage: (_socket, _request, message) => exactly<unknown>()(message),
    },
    handler,
  )
  app.get('/two', {
    websocket: true,
    schema: unclear,
    onMessage: (_socket, _request, message) => exactly<unknown>()(message),
    handler,
  })
}

// declared apart
const apart: RouteLifecycleOptions['onMessage'] = function (socket, request, message) {
  exactly<FastifyInstance>()(this)
  exactly<LifecycleSocket>()(socket)
  exactly<FastifyRequest>()(request)
  exactly<string | Buffer>()(message)
}
const options: RouteLifecycleOptions = {
  onMessage: apart!,
  inbox: { maxMessages: 8, maxBytes: 65_536, concurrency: 2 },
}
app.get('/apart', { websocket: true, onMessage: apart! }, handler)
app.get('/apart', { ...options, websocket: true }, handler)
app.route({ method: 'GET', url: '/apart', websocket: true, handler, ...options })
// these may have a schema
const shorthand: RouteShorthandOptions = {
  onMessage: (_socket, _request, message) => exactly<unknown>()(message),
}
app.get('/apart', { ...shorthand, websocket: true }, handler)
app.get('/apart', { ...shorthand, websocket: true, handler })
app.route({ method: 'GET', url: '/apart', ...shorthand, websocket: true, handler })
type Provider = import('fastify').FastifyTypeProviderDefault
exactly<string | Buffer>()({} as MessageOf<Provider, unknown, Untold>)
exactly<string | Buffer>()({} as MessageOf<Provider, { params: object }, Untold>)
exactly<unknown>()({} as MessageOf<Provider, FastifySchema, Untold>)
exactly<{ buy: number }>()({} as MessageOf<Provider, FastifySchema, Order>)
exactly<{ buy: number }>()({} as MessageOf<Provider, typeof schema, Order>)
exactly<unknown>()({} as MessageOf<Provider, typeof schema, Untold>)

// over TLS: `this` and `request` are that server's
const https = Fastify({ https: {} })
https.get(
  '/tls',
  {
    websocket: true,
    onMessage(socket, request, message) {
      exactly<Server>()(this.server)
      exactly<LifecycleSocket>()(socket)
      exactly<string | undefined>()(request.raw.url)
      exactly<string | Buffer>()(message)
    },
    onInvalidMessage(_socket, _request, error) {
      exactly<Server>()(this.server)
      exactly<Error>()(error)
    },
  },
  () => {},
)

// the same inbox as a loop, and the outbox
app.get('/loop', { websocket: true }, async (socket) => {
  exactly<AsyncIterableIterator<string | Buffer>>()(socket.messages())
  for await (const message of socket.messages()) {
    exactly<string | Buffer>()(message)
    exactly<boolean>()(socket.send(message))
    exactly<boolean>()(socket.send(message, (error) => exactly<Error | undefined>()(error)))
    exactly<boolean>()(socket.send(message, { binary: true, fin: false }))
  }
  exactly<Promise<boolean>>()(socket.drained())
  while (await socket.drained()) socket.send('next')
  exactly<void>()(socket.expireAt(Date.now() + 60_000))
  exactly<void>()(socket.expireAt(new Date()))
  exactly<boolean>()(socket.isPaused)
  // @ts-expect-error
  socket.expireAt('tomorrow')
  // @ts-expect-error
  socket.expireAt()
  // @ts-expect-error
  socket.messages = apart
})
