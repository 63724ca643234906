// The plugin's time, moved by a test.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import Fastify from 'fastify'
import websocketLifecycle, { type RouteLifecycleOptions } from '../../lib/index.js'
import { connect, manualClock, stallEventLoop } from '../../lib/testing/index.js'
import { HandClock } from '../../lib/testing/hand-clock.js'
import { systemClock } from '../../lib/time/clock.js'
import { clockOf } from '../../lib/time/door.js'
import { theSocket } from '../support/servers/kit-app.js'
import { never } from '../support/time/gate.js'

async function serve(t: TestContext, route: RouteLifecycleOptions = {}) {
  const app = Fastify()
  const clock = manualClock(app)
  t.after(() => clock.until(app.close()))
  await app.register(websocketLifecycle)
  app.get('/', { websocket: true, ...route }, () => {})
  return { app, clock }
}

test('45 seconds are over in a moment, and all pings have travelled', async (t) => {
  const { app, clock } = await serve(t)
  const [healthy, frozen] = [await connect(app), await connect(app)]
  const [first = assert.fail(), second = assert.fail()] = app.websocketLifecycle.connections
  frozen.freeze()
  const from = performance.now()
  await clock.advance(50_000)
  t.diagnostic(`50 s in ${(performance.now() - from).toFixed(1)} ms`)
  assert.equal((await second.closed).cause, 'heartbeat-timeout')
  assert.equal(first.readyState, first.OPEN)
  assert.notEqual(first.latency, undefined)
  assert.ok(healthy.socket.writable)
})

test('moments begin now: what expires in an hour does so an hour later', async (t) => {
  const { app, clock } = await serve(t, { expiresAt: () => Date.now() + 3_600_000 })
  await connect(app)
  const socket = theSocket(app)
  const from = clock.now()
  await clock.advance(3_590_000)
  assert.equal(socket.readyState, socket.OPEN)
  await clock.advance(20_000)
  assert.equal((await socket.closed).cause, 'auth-expired')
  assert.equal(clock.now() - from, 3_610_000)
})

test('a stall is forgiven: nobody is taken for dead because of it', async (t) => {
  const { app, clock } = await serve(t)
  await connect(app)
  clock.stall(600_000)
  await clock.advance(10_000)
  assert.equal(theSocket(app).readyState, theSocket(app).OPEN)
})

test('until() moves on until a promise has settled, and says how', async (t) => {
  const app = Fastify()
  const clock = manualClock(app)
  await app.register(websocketLifecycle)
  app.get('/', { websocket: true, idleTimeout: 5_000 }, () => {})
  const peer = await connect(app)
  assert.equal((await clock.until(theSocket(app).closed)).cause, 'idle-timeout')
  assert.equal((await peer.closed).code, 3008)
  const frozen = await connect(app)
  frozen.freeze()
  await clock.until(app.close())
  t.diagnostic(`${clock.now()}`)
  assert.equal(clock.pending, 0)
  await assert.rejects(clock.until(Promise.reject(new Error('no'))), { message: 'no' })
})

test('until() gives up an hour later, and when nothing happens any more', async () => {
  const clock = new HandClock()
  const message = /^Expected the promise to settle within an hour of the manual clock, got /
  clock.setInterval(() => {}, 1_000_000)
  clock.setTimeout(() => {}, 1)
  assert.deepEqual(clock.periods, [1_000_000])
  await assert.rejects(clock.until(never), { message })
  const idle = new HandClock()
  const from = performance.now()
  await assert.rejects(idle.until(never), { message })
  assert.ok(performance.now() - from > 4_000)
})

test('until() waits for what needs no clock, but is not there at once', async () => {
  const clock = new HandClock()
  const later = new Promise((resolve) => setTimeout(() => resolve('there'), 60))
  assert.equal(await clock.until(later), 'there')
})

test('until() moves nothing on while this process stands still, and what it waits for has come', async (t) => {
  const { app, clock } = await serve(t)
  const peer = await connect(app)
  const from = clock.now()
  const message = clock.until(once(theSocket(app), 'message'))
  peer.send('here')
  stallEventLoop(100)
  await message
  assert.equal(clock.now(), from)
})

test('a clock has to come before the plugin, and is of its app alone', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  await app.register(websocketLifecycle)
  assert.throws(() => manualClock(app), /^Error: Expected manualClock\(\) to be called before /)
  assert.equal(clockOf(app), systemClock)
  const other = Fastify()
  t.after(() => other.close())
  const clock = manualClock(other)
  let ofChild: unknown
  await other.register(async (child) => {
    ofChild = clockOf(child)
  })
  assert.equal(ofChild, clock)
})

test('stallEventLoop() blocks the thread in real time', () => {
  const from = performance.now()
  stallEventLoop(50)
  assert.ok(performance.now() - from >= 49)
})
