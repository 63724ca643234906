// A line between a peer and the app, cut, slow or reset.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect as dial, createServer } from 'node:net'
import { test } from 'node:test'
import { connect, link, manualClock } from '../../lib/testing/index.js'
import { kitApp, theSocket } from '../support/servers/kit-app.js'
import { turns } from '../support/time/fake-clock.js'
import { until } from '../support/time/timed.js'

test('all passes, to an app that does not listen yet', async (t) => {
  const app = await kitApp(t)
  const line = await link(app)
  for (const target of [line, line.url, `${line.url}/?a=b`]) {
    const peer = await connect(target)
    peer.send('x'.repeat(500_000))
    assert.equal(String(await peer.next()).length, 500_000)
    assert.equal((await peer.close(4000)).code, 4000)
  }
})

test('cut(): both ends believe they are connected; restore(): nothing was lost', async (t) => {
  const app = await kitApp(t)
  const line = await link(app)
  const peer = await connect(line)
  const socket = theSocket(app)
  line.cut()
  peer.send('from the peer')
  socket.send('from the server')
  await assert.rejects(peer.next({ timeout: 30 }), /is open; nothing has come/)
  assert.equal(socket.readyState, socket.OPEN)
  line.restore()
  assert.equal(await peer.next(), 'from the server')
  assert.equal(await peer.next(), 'from the peer')
})

test('what ends during a cut is told after it: a FIN, and a RST', async (t) => {
  const app = await kitApp(t)
  const line = await link(app)
  const [first, second] = [await connect(line), await connect(line)]
  const [one = assert.fail(), two = assert.fail()] = app.websocketLifecycle.connections
  line.cut()
  first.drop()
  second.reset()
  await turns(20)
  assert.deepEqual([one.readyState, two.readyState], [one.OPEN, two.OPEN])
  line.restore()
  assert.equal((await one.closed).cause, 'connection-lost')
  assert.equal((await two.closed).cause, 'connection-reset')
})

test('who connects during a cut waits for its end', async (t) => {
  const app = await kitApp(t)
  const line = await link(app)
  line.cut()
  await assert.rejects(connect(line, '/', { timeout: 50 }), /within 50 ms/)
  const connecting = connect(line)
  line.restore()
  const peer = await connecting
  peer.send('hello')
  assert.equal(await peer.next(), 'hello')
})

test('a cut is found by the heartbeat of the server', async (t) => {
  let clock: ReturnType<typeof manualClock> | undefined
  const app = await kitApp(t, {
    before: (each) => {
      clock = manualClock(each)
    },
  })
  const line = await link(app)
  await connect(line)
  const socket = theSocket(app)
  line.cut()
  await clock?.advance(50_000)
  assert.equal((await socket.closed).cause, 'heartbeat-timeout')
})

test('resetAll() resets both ends, and new ones may come', async (t) => {
  const app = await kitApp(t)
  const line = await link(app)
  const peer = await connect(line)
  const socket = theSocket(app)
  line.resetAll()
  assert.equal((await socket.closed).cause, 'connection-reset')
  assert.match(String((await peer.closed).error), /ECONNRESET/)
  const other = await connect(line)
  other.send('hello')
  assert.equal(await other.next(), 'hello')
})

test('delay() makes each direction so much later', async (t) => {
  const app = await kitApp(t)
  const line = await link(app)
  const peer = await connect(line)
  line.delay(50)
  const from = performance.now()
  peer.send('there and back')
  await peer.next()
  assert.ok(performance.now() - from >= 98)
  line.delay(0)
  const late = await link(app)
  late.delay(30)
  const before = performance.now()
  await connect(late)
  assert.ok(performance.now() - before >= 58)
})

test('throttle() is so many bytes in a second, also for who connects later', async (t) => {
  const app = await kitApp(t, { handler: (socket) => socket.send('x'.repeat(1_000)) })
  const line = await link(app)
  line.throttle(10_000)
  const from = performance.now()
  const peer = await connect(line)
  await peer.next()
  assert.ok(performance.now() - from > 60)
  line.throttle(Infinity)
  peer.send('y'.repeat(300_000))
  assert.equal(String(await peer.next()).length, 300_000)
})

test('a reader that stops stops the sender through the line, and all arrives when it goes on', async (t) => {
  const app = await kitApp(t, { route: { outbox: { maxBytes: 64 * 1024 * 1024 } } })
  const line = await link(app)
  const peer = await connect(line)
  const socket = theSocket(app)
  peer.freeze()
  for (let i = 0; i < 32; i++) socket.send('x'.repeat(1024 * 1024))
  await turns(50)
  assert.ok(socket.bufferedAmount > 1024 * 1024)
  peer.thaw()
  for (let i = 0; i < 32; i++) assert.equal(String(await peer.next()).length, 1024 * 1024)
})

test('a RST gets through a reader that has stopped', async (t) => {
  const app = await kitApp(t, { route: { outbox: { maxBytes: 64 * 1024 * 1024 } } })
  const line = await link(app)
  const peer = await connect(line)
  const socket = theSocket(app)
  peer.freeze()
  for (let i = 0; i < 32; i++) socket.send('x'.repeat(1024 * 1024))
  await turns(50)
  peer.reset()
  assert.equal((await socket.closed).cause, 'connection-reset')
})

test('a line leads to any server, and resets who connects when that is not there', async (t) => {
  const server = createServer((socket) => socket.end('hello'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const line = await link(`foo://127.0.0.1:${port}/path`)
  t.after(() => line.close())
  assert.match(line.url, /^foo:\/\/127\.0\.0\.1:\d+\/path$/)
  const at = Number(new URL(line.url).port)
  const socket = dial(at, '127.0.0.1')
  const [data] = (await once(socket, 'data')) as [Buffer]
  assert.equal(String(data), 'hello')
  socket.end()
  await once(socket, 'close')
  server.close()
  await once(server, 'close')
  const nowhere = await link(`foo://127.0.0.1:${port}`)
  t.after(() => nowhere.close())
  const other = dial(Number(new URL(nowhere.url).port), '127.0.0.1')
  const [error] = (await once(other, 'error')) as [NodeJS.ErrnoException]
  assert.equal(error.code, 'ECONNRESET')
})

test('a line ends with the server of its app, and its peers with it', async (t) => {
  const app = await kitApp(t)
  const line = await link(app)
  const peer = await connect(line)
  peer.freeze()
  await app.close()
  await until(() => !line.server.listening && peer.socket.destroyed)
})
