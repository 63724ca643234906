// A process for each core, and none leaves without a word to its clients. Start it with `npx tsx examples/cluster.ts`,
// connect with `npx wscat -c ws://127.0.0.1:3000/`, replace all workers with `kill -HUP` and the pid that it tells, and
// end it with Ctrl+C.
import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import Fastify, { type FastifyInstance } from 'fastify'
import websocketLifecycle from 'fastify-websocket-lifecycle'

export async function build(): Promise<FastifyInstance> {
  const app = Fastify({ logger: true, forceCloseConnections: true })
  await app.register(websocketLifecycle)
  drainWhenDisconnected(app)
  app.get(
    '/',
    {
      websocket: true,
      onClose: (_socket, request, { cause }) => request.log.info({ cause }, 'presence saved'),
    },
    (socket) => socket.send(`hello from ${process.pid}`),
  )
  return app
}

function drainWhenDisconnected(app: FastifyInstance): void {
  // worker.disconnect(), in the worker or in the primary, closes the server and waits for its connections.
  const close = app.server.close.bind(app.server)
  app.server.close = (done) => {
    void app.close()
    return close(done)
  }
  // A child of child_process.fork() hears when its parent disconnects it, or has ended.
  process.once('disconnect', () => void app.close())
}

async function lead(): Promise<void> {
  const workers = await Promise.all(Array.from({ length: availableParallelism() }, fork))
  process.on('SIGHUP', async () => {
    for (const old of workers.splice(0)) {
      workers.push(await fork()) // before the old one goes: somebody always listens
      old.disconnect()
    }
  })
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => cluster.disconnect())
  console.log(`the primary is ${process.pid}`)
}

async function fork(): Promise<Worker> {
  const worker = cluster.fork()
  await once(worker, 'listening')
  return worker
}

if (process.argv[1] === import.meta.filename) {
  if (cluster.isPrimary) await lead()
  else await (await build()).listen({ port: Number(process.env['PORT'] ?? 3000) })
  process.on('SIGINT', () => {}) // Ctrl+C reaches the workers too: they leave when the primary says so
}
