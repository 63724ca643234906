// The routes on which healthy peers live beside those that misbehave.
import type { FastifyInstance } from 'fastify'
import type { LifecycleSocket, Message } from '../../../../lib/index.js'
import {
  CREDENTIALS,
  IDLE_TIMEOUT,
  MAX_LIFETIME,
  PLACES,
  PLACES_OF_KEY,
  RENEWED,
} from '../timings.js'
import type { Duties } from './duties.js'

const FAN_OUT_EVERY = 100
/** Each message to a group begins with its number. */
const PADDING = 'x'.repeat(600)

const ORDER = {
  type: 'object',
  required: ['n'],
  properties: { n: { type: 'integer' } },
} as const

export function addRoutes(app: FastifyInstance, duties: Duties): void {
  const begin = duties.opened.bind(duties)
  addReaders(app, duties)
  addGroups(app, duties)
  app.get(
    '/device/:key',
    {
      websocket: true,
      maxConnectionsPerKey: {
        max: 1,
        whenFull: 'replace',
        key: ({ params }) => (params as { key: string }).key,
      },
      onMessage: answer,
    },
    begin,
  )
  app.get(
    '/limited/:key',
    {
      websocket: true,
      maxConnections: PLACES,
      maxConnectionsPerKey: {
        max: PLACES_OF_KEY,
        key: ({ params }) => (params as { key: string }).key,
      },
      messageRate: { max: 50, window: 1_000 },
      onMessage: answer,
    },
    begin,
  )
  app.get('/idle', { websocket: true, idleTimeout: IDLE_TIMEOUT, onMessage: answer }, begin)
  app.get('/aged', { websocket: true, maxLifetime: MAX_LIFETIME, onMessage: answer }, begin)
  app.get(
    '/credentials',
    {
      websocket: true,
      expiresAt: () => Date.now() + CREDENTIALS,
      // Each message renews them.
      onMessage(socket, _request, message) {
        socket.expireAt(Date.now() + RENEWED)
        answer(socket, _request, message)
      },
    },
    begin,
  )
  app.get('/http', async () => ({ ok: true }))
}

function answer(socket: LifecycleSocket, _request: unknown, message: Message): void {
  socket.send(message)
}

/** The three ways to receive. */
function addReaders(app: FastifyInstance, duties: Duties): void {
  const { storm } = duties
  app.get<{ Message: { n: number } }>(
    '/orders',
    {
      websocket: true,
      schema: { message: ORDER },
      inbox: { maxMessages: 8, maxBytes: 16_384 },
      async onMessage(socket, _request, { n }) {
        if (storm.has(0.2)) await storm.pause(10)
        socket.send(JSON.stringify({ n }))
      },
      onInvalidMessage: (socket) => void socket.send('invalid'),
    },
    (socket, request) => duties.opened(socket, request),
  )
  app.get('/lines', { websocket: true }, async (socket, request) => {
    duties.opened(socket, request)
    for await (const message of socket.messages()) {
      if (storm.has(0.2)) await storm.pause(10)
      if (!(await socket.drained())) break
      socket.send(message)
    }
  })
  app.get('/echo', { websocket: true }, async (socket, request) => {
    duties.opened(socket, request)
    // A listener that comes late hears everything.
    if (storm.has(0.5)) await storm.pause(50)
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      socket.send(isBinary ? data : data.toString())
    })
  })
}

/** A number a time, to all. Who is too slow misses some, or is cut off. */
function addGroups(app: FastifyInstance, duties: Duties): void {
  const begin = duties.opened.bind(duties)
  const outbox = { maxBytes: 65_536, maxAge: 1_500 }
  app.get(
    '/feed',
    { websocket: true, groups: () => 'feed', outbox: { ...outbox, overflow: 'drop' } },
    begin,
  )
  app.get('/strict', { websocket: true, groups: () => ['strict', 'all'], outbox }, begin)
  let number = 0
  const timer = setInterval(() => {
    number++
    for (const name of ['feed', 'strict']) {
      app.websocketLifecycle.group(name).send(`${number} ${PADDING}`)
    }
  }, FAN_OUT_EVERY)
  app.addHook('onClose', () => clearInterval(timer))
}
