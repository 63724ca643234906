// What schemas, generics and type providers say reaches the handler and the hooks of a route with `resume`.
import { Type, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifySchema } from 'fastify'
import type { FastifyPluginAsyncZod, ZodTypeProvider } from 'fastify-type-provider-zod'
import type { LifecycleSession } from 'fastify-websocket-lifecycle'
import { z } from 'zod'
import { exactly } from './exactly.js'

const app = Fastify()
const resume = { key: (): string => 'anna' }

// with a schema, but without a type provider that reads it
const schema = { message: { type: 'object', properties: { id: { type: 'integer' } } } }
app.get(
  '/three',
  {
    websocket: true,
    resume: { key: (request) => request.ip },
    schema,
    onMessage: (one, _request, message) => {
      exactly<LifecycleSession>()(one)
      exactly<unknown>()(message)
    },
    onResume: (one) => exactly<LifecycleSession>()(one),
  },
  (one) => exactly<LifecycleSession>()(one),
)
app.get('/two', {
  websocket: true,
  resume,
  schema: { message: { type: 'string' } },
  onMessage: (one, _request, message) => {
    exactly<LifecycleSession>()(one)
    exactly<unknown>()(message)
  },
  handler: (one) => exactly<LifecycleSession>()(one),
})
app.route({
  method: 'GET',
  url: '/route',
  websocket: true,
  resume,
  schema,
  onMessage: (_session, _request, message) => exactly<unknown>()(message),
  handler: (one) => exactly<LifecycleSession>()(one),
})
app.route({
  method: 'GET',
  url: '/both',
  resume,
  schema,
  onMessage: (_session, _request, message) => exactly<unknown>()(message),
  handler: () => 'http',
  wsHandler: (one) => exactly<LifecycleSession>()(one),
})
declare const unclear: FastifySchema
app.get('/two', {
  websocket: true,
  resume,
  schema: unclear,
  onMessage: (_session, _request, message) => exactly<unknown>()(message),
  handler: (one) => exactly<LifecycleSession>()(one),
})

// the route's generic says what messages are, or it does not
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
    resume: {
      key: (request) => {
        exactly<{ id: string }>()(request.params)
        return request.params.id
      },
    },
    schema,
    onMessage(one, request, message) {
      exactly<LifecycleSession>()(one)
      exactly<{ id: string }>()(request.params)
      exactly<{ buy: number }>()(message)
    },
    onSuspend: (_session, request) => exactly<{ id: string }>()(request.params),
    onResume: (_session, request) => exactly<{ id: string }>()(request.params),
    onClose: (_session, request) => exactly<{ id: string }>()(request.params),
  },
  (one, request) => {
    exactly<LifecycleSession>()(one)
    exactly<{ id: string }>()(request.params)
  },
)
app.get<Order>('/two/:id', {
  websocket: true,
  resume: { key: (request) => request.params.id },
  onMessage: (_session, _request, message) => exactly<{ buy: number }>()(message),
  handler: (one) => exactly<LifecycleSession>()(one),
})
app.route<Order>({
  method: 'GET',
  url: '/route/:id',
  websocket: true,
  resume: { key: (request) => request.params.id },
  schema,
  onMessage: (_session, _request, message) => exactly<{ buy: number }>()(message),
  handler: (one, request) => {
    exactly<LifecycleSession>()(one)
    exactly<{ id: string }>()(request.params)
  },
})
app.route<Order>({
  method: 'GET',
  url: '/both/:id',
  resume: { key: (request) => request.params.id },
  onMessage: (_session, _request, message) => exactly<{ buy: number }>()(message),
  handler: (request) => exactly<{ id: string }>()(request.params),
  wsHandler: (one) => exactly<LifecycleSession>()(one),
})
app.get<Untold>(
  '/three/:id',
  {
    websocket: true,
    resume,
    onMessage: (_session, _request, message) => exactly<string | Buffer>()(message),
    onResume: (_session, request) => exactly<{ id: string }>()(request.params),
  },
  (one) => exactly<LifecycleSession>()(one),
)
app.get<Untold>('/two/:id', {
  websocket: true,
  resume: { key: (request) => request.params.id },
  schema,
  onMessage: (_session, request, message) => {
    exactly<{ id: string }>()(request.params)
    exactly<unknown>()(message)
  },
  handler: (one) => exactly<LifecycleSession>()(one),
})
app.route<Untold>({
  method: 'GET',
  url: '/route/:id',
  websocket: true,
  resume,
  schema,
  onMessage: (_session, _request, message) => exactly<unknown>()(message),
  handler: (one) => exactly<LifecycleSession>()(one),
})
app.route<Untold>({
  method: 'GET',
  url: '/both/:id',
  resume,
  onMessage: (_session, _request, message) => exactly<string | Buffer>()(message),
  handler: () => 'http',
  wsHandler: (one) => exactly<LifecycleSession>()(one),
})

// type providers
const typebox = Fastify().withTypeProvider<TypeBoxTypeProvider>()
const command = {
  params: Type.Object({ id: Type.Integer() }),
  message: Type.Object({ move: Type.String() }),
}
typebox.get(
  '/three',
  {
    websocket: true,
    resume: {
      key: (request) => {
        exactly<{ id: number }>()(request.params)
        return null
      },
    },
    schema: command,
    onMessage(one, request, message) {
      exactly<typeof typebox.get>()(this.get)
      exactly<LifecycleSession>()(one)
      exactly<{ id: number }>()(request.params)
      exactly<{ move: string }>()(message)
    },
    onSuspend(one, request) {
      exactly<typeof typebox.get>()(this.get)
      exactly<LifecycleSession>()(one)
      exactly<{ id: number }>()(request.params)
    },
    onResume: (_session, request) => exactly<{ id: number }>()(request.params),
  },
  function (one, request) {
    exactly<typeof typebox.get>()(this.get)
    exactly<LifecycleSession>()(one)
    exactly<{ id: number }>()(request.params)
  },
)
typebox.get(
  '/three',
  {
    websocket: true,
    resume,
    schema: { params: command.params },
    onMessage: (_session, _request, message) => exactly<string | Buffer>()(message),
  },
  (one, request) => {
    exactly<LifecycleSession>()(one)
    exactly<{ id: number }>()(request.params)
  },
)
typebox.get('/two', {
  websocket: true,
  resume: { key: (request) => String(request.params.id) },
  schema: command,
  onMessage: (_session, _request, message) => exactly<{ move: string }>()(message),
  handler: (one, request) => {
    exactly<LifecycleSession>()(one)
    exactly<{ id: number }>()(request.params)
  },
})
typebox.route({
  method: 'GET',
  url: '/route',
  websocket: true,
  resume: { key: (request) => String(request.params.id) },
  schema: command,
  onMessage: (_session, _request, message) => exactly<{ move: string }>()(message),
  handler: (one, request) => {
    exactly<LifecycleSession>()(one)
    exactly<{ id: number }>()(request.params)
  },
})
typebox.route({
  method: 'GET',
  url: '/both',
  resume: { key: (request) => String(request.params.id) },
  schema: command,
  onMessage: (_session, _request, message) => exactly<{ move: string }>()(message),
  handler: (request) => exactly<{ id: number }>()(request.params),
  wsHandler: (one, request) => {
    exactly<LifecycleSession>()(one)
    exactly<{ id: number }>()(request.params)
  },
})

const zod = Fastify().withTypeProvider<ZodTypeProvider>()
const order = {
  querystring: z.object({ limit: z.coerce.number() }),
  message: z.object({ item: z.string().transform((text) => text.length) }),
}
zod.get(
  '/three',
  {
    websocket: true,
    resume: {
      key(request) {
        exactly<{ limit: number }>()(request.query)
        return null
      },
    },
    schema: order,
    onMessage(one, request, message) {
      exactly<typeof zod.get>()(this.get)
      exactly<LifecycleSession>()(one)
      exactly<{ limit: number }>()(request.query)
      exactly<{ item: number }>()(message)
    },
    onResume: (_session, request) => exactly<{ limit: number }>()(request.query),
  },
  (one, request) => {
    exactly<LifecycleSession>()(one)
    exactly<{ limit: number }>()(request.query)
  },
)
zod.get('/two', {
  websocket: true,
  resume,
  schema: order,
  onMessage: (_session, _request, message) => exactly<number>()(message.item),
  handler: (one) => exactly<LifecycleSession>()(one),
})
zod.route({
  method: 'GET',
  url: '/route',
  websocket: true,
  resume,
  schema: order,
  onMessage: (_session, _request, message) => exactly<number>()(message.item),
  handler: (one) => exactly<LifecycleSession>()(one),
})
zod.route({
  method: 'GET',
  url: '/both',
  resume,
  schema: order,
  onMessage: (_session, _request, message) => exactly<number>()(message.item),
  handler: () => 'http',
  wsHandler: (one) => exactly<LifecycleSession>()(one),
})
export const withZod: FastifyPluginAsyncZod = async (child) => {
  child.get(
    '/child',
    {
      websocket: true,
      resume,
      schema: order,
      onMessage: (_session, _request, message) => exactly<number>()(message.item),
    },
    (one) => exactly<LifecycleSession>()(one),
  )
}
