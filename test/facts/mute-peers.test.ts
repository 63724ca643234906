// Nobody answers our pings: a proxy swallows them, or the clients do not know pings.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { RawPeer } from '../support/peers/raw-peer.js'
import { hear, type Hearing } from '../support/servers/hear.js'
import { type LogLine, logLines } from '../support/servers/log-lines.js'
import { portOf, serve } from '../support/servers/server.js'
import { BOUND, keepalive, listen } from '../support/servers/timed-keepalive.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { until } from '../support/time/timed.js'

interface Served {
  readonly clock: FakeClock
  readonly heard: Hearing
  readonly lines: LogLine[]
  /** So many clients come to a route. They answer pings, or they do not. */
  readonly open: (path: string, count: number, answers: boolean) => Promise<RawPeer[]>
}

async function serveTwo(t: TestContext): Promise<Served> {
  const clock = new FakeClock()
  const { lines, fastify } = logLines()
  const heard = hear(t, 'diagnosis.mute-peers', 'connection.closed')
  const app = await serve(t, {
    clock,
    fastify,
    options: { keepalive },
    routes: (app) => {
      for (const path of ['/web', '/device']) app.get(path, { websocket: true }, () => {})
    },
  })
  const peers: RawPeer[] = []
  t.after(() => {
    for (const peer of peers) peer.destroy()
  })
  return {
    clock,
    heard,
    lines,
    open: async (path, count, answers) => {
      const opened = await Promise.all(
        Array.from({ length: count }, async () => RawPeer.open(portOf(app), path)),
      )
      for (const peer of opened) listen(peer, answers)
      peers.push(...opened)
      return opened
    },
  }
}

test('a route whose clients never answer a ping is told of once', async (t) => {
  const { clock, heard, lines, open } = await serveTwo(t)
  const since = clock.wall()
  await open('/web', 5, true)
  await open('/device', 2, true)
  await open('/device', 30, false)
  await clock.advance(BOUND)
  await until(() => heard.of('connection.closed').length === 30)
  const [report, ...others] = heard.of('diagnosis.mute-peers')
  assert.ok(report)
  assert.deepEqual(others, [])
  assert.ok(report.since > since && report.since <= since + BOUND)
  assert.deepEqual({ ...report, since }, { route: '/device', count: 20, answered: 2, since })
  const line = lines.find((each) => 'answered' in each)
  assert.deepEqual([line?.['level'], line?.['route'], line?.['count']], [40, '/device', 20])
})

test('clients that vanish before their first ping are not mute, if others on the route answer', async (t) => {
  const { clock, heard, open } = await serveTwo(t)
  await open('/device', 5, true)
  await open('/device', 30, false)
  await clock.advance(BOUND)
  await until(() => heard.of('connection.closed').length === 30)
  assert.deepEqual(heard.of('diagnosis.mute-peers'), [])
})

test('clients that vanish are not mute where most go before they are asked', async (t) => {
  const { clock, heard, open } = await serveTwo(t)
  for (const peer of await open('/device', 200, true)) peer.send(RawPeer.closeFrame(1000))
  await until(() => heard.of('connection.closed').length === 200)
  await open('/device', 20, false)
  await clock.advance(BOUND)
  await until(() => heard.of('connection.closed').length === 220)
  assert.deepEqual(heard.of('diagnosis.mute-peers'), [])
})

test('clients that vanish after they have answered are not mute', async (t) => {
  const { clock, heard, open } = await serveTwo(t)
  const peers = await open('/device', 30, true)
  await clock.advance(BOUND)
  for (const peer of peers) peer.socket.pause()
  await clock.advance(BOUND)
  await until(() => heard.of('connection.closed').length === 30)
  assert.equal(heard.of('connection.closed')[0]?.close.cause, 'heartbeat-timeout')
  assert.deepEqual(heard.of('diagnosis.mute-peers'), [])
})
