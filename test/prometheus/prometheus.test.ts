// What a real Prometheus makes of the metrics, of the dashboard's queries and of the alert rules.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, describe, test, type TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { factsOf } from '../../lib/facts/door.js'
import { websocketMetrics } from '../../lib/metrics/index.js'
import { RequestContext } from '../../lib/platform/context.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { portOf, serve } from '../support/servers/server.js'
import { root } from '../support/servers/tarball.js'
import { until } from '../support/time/timed.js'
import { promtool, RULES, startPrometheus } from './support/prometheus.js'

interface Panel {
  readonly title: string
  readonly type: string
  readonly targets?: ReadonlyArray<{ readonly expr: string }>
}

interface Dashboard {
  readonly panels: readonly Panel[]
  readonly templating: {
    readonly list: ReadonlyArray<{ readonly name: string; readonly definition?: string }>
  }
}

const dashboard = JSON.parse(await readFile(join(root, 'docs/grafana.json'), 'utf8')) as Dashboard
const expressions = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => [title, expr] as const),
)

/** As Grafana fills in its variables. */
function filledIn(expression: string): string {
  return expression
    .replaceAll('$__rate_interval', '30s')
    .replaceAll(/\$(?:job|instance|route)\b/g, '.*')
}

async function serveMeasured(t: TestContext): Promise<FastifyInstance> {
  return serve(t, {
    options: { keepalive: false, maxConnections: 100 },
    routes: (app) => {
      void app.register(websocketMetrics, { endpoint: '/metrics' })
      app.get(
        '/rooms/:id',
        { websocket: true, onMessage: (socket) => socket.send('hello') },
        () => {},
      )
      const resume = { key: () => null }
      app.get('/sessions', { websocket: true, resume, onMessage: () => {} }, () => {})
    },
  })
}

/** All that the metrics tell happens once: by real peers where it can, else the server is told. */
async function live(app: FastifyInstance): Promise<void> {
  const port = portOf(app)
  const talking = await RawPeer.open(port, '/rooms/1')
  talking.send(RawPeer.frame(OPCODE.text, 'hi'))
  await talking.next()
  const lost = await RawPeer.open(port, '/rooms/2')
  lost.reset()
  const refused = await RawPeer.dial(port, '/nowhere')
  await refused.answer()
  refused.destroy()
  const url = `ws://127.0.0.1:${port}/sessions`
  const first = await LinkPeer.confirmed(url)
  first.cut()
  await until(() => app.websocketLifecycle.stats().sessions.suspended === 1)
  await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  const facts = factsOf(app)
  const subject = { id: 'id', routeUrl: '/rooms/:id', log: app.log, context: new RequestContext() }
  facts.verdictAverted(subject, 'heartbeat-timeout')
  facts.peerPonged(subject, 20)
  facts.loop.stalled(700)
  facts.drainEnded(app.log, { closed: 0, terminated: 0, abandoned: [], duration: 100 })
  await until(() => app.websocketLifecycle.stats().closed['connection-reset'] === 1)
}

test('what a scrape gives passes the lint of Prometheus', async (t) => {
  const app = await serveMeasured(t)
  await live(app)
  const { body } = await app.inject('/metrics')
  assert.equal(await promtool(['check', 'metrics'], body), '')
})

test('Prometheus scrapes it, answers each query of the dashboard, and judges each rule', async (t) => {
  const app = await serveMeasured(t)
  const prometheus = await startPrometheus(t, portOf(app))
  await prometheus.finds('up == 1')
  await live(app)
  await prometheus.finds(
    'websocket_connections_closed_total{route="/rooms/:id",cause="connection-reset"} == 1',
  )
  await prometheus.finds('websocket_sessions_resumptions_total{route="/sessions"} == 1')
  await prometheus.finds('websocket_messages_received_total{route="/rooms/:id"} == 1')
  // A rate needs two scrapes.
  await prometheus.finds('count_over_time(websocket_drain_duration_seconds_count[4s]) >= 2')

  // Not at once, where a scrape was late.
  for (const [, expression] of expressions) await prometheus.finds(filledIn(expression))

  const rules = await prometheus.rules()
  assert.ok(rules.length > 5)
  await prometheus.finds('ALERTS or vector(1)')
  assert.deepEqual(
    (await prometheus.rules()).filter(({ health }) => health === 'err'),
    [],
  )
})

test('the dashboard asks for metrics that there are, and shows each of them', async (t) => {
  const app = await serveMeasured(t)
  await live(app)
  const { body } = await app.inject('/metrics')
  const names = [...body.matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name)
  const asked = new Set(
    expressions
      .flatMap(([, expression]) => expression.match(/websocket_\w+/g) ?? [])
      .map((name) => name.replace(/_(?:bucket|sum|count)$/, '')),
  )
  assert.deepEqual(
    [...asked].filter((name) => !names.includes(name)),
    [],
  )
  const elsewhere = ['websocket_inbox_size_bytes']
  assert.deepEqual(
    names.filter((name) => !asked.has(name)),
    elsewhere,
  )
})

describe('the alert rules', () => {
  before(async () => {
    await promtool(['check', 'rules', RULES])
  })

  test('fire where they have to, and where it is near they do not', async () => {
    const said = await promtool(['test', 'rules', join(root, 'test/prometheus/rules.test.yml')])
    assert.match(said, /SUCCESS/)
  })
})
