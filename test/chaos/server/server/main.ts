// The server in chaos: an app as its users write it, with everything on, which counts what happens to it.
import type { AddressInfo } from 'node:net'
import process from 'node:process'
import Fastify, { type FastifyInstance } from 'fastify'
import { Registry } from 'prom-client'
import { websocketDashboard } from '../../../../lib/dashboard/index.js'
import websocketLifecycle from '../../../../lib/index.js'
import { websocketMetrics } from '../../../../lib/metrics/index.js'
import websocketOtel from '../../../../lib/otel/index.js'
import {
  CLEANUP_TIMEOUT,
  CLOSE_TIMEOUT,
  DRAIN_TIMEOUT,
  HANDSHAKE_TIMEOUT,
  KEEPALIVE,
  MAX_PAYLOAD,
} from '../timings.js'
import { Tally } from '../tally.js'
import { Accounts } from './accounts.js'
import { Beat } from './beat.js'
import { type Answer, LEDGER, type Order, type Report, type ServerConfig } from './config.js'
import { Duties } from './duties.js'
import { ledgerOf } from './ledger.js'
import { measure } from './measure.js'
import { addRoutes } from './routes.js'
import { addSessionRoute } from './session-route.js'
import { Storm } from './storm.js'
import { Events, logInto, Telemetry, watchProcess } from './watching.js'
import { addWildRoute } from './wild-route.js'

const { seed } = JSON.parse(process.argv[2] as string) as ServerConfig
const accounts = new Accounts()
const logged = new Tally()
const storm = new Storm(seed)
const duties = new Duties(accounts, storm)
const events = new Events(accounts)
const telemetry = new Telemetry()
const registry = new Registry()
watchProcess(accounts)

const app = await build()
const sessions = addSessionRoute(app, duties)
await app.listen({ port: 0, host: '127.0.0.1' })

const beat = new Beat(accounts)
const seen = { accounts, app, beat, events, logged, registry, sessions, storm, telemetry }
process.on('message', (message) => {
  const { number, ...order } = message as Order & { number: number }
  void obey(order).then((answer) => report({ report: 'answer', to: number, answer }))
})
// Whoever started it is gone.
process.on('disconnect', () => process.exit(1))
process.on('SIGTERM', () => void leave())
report({ report: 'listening', port: (app.server.address() as AddressInfo).port })

async function build(): Promise<FastifyInstance> {
  const app = Fastify({
    // A peer may go in the middle of its request.
    forceCloseConnections: true,
    logger: { level: 'warn', stream: logInto(accounts, logged) },
  })
  await app.register(websocketLifecycle, {
    keepalive: KEEPALIVE,
    closeTimeout: CLOSE_TIMEOUT,
    cleanupTimeout: CLEANUP_TIMEOUT,
    handshakeTimeout: HANDSHAKE_TIMEOUT,
    drain: { timeout: DRAIN_TIMEOUT, spread: 500, reconnectWindow: 500 },
    history: true,
    groups: () => 'all',
    websocket: { maxPayload: MAX_PAYLOAD, perMessageDeflate: { threshold: 1_024 } },
    onClose: (who, request, close) => duties.closed(who, request, close),
    onUnexpectedClose: () => duties.hook('onUnexpectedClose'),
    onShutdown: () => storm.pause(200),
    onHandlerError: (_who, _request, error) => accounts.handlerError(error),
  })
  const { meterProvider, tracerProvider } = telemetry
  await app.register(websocketOtel, { meterProvider, tracerProvider })
  await app.register(websocketMetrics, { registry, endpoint: '/metrics' })
  await app.register(websocketDashboard, { prefix: '/admin', authorize: () => 'somebody' })
  app.addHook('onRequest', async (request) => duties.request(request))
  addRoutes(app, duties)
  addWildRoute(app, duties)
  return app
}

async function obey(order: Order): Promise<Answer> {
  switch (order.order) {
    case 'storm':
      storm.set(order.isOn)
      return { answer: 'done' }
    case 'measure':
      return { answer: 'measurement', ...(await measure(app)) }
    case 'sessions':
      return { answer: 'sessions', sessions: sessions() }
    case 'ledger':
    default:
      return { answer: 'ledger', ledger: await ledgerOf(seen) }
  }
}

function report(report: Report): void {
  if (process.connected) process.send?.(report)
}

/** The process ends by itself: nothing else keeps it alive. */
async function leave(): Promise<void> {
  storm.set(false)
  const from = performance.now()
  const stoodBefore = beat.stood
  const ended = app.websocketLifecycle.drain()
  await app.close()
  const drain = Math.round(performance.now() - from)
  const stood = Math.round(beat.stood - stoodBefore)
  const { terminated } = await ended
  await duties.settled()
  process.removeAllListeners('disconnect')
  if (process.connected) process.disconnect()
  console.log(LEDGER + JSON.stringify({ ...(await ledgerOf(seen)), drain, stood, terminated }))
}
