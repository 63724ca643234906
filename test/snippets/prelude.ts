// What code blocks of the documents may use without a declaration of their own: names of an app.
import '@fastify/cookie'
import '@fastify/session'
import type { EventEmitter, on as eventsOn } from 'node:events'
import type { FileHandle } from 'node:fs/promises'
import type fastifyJwt from '@fastify/jwt'
import type fastifyRateLimit from '@fastify/rate-limit'
import type { TypeBoxTypeProvider as Provider } from '@fastify/type-provider-typebox'
import type {
  default as fastify,
  FastifyInstance,
  FastifyReply,
  FastifyRequest as Request,
} from 'fastify'
import type plugin from 'fastify-websocket-lifecycle'
import type cluster from 'fastify-websocket-lifecycle/redis'
import type { LifecycleSocket, Message, WebsocketHandler } from 'fastify-websocket-lifecycle'
import type { Redis } from 'ioredis'
import type { Type as TypeBox } from 'typebox'

declare module '@fastify/jwt' {
  interface FastifyJWT {
    user: { sub: string; exp: number }
  }
}

declare global {
  // Of this package, of Fastify and of Node
  const app: FastifyInstance
  const websocketLifecycle: typeof plugin
  const websocketCluster: typeof cluster
  const Fastify: typeof fastify
  type FastifyRequest = Request
  const jwt: typeof fastifyJwt
  const rateLimit: typeof fastifyRateLimit
  const Type: typeof TypeBox
  type TypeBoxTypeProvider = Provider
  const open: (path: string) => Promise<FileHandle & AsyncDisposable>
  const on: typeof eventsOn

  // Of an app
  const build: () => Promise<FastifyInstance>
  const handler: WebsocketHandler
  const socket: LifecycleSocket
  const reply: FastifyReply
  const secret: string
  const token: string
  const ticket: () => Promise<string>
  const pool: { acquire(): Promise<{ release(): Promise<void> }> }
  const ticker: EventEmitter
  const tenants: Set<string>
  const bus: EventEmitter
  const isKnown: (url: string | undefined) => boolean
  const place: (message: Message) => Promise<string>
  const db: {
    query(sql: string, values: readonly unknown[]): Promise<{ rowCount: number | null }>
  }
  const client: Redis
  const order: (sku: string, count: number) => Promise<void>
  const load: (request: Request) => Promise<{ name: string }>
  const next: () => string
  const show: (message: unknown) => void
  const connect: (
    url: string,
    onMessage: (message: string) => void,
    onOver?: (code: number, reason: string) => void,
  ) => { send(message: string): boolean; close(): void }
}
