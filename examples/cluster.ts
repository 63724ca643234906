// One process for each core. Each of them closes its connections before it ends. Start it with
// `npx tsx examples/cluster.ts`, and connect with `npx wscat -c ws://127.0.0.1:3000/`. `kill -HUP` with the pid that it
// prints replaces all workers, and Ctrl+C ends it.
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
  // worker.disconnect(), in the worker or in the primary, calls close() of the server and waits until all its
  // connections have ended. WebSockets do not end by themselves: app.close() ends them.
  const close = app.server.close.bind(app.server)
  app.server.close = (done) => {
    void app.close()
    return close(done)
  }
  // For a child of child_process.fork(): its parent has disconnected it, or has ended.
  process.once('disconnect', () => void app.close())
}

async function lead(): Promise<void> {
  const workers = await Promise.all(Array.from({ length: availableParallelism() }, fork))
  process.on('SIGHUP', async () => {
    for (const old of workers.splice(0)) {
      workers.push(await fork()) // before the old one goes: some worker always listens
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
  process.on('SIGINT', () => {}) // Ctrl+C reaches the workers, too, but they wait for the primary
}
