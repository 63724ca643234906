// A peer that does not behave: frozen, deaf, slow.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, manualClock, type ManualClock } from '../../lib/testing/index.js'
import { kitApp, type KitSetup, theSocket } from '../support/servers/kit-app.js'
import { until } from '../support/time/timed.js'

/** An app whose clock is moved by hand. */
function timed(setup: KitSetup = {}): { setup: KitSetup; clock: () => ManualClock } {
  let clock: ManualClock | undefined
  const before: KitSetup['before'] = (app) => {
    clock = manualClock(app)
  }
  return { setup: { ...setup, before }, clock: () => clock ?? assert.fail() }
}

test('a frozen peer reads nothing and answers nothing, until it thaws', async (t) => {
  const app = await kitApp(t, { options: { keepalive: false } })
  const peer = await connect(app)
  const socket = theSocket(app)
  let pongs = 0
  socket.on('pong', () => pongs++)
  peer.freeze()
  socket.send('while it is frozen')
  socket.ping()
  await assert.rejects(peer.next({ timeout: 30 }), /is frozen; nothing has come/)
  assert.equal(pongs, 0)
  // It may send.
  peer.send('from a frozen one')
  peer.thaw()
  assert.equal(await peer.next(), 'while it is frozen')
  assert.equal(await peer.next(), 'from a frozen one')
  await until(() => pongs === 1)
})

test('a frozen peer does not hear of an end, until it thaws', async (t) => {
  const app = await kitApp(t, { options: { closeTimeout: 30 } })
  const peer = await connect(app)
  const socket = theSocket(app)
  peer.freeze()
  socket.close(4000)
  assert.equal((await socket.closed).clean, false)
  peer.timeout = 20
  await assert.rejects(peer.closed, /is frozen/)
  peer.timeout = 5_000
  peer.thaw()
  assert.equal((await peer.closed).code, 4000)
})

test('a peer that resets hears of that, also if it is frozen, and sends nothing before', async (t) => {
  const app = await kitApp(t)
  const peer = await connect(app)
  const socket = theSocket(app)
  peer.freeze()
  socket.ping()
  peer.reset()
  assert.equal((await peer.closed).code, 1006)
  assert.equal((await socket.closed).latency, undefined)
})

test('a deaf peer reads, and answers no ping, until it hears again', async (t) => {
  const { setup, clock } = timed()
  const app = await kitApp(t, setup)
  const peer = await connect(app)
  const socket = theSocket(app)
  peer.deaf()
  peer.deaf(false)
  await clock().advance(60_000)
  assert.notEqual(socket.latency, undefined)
  peer.deaf()
  socket.send('is read')
  assert.equal(await peer.next(), 'is read')
  await clock().advance(60_000)
  const { cause } = await socket.closed
  assert.equal(cause, 'heartbeat-timeout')
})

test('a trickle is so many bytes in a second', async (t) => {
  const app = await kitApp(t)
  const peer = await connect(app)
  const socket = theSocket(app)
  peer.trickle(1_000)
  const from = performance.now()
  // 2 + 98 bytes each: a tenth of a second.
  for (let i = 0; i < 5; i++) socket.send('x'.repeat(98))
  for (let i = 0; i < 5; i++) await peer.next()
  const took = performance.now() - from
  assert.ok(took > 400, `${took}`)
  peer.trickle(Infinity)
  socket.send('y'.repeat(100_000))
  assert.equal(String(await peer.next()).length, 100_000)
})

test('a trickle of less than a byte each beat goes on byte by byte', async (t) => {
  const app = await kitApp(t)
  const peer = await connect(app)
  peer.trickle(50)
  theSocket(app).send('12345678')
  const from = performance.now()
  await peer.next()
  assert.ok(performance.now() - from > 100)
})

test('a trickle of nothing is a mistake: there is freeze()', async (t) => {
  const peer = await connect(await kitApp(t))
  for (const rate of [0, -1, NaN]) {
    const message = `Expected more than 0 bytes in a second, got ${rate}`
    assert.throws(() => peer.trickle(rate), { name: 'RangeError', message })
  }
})

test('a peer that reads nothing is a slow consumer to the server', async (t) => {
  const app = await kitApp(t, { options: { closeTimeout: 50 } })
  const peer = await connect(app)
  const socket = theSocket(app)
  peer.freeze()
  while (socket.readyState === socket.OPEN) socket.send('x'.repeat(100_000))
  assert.equal((await socket.closed).cause, 'slow-consumer')
})
