import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type {
  LifecycleOptions,
  LifecycleSocket,
  RefusalReason,
  WebsocketLifecycleOptions,
} from '../../../lib/index.js'
import { FakeClock, turns } from '../time/fake-clock.js'
import { type Gate, gate } from '../time/gate.js'
import { refused } from './refused.js'
import { portOf, serve, type Setup } from './server.js'
import { until } from '../time/timed.js'

export interface Scoped {
  readonly app: FastifyInstance
  readonly clock: FakeClock
  readonly port: number
  /** What happened: `hook`, `handler`, `abort`, `release`. */
  readonly events: string[]
  readonly sockets: LifecycleSocket[]
  /** Opens when a hook has seen an upgrade. */
  readonly seen: Gate
}

/** An app whose route `/ws` has a scope in use from the first hook on. */
export async function serveScoped(
  t: TestContext,
  options: WebsocketLifecycleOptions = {},
  route: LifecycleOptions & { preHandler?: (request: FastifyRequest) => Promise<void> } = {},
  setup: Setup = {},
): Promise<Scoped> {
  const clock = new FakeClock()
  const events: string[] = []
  const sockets: LifecycleSocket[] = []
  const seen = gate()
  const app = await serve(t, {
    clock,
    options: { keepalive: false, ...options },
    ...setup,
    routes: (app) => {
      app.addHook('onRequest', async (request) => {
        if (request.wsScope === undefined) return
        events.push('hook')
        request.wsScope.signal.addEventListener('abort', () => events.push('abort'))
        request.wsScope.defer(() => events.push('release'))
        seen.open()
      })
      setup.routes?.(app)
      app.get('/ws', { websocket: true, ...route }, (socket) => {
        events.push('handler')
        sockets.push(socket)
        socket.on('message', (data: Buffer) => socket.send(`echo ${data.toString()}`))
      })
      app.get('/http', async () => 'http')
    },
  })
  return { app, clock, port: portOf(app), events, sockets, seen }
}

/** That an upgrade has come to nothing, and that nothing of it is left. */
export async function assertNothingLeft(
  { app, clock, events }: Scoped,
  counts: Partial<Record<RefusalReason, number>>,
  expected: readonly string[] = ['hook', 'abort', 'release'],
): Promise<void> {
  await until(() => events.length >= expected.length && clock.pending === 0)
  await turns(20)
  assert.deepEqual(events, expected)
  const stats = app.websocketLifecycle.stats()
  assert.deepEqual(stats.refused, refused(counts))
  assert.equal(stats.opened, 0)
  assert.equal(stats.open, 0)
  assert.equal(clock.pending, 0)
}
