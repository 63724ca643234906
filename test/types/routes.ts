// Every way to declare a route: handlers and hooks without annotations see our types.
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import websocketLifecycle, {
  type CloseInfo,
  type ConnectionScope,
  type LifecycleSocket,
  type WebsocketHandler,
  type WebsocketLifecycle,
} from 'fastify-websocket-lifecycle'
import type { WebSocket } from 'ws'
import { exactly } from './exactly.js'

const app = Fastify()
app.register(websocketLifecycle, { keepalive: { interval: 25_000 }, drain: { spread: 10 } })

exactly<WebsocketLifecycle>()(app.websocketLifecycle)

app.addHook('onRequest', async (request, reply) => {
  exactly<ConnectionScope | undefined>()(request.wsScope)
  const refused: FastifyReply = reply.refuseWebsocket(3000, 'who are you?')
  // @ts-expect-error
  reply.refuseWebsocket('3000')
  return refused
})
app.addHook('preValidation', (_request, reply) => reply.refuseWebsocket())
app.addHook('preHandler', async (_request, reply) => reply.refuseWebsocket().code(400))
app.setErrorHandler((_error, _request, reply) => reply.refuseWebsocket())
app.setNotFoundHandler((_request, reply) => reply.refuseWebsocket())

// get with three arguments
app.get(
  '/three',
  {
    websocket: true,
    keepalive: { interval: 10_000, timeout: false },
    closeTimeout: 1_000,
    expectedCloseCodes: [1000, 4000],
    handshakeTimeout: false,
    onUnexpectedClose(socket, request, close) {
      exactly<FastifyInstance>()(this)
      exactly<LifecycleSocket>()(socket)
      exactly<FastifyRequest>()(request)
      exactly<CloseInfo>()(close)
    },
    async onClose(socket, request, close) {
      exactly<FastifyInstance>()(this)
      exactly<LifecycleSocket>()(socket)
      exactly<FastifyRequest>()(request)
      exactly<CloseInfo>()(close)
    },
    onShutdown(socket, request) {
      exactly<FastifyInstance>()(this)
      exactly<LifecycleSocket>()(socket)
      exactly<FastifyRequest>()(request)
    },
    onHandlerError(socket, request, error) {
      exactly<FastifyInstance>()(this)
      exactly<LifecycleSocket>()(socket)
      exactly<FastifyRequest>()(request)
      exactly<Error>()(error)
    },
  },
  function (socket, request) {
    exactly<FastifyInstance>()(this)
    exactly<LifecycleSocket>()(socket)
    exactly<FastifyRequest>()(request)
  },
)
app.get('/three', { websocket: true }, (socket, request) => {
  exactly<LifecycleSocket>()(socket)
  exactly<unknown>()(request.params)
})
app.get('/three', { websocket: true }, async (socket) => exactly<LifecycleSocket>()(socket))

// get with two arguments
app.get('/two', {
  websocket: true,
  onClose(socket, request, close) {
    exactly<FastifyInstance>()(this)
    exactly<LifecycleSocket>()(socket)
    exactly<FastifyRequest>()(request)
    exactly<CloseInfo>()(close)
  },
  handler(socket, request) {
    exactly<FastifyInstance>()(this)
    exactly<LifecycleSocket>()(socket)
    exactly<FastifyRequest>()(request)
  },
})

// route with `websocket: true`
app.route({
  method: 'GET',
  url: '/route',
  websocket: true,
  keepalive: false,
  onClose(socket, request, close) {
    exactly<FastifyInstance>()(this)
    exactly<LifecycleSocket>()(socket)
    exactly<FastifyRequest>()(request)
    exactly<CloseInfo>()(close)
  },
  handler(socket, request) {
    exactly<FastifyInstance>()(this)
    exactly<LifecycleSocket>()(socket)
    exactly<FastifyRequest>()(request)
  },
})

// route with a handler for each of the two protocols
app.route({
  method: 'GET',
  url: '/both',
  onShutdown(socket) {
    exactly<FastifyInstance>()(this)
    exactly<LifecycleSocket>()(socket)
  },
  handler(request, reply) {
    exactly<FastifyRequest>()(request)
    exactly<FastifyReply>()(reply)
  },
  wsHandler(socket, request) {
    exactly<FastifyInstance>()(this)
    exactly<LifecycleSocket>()(socket)
    exactly<FastifyRequest>()(request)
  },
})

// explicit generics
interface Room {
  Params: { id: string }
  Querystring: { since?: number }
}
app.get<Room>(
  '/rooms/:id',
  {
    websocket: true,
    onClose(_socket, request) {
      exactly<{ id: string }>()(request.params)
      exactly<{ since?: number }>()(request.query)
    },
  },
  (socket, request) => {
    exactly<LifecycleSocket>()(socket)
    exactly<{ id: string }>()(request.params)
    exactly<{ since?: number }>()(request.query)
  },
)
app.get<Room>(
  '/rooms/:id',
  {
    websocket: true,
    allowedOrigins: async (origin, request) => {
      exactly<string>()(origin)
      exactly<{ id: string }>()(request.params)
      return true
    },
    maxConnections: 100,
    maxConnectionsPerKey: { max: 2, key: (request) => request.params.id },
    refuse: 'http',
    preHandler: async (request, reply) => {
      exactly<string>()(request.params.id)
      if (request.wsScope === undefined) return reply.refuseWebsocket()
      return reply.refuseWebsocket(3003, 'not a member')
    },
  },
  () => {},
)
app.get(
  '/refused',
  {
    websocket: true,
    onRequest: [(_request, reply) => reply.refuseWebsocket(), async () => {}],
    preParsing: (_request, reply) => reply.refuseWebsocket(3000),
    preValidation: (_request, reply) => reply.refuseWebsocket(3000, 'who are you?'),
    preHandler: async (_request, reply) => reply.refuseWebsocket(),
    errorHandler: (_error, _request, reply) => reply.refuseWebsocket(),
  },
  () => {},
)
app.get<Room>('/refused', {
  websocket: true,
  preValidation: ({ params }, reply) => reply.refuseWebsocket(3003, `not in ${params.id}`),
  handler: () => {},
})
app.route<Room>({
  method: 'GET',
  url: '/refused',
  websocket: true,
  preValidation: (request, reply) => {
    if (request.wsScope === undefined) return
    return reply.refuseWebsocket()
  },
  handler: () => {},
})
app.route({
  method: 'GET',
  url: '/refused',
  preHandler: (_request, reply) => reply.refuseWebsocket(),
  handler: () => 'http',
  wsHandler: () => {},
})
// @ts-expect-error
app.get<Room>('/', { websocket: true, allowedOrigins: (_, { params }) => params.id }, () => {})
// @ts-expect-error
app.get<Room>('/', { websocket: true, maxConnectionsPerKey: {} }, () => {})
app.get<Room>('/rooms/:id', {
  websocket: true,
  onUnexpectedClose: (_socket, request) => exactly<{ id: string }>()(request.params),
  handler(socket, request) {
    exactly<LifecycleSocket>()(socket)
    exactly<{ id: string }>()(request.params)
  },
})
app.route<Room>({
  method: 'GET',
  url: '/rooms/:id',
  websocket: true,
  onHandlerError: (_socket, request) => exactly<{ since?: number }>()(request.query),
  handler(socket, request) {
    exactly<LifecycleSocket>()(socket)
    exactly<{ id: string }>()(request.params)
  },
})
app.route<Room>({
  method: 'GET',
  url: '/rooms/:id',
  onShutdown: (_socket, request) => exactly<{ id: string }>()(request.params),
  handler: (request) => exactly<{ id: string }>()(request.params),
  wsHandler(socket, request) {
    exactly<LifecycleSocket>()(socket)
    exactly<{ since?: number }>()(request.query)
  },
})

// in a child, beside HTTP routes
app.register(async (child) => {
  child.get('/child', { websocket: true, config: {} }, function (socket, request) {
    exactly<FastifyInstance>()(this)
    exactly<LifecycleSocket>()(socket)
    exactly<unknown>()(request.params)
  })
})
app.get('/http', (request, reply) => {
  exactly<FastifyRequest>()(request)
  exactly<FastifyReply>()(reply)
})
app.get('/http', { onClose: () => {} }, (request, reply) => {
  exactly<FastifyRequest>()(request)
  exactly<FastifyReply>()(reply)
})
app.get('/http', {
  websocket: false,
  handler(request, reply) {
    exactly<FastifyRequest>()(request)
    exactly<FastifyReply>()(reply)
  },
})
app.route({
  method: 'GET',
  url: '/http',
  handler(request, reply) {
    exactly<FastifyInstance>()(this)
    exactly<FastifyRequest>()(request)
    exactly<FastifyReply>()(reply)
  },
})

// handlers declared apart: ours, that of @fastify/websocket, and one that knows ws only
const ours: WebsocketHandler = function (socket, request) {
  exactly<FastifyInstance>()(this)
  exactly<LifecycleSocket>()(socket)
  exactly<unknown>()(request.params)
}
declare const theirs: import('@fastify/websocket').WebsocketHandler
const plain = (socket: WebSocket): void => socket.close()
for (const handler of [ours, theirs, plain]) {
  app.get('/apart', { websocket: true }, handler)
  app.get('/apart', { websocket: true, handler })
  app.route({ method: 'GET', url: '/apart', websocket: true, handler })
}

// @ts-expect-error: without `websocket: true` there is no socket
app.get('/wrong', {}, (socket: LifecycleSocket) => socket.id)

// what a refusal returns, in hooks with a type of their own
export async function onRequest(_: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  return reply.refuseWebsocket()
}
export async function perhaps(_: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  return reply.sent ? undefined : reply.refuseWebsocket()
}
export function returning(_: FastifyRequest, reply: FastifyReply): FastifyReply {
  return reply.refuseWebsocket()
}
app.get('/refused', { websocket: true, onRequest, preHandler: perhaps }, () => {})
app.get(
  '/refused',
  {
    websocket: true,
    preValidation: (_request, reply) =>
      Promise.reject(new Error('no')).catch(() => reply.refuseWebsocket()),
  },
  () => {},
)
// @ts-expect-error
export const text: string = ({} as FastifyReply).refuseWebsocket()
