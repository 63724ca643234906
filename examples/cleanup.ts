// A connection gives its resources back when it ends, in whatever way it ends. Start it with
// `npx tsx examples/cleanup.ts`, and connect with `npx wscat -c ws://127.0.0.1:3000/ticks`.
import { EventEmitter } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import Fastify, { type FastifyInstance } from 'fastify'
import websocketLifecycle from 'fastify-websocket-lifecycle'

export async function build(): Promise<FastifyInstance> {
  const app = Fastify({ logger: true })
  await app.register(websocketLifecycle)

  // Stands for a source that one subscribes to: Redis, Postgres, a message broker.
  const feed = new EventEmitter()
  const timer = setInterval(() => feed.emit('tick', new Date().toISOString()), 1_000)
  app.addHook('onClose', async () => clearInterval(timer))

  app.get('/subscribers', async () => ({ count: feed.listenerCount('tick') }))

  app.get('/ticks', { websocket: true }, (socket, request) => {
    const onTick = (tick: string): void => void socket.send(tick)
    feed.on('tick', onTick)
    // Next to the line that takes the resource, so that nobody forgets it. It runs once, after onClose.
    // If the connection is over already, it runs at once.
    socket.scope.defer(() => {
      feed.off('tick', onTick)
      request.log.info('unsubscribed')
    })

    // For work that takes long: the signal aborts as soon as the connection begins to end.
    const { signal } = socket.scope
    socket.on('message', async (question: Buffer) => {
      try {
        socket.send(await ponder(question.toString(), signal))
      } catch (error) {
        if (!signal.aborted) throw error // an error of our own: this connection ends with 1011
        request.log.info('stopped pondering: nobody waits for the answer')
      }
    })
  })

  return app
}

/** Stands for work that takes a signal: fetch, a query, a child process. */
async function ponder(question: string, signal: AbortSignal): Promise<string> {
  const seconds = question === 'everything' ? 1_000_000 : 1
  return delay(seconds * 1_000, `${question}: 42`, { signal })
}

if (process.argv[1] === import.meta.filename) {
  const app = await build()
  await app.listen({ port: Number(process.env['PORT'] ?? 3000) })
}
