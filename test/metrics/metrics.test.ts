// What Prometheus gets of a server.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { factsOf } from '../../lib/facts/door.js'
import type { RouteLifecycleOptions } from '../../lib/index.js'
import { websocketMetrics } from '../../lib/metrics/index.js'
import { RequestContext } from '../../lib/platform/context.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { notZero, scrape } from '../support/servers/scrape.js'
import { connectOne, type Connected, serve } from '../support/servers/server.js'
import { serveSessions } from '../support/servers/with-sessions.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { gate, never } from '../support/time/gate.js'
import { until } from '../support/time/timed.js'

const { frame } = RawPeer

/** What a scrape shows that is not 0, but buckets. */
async function shown(app: FastifyInstance): Promise<Record<string, number>> {
  const lines = Object.entries(notZero(await scrape(app)))
  return Object.fromEntries(lines.filter(([name]) => !name.includes('_bucket{')))
}

/** A connection to a server with metrics. */
async function connect(
  t: TestContext,
  route: RouteLifecycleOptions,
  clock = new FakeClock(),
): Promise<Connected> {
  return connectOne(t, {
    clock,
    options: { keepalive: false },
    route,
    routes: (app) => void app.register(websocketMetrics, { endpoint: '/metrics' }),
  })
}

test('what happens to a connection is counted, by its route and its cause', async (t) => {
  const clock = new FakeClock()
  const { app, peer, socket } = await connect(t, { onMessage: () => {} }, clock)
  socket.send('hello')
  peer.send(frame(OPCODE.text, 'hi'))
  await until(() => factsOf(app).traffic().get('/')?.messagesReceived === 1)
  await clock.advance(90_000)
  assert.deepEqual(await shown(app), {
    'websocket_connections_open{route="/"}': 1,
    'websocket_connections_opened_total{route="/"}': 1,
    'websocket_messages_received_total{route="/"}': 1,
    'websocket_messages_sent_total{route="/"}': 1,
    'websocket_received_bytes_total{route="/"}': 6 + 2,
    'websocket_sent_bytes_total{route="/"}': 2 + 5,
    'websocket_message_duration_seconds_count{route="/"}': 1,
  })
  peer.send(RawPeer.closeFrame(4000))
  await socket.closed
  const then = await shown(app)
  assert.equal(then['websocket_connections_open{route="/"}'], undefined)
  assert.equal(then['websocket_connections_closed_total{route="/",cause="client-close"}'], 1)
  assert.equal(then['websocket_connection_duration_seconds_sum{route="/"}'], 90)
  assert.equal(then['websocket_connection_duration_seconds_count{route="/"}'], 1)
  for (const step of ['messages', 'onUnexpectedClose', 'onClose', 'release']) {
    assert.equal(then[`websocket_step_duration_seconds_count{route="/",step="${step}"}`], 1, step)
  }
})

test('what has not happened yet is 0 and not missing: else its first time could not be seen', async (t) => {
  const app = await serve(t, {
    routes: (instance) => {
      void instance.register(websocketMetrics, { endpoint: '/metrics' })
      instance.get('/', { websocket: true }, () => {})
    },
  })
  const all = await scrape(app)
  const name = 'websocket_connections_closed_total'
  assert.equal(all.get(`${name}{route="/",cause="heartbeat-timeout"}`), 0)
  assert.equal(all.get('websocket_loop_stalls_total'), 0)
  assert.equal(all.get('websocket_messages_dropped_total{route="/",direction="sent"}'), 0)
})

test('buckets are cumulative, and the last one has all', async (t) => {
  const clock = new FakeClock()
  const { app, peer, port, nextSocket } = await connect(t, {}, clock)
  await clock.advance(60_000)
  peer.destroy()
  const second = await RawPeer.open(port)
  const socket = await nextSocket()
  await clock.advance(60_001)
  second.destroy()
  await socket.closed
  const all = await scrape(app)
  const name = 'websocket_connection_duration_seconds_bucket'
  const bucket = (le: string): number | undefined => all.get(`${name}{route="/",le="${le}"}`)
  assert.deepEqual(['15', '60', '300', '86400', '+Inf'].map(bucket), [0, 1, 2, 2, 2])
})

test('what waits is shown, and when reading paused for it, and what was dropped', async (t) => {
  const busy = gate()
  const route = { inbox: { maxMessages: 1 }, onMessage: () => busy.opened }
  const { app, peer, socket } = await connect(t, route)
  // In one read: reading pauses behind it.
  peer.send(Buffer.concat(['1', '2', '3'].map((text) => frame(OPCODE.text, text))))
  await until(() => factsOf(app).traffic().get('/')?.inboxMessages === 2)
  peer.freeze()
  socket.send('x'.repeat(16 * 1024 * 1024))
  const waiting = await shown(app)
  assert.equal(waiting['websocket_inbox_messages{route="/"}'], 2)
  assert.equal(waiting['websocket_inbox_size_bytes{route="/"}'], 3)
  assert.equal(waiting['websocket_outbox_size_bytes{route="/"}'], socket.bufferedAmount)
  assert.equal(waiting['websocket_reading_pauses_total{route="/",by="inbox"}'], 1)
  socket.terminate()
  busy.open()
  await socket.closed
  const dropped = 'websocket_messages_dropped_total{route="/",direction="received"}'
  assert.equal((await shown(app))[dropped], 2)
  peer.destroy()
})

test('what is found out about a client, and about our own loop, is counted', async (t) => {
  const { app, peer, socket } = await connect(t, {})
  const facts = factsOf(app)
  const { id } = socket
  const subject = { id, routeUrl: '/', log: app.log, context: new RequestContext() }
  facts.outboxStuck(subject, 100)
  facts.verdictAverted(subject, 'heartbeat-timeout')
  facts.peerPonged(subject, 20)
  facts.loop.stalled(1_500)
  const now = await shown(app)
  assert.equal(now['websocket_outbox_stuck_total{route="/"}'], 1)
  assert.equal(now['websocket_verdicts_averted_total{route="/",cause="heartbeat-timeout"}'], 1)
  assert.equal(now['websocket_ping_latency_seconds_sum{route="/"}'], 0.02)
  assert.equal(now['websocket_loop_stalls_total'], 1)
  assert.equal(now['websocket_loop_stalled_seconds_total'], 1.5)
  peer.destroy()
})

test('a step that was left behind is counted, and so is a drain', async (t) => {
  const clock = new FakeClock()
  const route = { cleanupTimeout: 100, onClose: async () => never }
  const { app, peer } = await connect(t, route, clock)
  const draining = app.websocketLifecycle.drain()
  peer.destroy()
  await until(() => app.websocketLifecycle.stats().closed.shutdown === 1)
  await clock.advance(100)
  await draining
  const now = await shown(app)
  assert.equal(now['websocket_steps_overran_total{route="/"}'], 1)
  assert.equal(now['websocket_step_duration_seconds_sum{route="/",step="onClose"}'], 0.1)
  assert.equal(now['websocket_drain_duration_seconds_count'], 1)
})

test('refusals are counted by their reason, with the route if there is one', async (t) => {
  const { app, peer, port } = await connect(t, { maxConnections: 1 })
  for (const path of ['/', '/nowhere', '/elsewhere']) {
    const refused = await RawPeer.dial(port, path)
    await refused.answer()
    refused.destroy()
  }
  const now = await shown(app)
  assert.equal(now['websocket_upgrades_refused_total{route="/",reason="limit"}'], 1)
  assert.equal(now['websocket_upgrades_refused_total{route="",reason="route"}'], 2)
  assert.equal(now['websocket_upgrades_refused_total{route="",reason="limit"}'], undefined)
  peer.destroy()
})

test('sessions are shown that wait for their client, and when it came back', async (t) => {
  const { app, url, noted } = await serveSessions(t, {
    routes: (instance) => void instance.register(websocketMetrics, { endpoint: '/metrics' }),
  })
  const first = await LinkPeer.confirmed(url)
  first.cut()
  await noted('suspend')
  const route = '{route="/ws/:room"}'
  const away = await shown(app)
  assert.equal(away[`websocket_sessions_interrupted${route}`], 1)
  assert.equal(away[`websocket_connections_open${route}`], 1)
  const interruptions = 'websocket_sessions_interruptions_total'
  assert.equal(away[`${interruptions}{route="/ws/:room",cause="connection-reset"}`], 1)
  await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  const back = await shown(app)
  assert.equal(back[`websocket_sessions_interrupted${route}`], undefined)
  assert.equal(back[`websocket_sessions_resumptions_total${route}`], 1)
})

test('a server shows what is its own, and nothing of another one in the process', async (t) => {
  const one = await connect(t, {})
  const other = await connect(t, {})
  factsOf(other.app).loop.stalled(1_000)
  other.peer.reset()
  await other.socket.closed
  const closed = 'websocket_connections_closed_total{route="/",cause="connection-reset"}'
  const [ofOne, ofOther] = [await shown(one.app), await shown(other.app)]
  assert.deepEqual([ofOne[closed], ofOther[closed]], [undefined, 1])
  assert.deepEqual(
    [ofOne['websocket_loop_stalls_total'], ofOther['websocket_loop_stalls_total']],
    [undefined, 1],
  )
  one.peer.destroy()
})
