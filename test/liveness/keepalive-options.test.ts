// Whose keepalive holds, and what its ticks cost the process.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { delivered } from '../support/time/delivered.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { type Frame, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, portOf, serve, serveOne } from '../support/servers/server.js'
import { keepalive, TICK, BOUND, listen, pings } from '../support/servers/timed-keepalive.js'

test("a route's keepalive goes before the plugin's, field by field", async (t) => {
  const clock = new FakeClock()
  const app = await serve(t, {
    clock,
    options: { keepalive: { interval: 1000, timeout: false } },
    routes: (app) => {
      app.get('/plugins', { websocket: true }, () => {})
      app.get('/slower', { websocket: true, keepalive: { interval: 10_000 } }, () => {})
      app.get('/stricter', { websocket: true, keepalive: { timeout: 500 } }, () => {})
      app.get('/off', { websocket: true, keepalive: false }, () => {})
    },
  })
  const counts: Record<string, Frame[]> = {}
  for (const name of ['plugins', 'slower', 'stricter', 'off']) {
    counts[name] = listen(await RawPeer.open(portOf(app), `/${name}`), false)
  }
  await delivered()
  await clock.advance(22_000)
  const of = (name: string): number => pings(counts[name] ?? [])
  assert.ok(of('plugins') >= 19 && of('plugins') <= 26, `${of('plugins')}`)
  assert.ok(of('slower') >= 1 && of('slower') <= 3, `${of('slower')}`)
  assert.equal(of('off'), 0)
  const routes = [...app.websocketLifecycle.connections].map(
    ({ request }) => request.routeOptions.url,
  )
  assert.deepEqual(routes, ['/plugins', '/slower', '/off'])
  assert.equal(app.websocketLifecycle.stats().closed['heartbeat-timeout'], 1)
})

test("a route's keepalive holds where the plugin has none", async (t) => {
  const clock = new FakeClock()
  const { socket } = await connectOne(t, {
    clock,
    options: { keepalive: false },
    route: { keepalive },
  })
  await clock.advance(BOUND)
  assert.equal((await socket.closed).cause, 'heartbeat-timeout')
})

test('the first pings of connections that opened together are spread over time', async (t) => {
  const clock = new FakeClock()
  const { port } = await serveOne(t, {
    clock,
    options: { keepalive: { interval: 10_000, timeout: 5000 } },
  })
  const peers = await Promise.all(Array.from({ length: 200 }, () => RawPeer.open(port)))
  const all = peers.map((peer) => listen(peer, true))
  const perTick: number[] = []
  for (let elapsed = 0, known = 0; elapsed < 11_000; elapsed += TICK) {
    await clock.advance(TICK)
    const count = all.filter((frames) => pings(frames) > 0).length
    perTick.push(count - known)
    known = count
  }
  assert.equal(
    perTick.reduce((sum, count) => sum + count),
    200,
  )
  assert.ok(Math.max(...perTick) < 50, perTick.join())
  assert.ok(perTick.filter((count) => count > 0).length >= 10, perTick.join())
})

test('pings leave a bounded number at a time, and all of a tick leave', async (t) => {
  const clock = new FakeClock()
  // A tick of the longest kind, and phases that all lie within one: many are due at once.
  const { port } = await serveOne(t, {
    clock,
    options: { keepalive: { interval: 50, timeout: false }, closeTimeout: 60_000 },
  })
  const peers = await Promise.all(Array.from({ length: 400 }, () => RawPeer.open(port)))
  const all = peers.map((peer) => listen(peer, true))
  await delivered()
  const count = (): number => all.reduce((sum, frames) => sum + pings(frames), 0)
  let most = 0
  for (let elapsed = 0; elapsed < 50; elapsed += 10) {
    let before = count()
    const ticking = clock.advance(10)
    for (let turn = 0; turn < 16; turn++) {
      await turns(1)
      most = Math.max(most, count() - before)
      before = count()
    }
    await ticking
    await delivered()
  }
  assert.ok(count() >= 400, `${count()}`)
  assert.ok(most > 0 && most <= 128, `${most}`)
})

test('by default open connections wake the process once a second', async (t) => {
  const clock = new FakeClock()
  let opening: number[] = []
  const { peer, socket } = await connectOne(t, {
    clock,
    routes: (app) => app.addHook('onRequest', async () => void (opening = clock.periods)),
  })
  assert.deepEqual(opening, [300])
  assert.deepEqual(clock.periods, [1_000])
  peer.freeze()
  socket.close()
  assert.deepEqual(clock.periods, [300])
  await clock.advance(3_300)
  await socket.closed
  assert.deepEqual(clock.periods, [])
})

test('there are 25 ticks in a short interval', async (t) => {
  const clock = new FakeClock()
  await connectOne(t, { clock, options: { keepalive: { interval: 5_000 } } })
  assert.deepEqual(clock.periods, [200])
})

test('a peer whose socket is gone is not judged by what the socket no longer tells', async (t) => {
  const clock = new FakeClock()
  const { socket } = await connectOne(t, { clock, options: { keepalive } })
  socket.request.raw.socket.destroy()
  clock.stall(BOUND)
  await clock.advance(0)
  assert.equal((await socket.closed).cause, 'connection-lost')
})
