// Where the metrics go, and what they are called there.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { Counter, type OpenMetricsContentType, Registry } from 'prom-client'
import { HISTOGRAM_KEYS, HISTOGRAMS, NUMBER_KEYS, NUMBERS } from '../../lib/measures/instruments.js'
import { Tally } from '../../lib/measures/tally.js'
import { websocketMetrics } from '../../lib/metrics/index.js'
import { connect } from '../support/peers/connect.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { start } from '../support/servers/program.js'
import { readMetrics } from '../support/servers/scrape.js'
import { portOf, serve } from '../support/servers/server.js'

test('metrics go into the registry of the app, beside others', async (t) => {
  const registry = new Registry()
  const jobs = new Counter({ name: 'jobs_total', help: 'Jobs.', registers: [registry] })
  jobs.inc()
  const app = await serve(t, {
    routes: (instance) => {
      void instance.register(websocketMetrics, { registry })
      instance.get('/', { websocket: true }, () => {})
    },
  })
  const peer = await RawPeer.open(portOf(app))
  const all = readMetrics(await registry.metrics())
  assert.equal(all.get('jobs_total'), 1)
  assert.equal(all.get('websocket_connections_open{route="/"}'), 1)
  const json = await registry.getMetricsAsJSON()
  const open = json.find(({ name }) => name === 'websocket_connections_open')
  assert.deepEqual(open?.values, [{ labels: { route: '/' }, value: 1 }])
  assert.equal((await app.inject('/metrics')).statusCode, 404)
  // A worker sends them to its primary.
  assert.deepEqual(structuredClone(json), json)
  peer.destroy()
})

for (const contentType of [
  Registry.PROMETHEUS_CONTENT_TYPE,
  Registry.OPENMETRICS_CONTENT_TYPE,
] as const) {
  test(`the last numbers of an app stay, until the next one comes: ${contentType}`, async (t) => {
    const registry = new Registry<OpenMetricsContentType>()
    registry.setContentType(contentType as OpenMetricsContentType)
    const open = async (): Promise<FastifyInstance> =>
      serve(t, {
        routes: (instance) => {
          void instance.register(websocketMetrics, { registry })
          instance.get('/', { websocket: true }, () => {})
        },
      })
    const first = await open()
    const peer = await connect(first, '/')
    await registry.metrics()
    await first.close()
    await peer.closed
    const last = readMetrics((await registry.metrics()).replace('# EOF', ''))
    const closed = 'websocket_connections_closed_total{route="/",cause="shutdown"}'
    assert.equal(last.get(closed), 1)
    assert.equal(last.get('websocket_connections_open{route="/"}'), 0)
    assert.equal(last.get('websocket_drain_duration_seconds_count'), 1)
    await open()
    const next = readMetrics((await registry.metrics()).replace('# EOF', ''))
    assert.equal(next.get(closed), 0)
  })
}

test('a reset of the registry does not set back what has happened', async (t) => {
  const registry = new Registry()
  const app = await serve(t, {
    routes: (instance) => {
      void instance.register(websocketMetrics, { registry })
      instance.get('/', { websocket: true }, () => {})
    },
  })
  const peer = await RawPeer.open(portOf(app))
  registry.resetMetrics()
  const all = readMetrics(await registry.metrics())
  assert.equal(all.get('websocket_connections_opened_total{route="/"}'), 1)
  peer.destroy()
})

test('a registry for OpenMetrics has each name once', async (t) => {
  const registry = new Registry<OpenMetricsContentType>()
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  const app = await serve(t, {
    routes: (instance) => {
      void instance.register(websocketMetrics, { registry, endpoint: '/metrics' })
      instance.get('/', { websocket: true }, () => {})
    },
  })
  const peer = await RawPeer.open(portOf(app))
  const { body, headers } = await app.inject('/metrics')
  assert.match(String(headers['content-type']), /^application\/openmetrics-text/)
  assert.match(body, /^# TYPE websocket_connections_opened counter$/m)
  assert.match(body, /^websocket_connections_opened_total\{route="\/"\} 1$/m)
  peer.destroy()
})

test('a name that the registry has already is refused by it', async (t) => {
  const registry = new Registry()
  const mine = new Counter({ name: 'websocket_loop_stalls_total', help: 'Mine.', registers: [] })
  registry.registerMetric(mine)
  await assert.rejects(
    async () =>
      serve(t, { routes: (other) => void other.register(websocketMetrics, { registry }) }),
    /A metric with the name websocket_loop_stalls_total has already been registered/,
  )
  assert.deepEqual(registry.getMetricsAsArray(), [mine])
})

const REFUSED: ReadonlyArray<readonly [object, RegExp]> = [
  [{}, /Expected a `registry` where the metrics go, or an `endpoint` that shows them, got neither/],
  [{ registry: {} }, /Expected `registry` to be a registry of prom-client, got `\{\}` \(object\)/],
  [{ registry: null }, /Expected `registry` to be a registry of prom-client, got `null`/],
  [
    { endpoint: 'metrics' },
    /Expected `endpoint` to be a URL that begins with '\/', got `'metrics'`/,
  ],
  [{ endpoint: true }, /Expected `endpoint` to be a URL/],
  [{ end: '/metrics' }, /Expected a known option, got `end` .*`endpoint`/],
]
for (const [options, expected] of REFUSED) {
  test(`options are refused: ${JSON.stringify(options)}`, async (t) => {
    const app = await serve(t, {})
    await assert.rejects(
      async () => websocketMetrics(app, options),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'FST_ERR_WSL_INVALID_OPTION')
        assert.match(error.message, expected)
        assert.match(error.message, /in the options of fastify-websocket-lifecycle\/metrics$/)
        return true
      },
    )
  })
}

test('without prom-client an error says what to install', async (t) => {
  const program = start(t, 'test/metrics/without-prom-client.ts')
  const line = await program.line('prom-client')
  assert.match(
    line,
    /Expected prom-client to be installed, or a `registry`, got an error \(.*prom-client/,
  )
  assert.equal((await program.exited).code, 0)
})

test('names and labels follow the conventions of Prometheus, and no label may have many values', async (t) => {
  const app = await serve(t, {
    routes: (instance) => void instance.register(websocketMetrics, { endpoint: '/metrics' }),
  })
  const { body } = await app.inject('/metrics')
  const types = [...body.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type])
  assert.equal(types.length, NUMBER_KEYS.length + HISTOGRAM_KEYS.length)
  for (const [name = '', type = ''] of types) {
    assert.match(name, /^websocket_[a-z]+(?:_[a-z]+)*$/)
    assert.equal(name.endsWith('_total'), type === 'counter', name)
    if (type === 'histogram') assert.match(name, /_seconds$/)
  }
  const few = new Set(['route', 'cause', 'reason', 'direction', 'by', 'step'])
  for (const { help, labels, name } of [...Object.values(NUMBERS), ...Object.values(HISTOGRAMS)]) {
    assert.ok(
      labels.every((label) => few.has(label)),
      name,
    )
    assert.match(help, /^[A-Z].*\.$/)
  }
  for (const { bounds } of Object.values(HISTOGRAMS)) {
    assert.deepEqual(
      bounds.toSorted((one, other) => one - other),
      bounds,
    )
  }
})

test('a counter never falls, also if what it is read of does for a moment', () => {
  const highest = new Tally()
  const read = (value: number): number[] => {
    const now = new Tally()
    now.set(['/'], value)
    now.neverBelow(highest)
    return Array.from(now, ([, each]) => each)
  }
  assert.deepEqual([5, 3, 6].map(read), [[5], [5], [6]])
})
