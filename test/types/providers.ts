// Type providers: what a schema says reaches handlers and hooks.
import { Type, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import websocketLifecycle, { type LifecycleSocket } from 'fastify-websocket-lifecycle'
import { z } from 'zod'
import { exactly } from './exactly.js'

const typebox = Fastify().withTypeProvider<TypeBoxTypeProvider>()
typebox.register(websocketLifecycle)
const room = {
  params: Type.Object({ id: Type.Integer() }),
  querystring: Type.Object({ since: Type.Optional(Type.String()) }),
}
typebox.get(
  '/three',
  {
    websocket: true,
    schema: room,
    onClose(socket, request) {
      exactly<typeof typebox.get>()(this.get)
      exactly<LifecycleSocket>()(socket)
      exactly<{ id: number }>()(request.params)
      exactly<{ since?: string }>()(request.query)
    },
  },
  function (socket, request) {
    exactly<typeof typebox.get>()(this.get)
    exactly<LifecycleSocket>()(socket)
    exactly<{ id: number }>()(request.params)
    exactly<{ since?: string }>()(request.query)
  },
)
typebox.get('/two', {
  websocket: true,
  schema: room,
  onUnexpectedClose: (_socket, request) => exactly<{ id: number }>()(request.params),
  handler(socket, request) {
    exactly<typeof typebox.get>()(this.get)
    exactly<LifecycleSocket>()(socket)
    exactly<{ id: number }>()(request.params)
  },
})
typebox.route({
  method: 'GET',
  url: '/route',
  websocket: true,
  schema: room,
  onHandlerError: (_socket, request) => exactly<{ id: number }>()(request.params),
  handler(socket, request) {
    exactly<LifecycleSocket>()(socket)
    exactly<{ id: number }>()(request.params)
    exactly<{ since?: string }>()(request.query)
  },
})
typebox.route({
  method: 'GET',
  url: '/both',
  schema: room,
  onShutdown: (_socket, request) => exactly<{ id: number }>()(request.params),
  handler: (request) => exactly<{ id: number }>()(request.params),
  wsHandler(socket, request) {
    exactly<LifecycleSocket>()(socket)
    exactly<{ id: number }>()(request.params)
  },
})

const zod = Fastify().withTypeProvider<ZodTypeProvider>()
zod.register(websocketLifecycle)
const query = { querystring: z.object({ limit: z.coerce.number() }) }
zod.get(
  '/three',
  {
    websocket: true,
    schema: query,
    onShutdown(socket, request) {
      exactly<typeof zod.get>()(this.get)
      exactly<LifecycleSocket>()(socket)
      exactly<{ limit: number }>()(request.query)
    },
  },
  (socket, request) => {
    exactly<LifecycleSocket>()(socket)
    exactly<{ limit: number }>()(request.query)
    exactly<unknown>()(request.params)
  },
)
zod.get('/two', {
  websocket: true,
  schema: query,
  onClose: (_socket, request) => exactly<{ limit: number }>()(request.query),
  handler(socket, request) {
    exactly<LifecycleSocket>()(socket)
    exactly<{ limit: number }>()(request.query)
  },
})
zod.route({
  method: 'GET',
  url: '/route',
  websocket: true,
  schema: query,
  onClose: (_socket, request) => exactly<{ limit: number }>()(request.query),
  handler(socket, request) {
    exactly<LifecycleSocket>()(socket)
    exactly<{ limit: number }>()(request.query)
  },
})
zod.route({
  method: 'GET',
  url: '/both',
  schema: query,
  onUnexpectedClose: (_socket, request) => exactly<{ limit: number }>()(request.query),
  handler: (request) => exactly<{ limit: number }>()(request.query),
  wsHandler(socket, request) {
    exactly<LifecycleSocket>()(socket)
    exactly<{ limit: number }>()(request.query)
  },
})
