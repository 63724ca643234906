// The server under an open page is started anew: the page is interrupted, and goes on.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import { WebSocket } from 'ws'
import { freePort } from '../../examples/cluster/free-port.js'
import type { WebSocketConstructor } from '../../lib/client/api.js'
import { LifecycleClient } from '../../lib/client/index.js'
import { websocketDashboard } from '../../lib/dashboard/index.js'
import type { ToPage } from '../../lib/dashboard/protocol.js'
import { fastifyWebsocketLifecycle } from '../../lib/index.js'
import { endWith } from '../support/servers/app.js'
import { OPERATOR } from '../support/servers/with-dashboard.js'
import { until } from '../support/time/timed.js'

class AsOperator extends WebSocket {
  constructor(url: string, protocols: string[]) {
    super(url, protocols, { headers: OPERATOR })
  }
}

async function startOn(t: TestContext, port: number): Promise<FastifyInstance> {
  const app = Fastify({ forceCloseConnections: true })
  endWith(t, app)
  await app.register(fastifyWebsocketLifecycle, { drain: { reconnectWindow: 0 } })
  await app.register(websocketDashboard, {
    prefix: '/admin',
    authorize: ({ headers }) => headers.cookie === OPERATOR.cookie,
  })
  await app.listen({ host: '127.0.0.1', port })
  return app
}

test('a page goes on with the next server, and gets all anew', async (t) => {
  const port = await freePort()
  const first = await startOn(t, port)
  const page = new LifecycleClient(`ws://127.0.0.1:${port}/admin/live`, {
    resume: true,
    backoff: { min: 1, max: 20 },
    WebSocket: AsOperator as unknown as WebSocketConstructor,
  })
  t.after(() => page.close())
  const told: ToPage[] = []
  const events: string[] = []
  page.addEventListener('message', ({ data }) => {
    told.push(JSON.parse(data as string) as ToPage)
  })
  for (const type of ['open', 'lost', 'close'] as const) {
    page.addEventListener(type, () => events.push(type))
  }
  const hellos = (): ToPage[] => told.filter(({ type }) => type === 'hello')
  await until(() => hellos().length === 1)
  await first.close()
  await until(() => events.includes('lost'))
  const second = await startOn(t, port)
  await until(() => hellos().length === 2)
  assert.ok(!events.includes('close'))
  assert.equal(second.websocketLifecycle.sessions.size, 1)
})
