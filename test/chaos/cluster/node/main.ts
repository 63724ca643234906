// One node: an app as its users write it, which writes down what happens to it.
import process from 'node:process'
import Fastify from 'fastify'
import websocketLifecycle from '../../../../lib/index.js'
import websocketCluster from '../../../../lib/redis/index.js'
import { CLIENTS } from '../../../support/redis/clients.js'
import { LedgerFile } from '../ledger.js'
import { LEASE } from '../timings.js'
import type { NodeConfig, Report } from './config.js'
import { logInto } from './log.js'
import { obey } from './orders.js'
import { addRoutes } from './routes.js'

const SIGN_EVERY = 200

const config = JSON.parse(process.argv[2] as string) as NodeConfig
const ledger = new LedgerFile(config.ledger, config.process)

/** Whoever has left answers nobody. */
function report(report: Report): void {
  if (process.connected) process.send?.(report)
}

const connect = CLIENTS[config.client]
if (connect === undefined) throw new Error(`Expected the name of a client, got ${config.client}`)
const { client, quit } = await connect(config.redis)
// A line may break while half of an upgrade request is on its way, and Fastify would wait for the rest.
const app = Fastify({
  forceCloseConnections: true,
  logger: { level: 'info', stream: logInto(ledger, report) },
})
await app.register(websocketLifecycle, {
  keepalive: { interval: 2_000, timeout: 2_000 },
  closeTimeout: 1_000,
  cleanupTimeout: 3_000,
  handshakeTimeout: 4_000,
  drain: { timeout: 5_000, reconnectWindow: 500 },
})
await app.register(websocketCluster, {
  client,
  address: `http://127.0.0.1:${config.port}`,
  lease: LEASE,
})
const calm = addRoutes(app, ledger, config.process)

const sign = (): void => {
  const { node, fence, connected } = app.websocketCluster
  ledger.write({ what: 'sign', node, fence, connected })
}
await app.listen({ port: config.port, host: '127.0.0.1' })
sign()
setInterval(sign, SIGN_EVERY).unref()
obey(app, calm, report)
report({ report: 'listening' })

let hasLeft = false
process.on('disconnect', () => {
  // The director is gone.
  if (!hasLeft) process.exit(1)
})
process.on('SIGTERM', () => {
  void app.close().then(() => {
    ledger.write({ what: 'left' })
    quit()
    // Nothing else may keep it alive.
    hasLeft = true
    process.disconnect()
  })
})
