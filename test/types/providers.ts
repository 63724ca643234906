// Type providers: what a schema says reaches handlers and hooks.
import {
  Type,
  type FastifyPluginAsyncTypebox,
  type TypeBoxTypeProvider,
} from '@fastify/type-provider-typebox'
import Fastify from 'fastify'
import type { FastifyPluginAsyncZod, ZodTypeProvider } from 'fastify-type-provider-zod'
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

// Messages: a schema's type reaches onMessage, on every way to declare a route.
const command = {
  params: Type.Object({ id: Type.Integer() }),
  message: Type.Object({ move: Type.String(), by: Type.Optional(Type.Number()) }),
}
typebox.get(
  '/three',
  {
    websocket: true,
    schema: command,
    onMessage(socket, request, message) {
      exactly<typeof typebox.get>()(this.get)
      exactly<LifecycleSocket>()(socket)
      exactly<{ id: number }>()(request.params)
      exactly<{ move: string; by?: number }>()(message)
    },
    onInvalidMessage(socket, request, error) {
      exactly<typeof typebox.get>()(this.get)
      exactly<LifecycleSocket>()(socket)
      exactly<{ id: number }>()(request.params)
      exactly<Error>()(error)
    },
    expiresAt(request) {
      exactly<{ id: number }>()(request.params)
      return new Date()
    },
  },
  (_socket, request) => exactly<{ id: number }>()(request.params),
)
typebox.get('/two', {
  websocket: true,
  schema: command,
  onMessage: (_socket, _request, message) => exactly<{ move: string; by?: number }>()(message),
  handler: (_socket, request) => exactly<{ id: number }>()(request.params),
})
typebox.route({
  method: 'GET',
  url: '/route',
  websocket: true,
  schema: command,
  onMessage: (_socket, _request, message) => exactly<{ move: string; by?: number }>()(message),
  handler: (socket) => exactly<LifecycleSocket>()(socket),
})
typebox.route({
  method: 'GET',
  url: '/both',
  schema: command,
  onMessage: (_socket, _request, message) => exactly<{ move: string; by?: number }>()(message),
  handler: (request) => exactly<{ id: number }>()(request.params),
  wsHandler: (socket) => exactly<LifecycleSocket>()(socket),
})
typebox.get(
  '/inline',
  {
    websocket: true,
    schema: { message: Type.Union([Type.Literal('left'), Type.Literal('right')]) },
    onMessage: (_socket, _request, message) => exactly<'left' | 'right'>()(message),
  },
  (_socket, request) => exactly<unknown>()(request.params),
)
typebox.get(
  '/none',
  {
    websocket: true,
    schema: room,
    onMessage: (_socket, _request, message) => exactly<string | Buffer>()(message),
  },
  () => {},
)
typebox.get<{ Message: { wins: true } }>(
  '/generic',
  {
    websocket: true,
    schema: command,
    onMessage: (_socket, _request, message) => exactly<{ wins: true }>()(message),
  },
  () => {},
)
// generics beside a schema, which TypeScript then does not infer
typebox.get<{ Querystring: { since?: string } }>(
  '/untold',
  {
    websocket: true,
    schema: command,
    onMessage(_socket, request, message) {
      exactly<{ since?: string }>()(request.query)
      exactly<unknown>()(message)
    },
  },
  () => {},
)
typebox.get<{ Querystring: { since?: string } }>(
  '/untold',
  {
    websocket: true,
    schema: room,
    onMessage: (_socket, _request, message) => exactly<string | Buffer>()(message),
  },
  () => {},
)
const nothing = (): void => {}
// @ts-expect-error
typebox.get('/', { websocket: true, schema: command, onMessage: (_s, _r, m) => m.jump }, nothing)
// @ts-expect-error
typebox.get('/', { websocket: true, schema: command, onMessage: (_s, _r, m: number) => m }, nothing)

// What zod makes of a message is what a transform and a default leave.
const order = {
  message: z.object({
    item: z.string().transform((text) => text.length),
    count: z.number().default(1),
    note: z.string().optional(),
  }),
}
zod.get(
  '/three',
  {
    websocket: true,
    schema: order,
    onMessage(socket, request, message) {
      exactly<typeof zod.get>()(this.get)
      exactly<LifecycleSocket>()(socket)
      exactly<unknown>()(request.params)
      exactly<{ item: number; count: number; note?: string | undefined }>()(message)
    },
    onInvalidMessage: (_socket, _request, error) => exactly<Error>()(error),
  },
  (socket) => exactly<LifecycleSocket>()(socket),
)
zod.get('/two', {
  websocket: true,
  schema: order,
  onMessage: (_socket, _request, message) => exactly<number>()(message.item),
  handler: (socket) => exactly<LifecycleSocket>()(socket),
})
zod.route({
  method: 'GET',
  url: '/route',
  websocket: true,
  schema: order,
  onMessage: (_socket, _request, message) => exactly<number>()(message.count),
  handler: (socket) => exactly<LifecycleSocket>()(socket),
})
zod.route({
  method: 'GET',
  url: '/both',
  schema: order,
  onMessage: (_socket, _request, message) => exactly<string | undefined>()(message.note),
  handler: () => 'http',
  wsHandler: (socket) => exactly<LifecycleSocket>()(socket),
})
const moves = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('join'), room: z.string() }),
  z.object({ kind: z.literal('leave') }),
])
zod.get(
  '/union',
  {
    websocket: true,
    schema: { ...query, message: moves },
    onMessage(_socket, request, message) {
      exactly<{ limit: number }>()(request.query)
      exactly<'join' | 'leave'>()(message.kind)
      if (message.kind === 'join') exactly<string>()(message.room)
    },
  },
  () => {},
)
zod.get<{ Message: { wins: true } }>(
  '/generic',
  {
    websocket: true,
    schema: order,
    onMessage: (_socket, _request, message) => exactly<{ wins: true }>()(message),
  },
  () => {},
)
// @ts-expect-error
zod.get('/', { websocket: true, schema: order, onMessage: (_s, _r, m) => m.price }, nothing)
// @ts-expect-error: before the transform it was a string
zod.get('/', { websocket: true, schema: order, onMessage: (_s, _r, m) => m.item.trim() }, nothing)

// Providers that hold in a child only, and plugins that bring one.
Fastify().register(async (child) => {
  child.withTypeProvider<ZodTypeProvider>().get(
    '/child',
    {
      websocket: true,
      schema: order,
      onMessage: (_socket, _request, message) => exactly<number>()(message.item),
    },
    () => {},
  )
})
export const withTypebox: FastifyPluginAsyncTypebox = async (child) => {
  child.get(
    '/child',
    {
      websocket: true,
      schema: command,
      onMessage: (_socket, _request, message) => exactly<string>()(message.move),
    },
    () => {},
  )
}
export const withZod: FastifyPluginAsyncZod = async (child) => {
  child.get(
    '/child',
    {
      websocket: true,
      schema: order,
      onMessage: (_socket, _request, message) => exactly<number>()(message.item),
    },
    () => {},
  )
}
