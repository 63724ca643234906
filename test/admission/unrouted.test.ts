import assert from 'node:assert/strict'
import { captureRejectionSymbol, once } from 'node:events'
import { test } from 'node:test'
import Fastify from 'fastify'
import { WebSocket } from 'ws'
import { createPlugin } from '../../lib/plugin/plugin.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { portOf } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'

test('a socket that the app opens itself, past our routes, gets nothing of ours', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  app.addHook('onRequest', (request, reply, done) => {
    if (!request.url.startsWith('/own')) return done()
    reply.hijack()
    const { websocketServer } = app
    websocketServer.handleUpgrade(request.raw, request.raw.socket, Buffer.alloc(0), (socket) => {
      websocketServer.emit('connection', socket, request.raw)
    })
  })
  const clock = new FakeClock()
  await app.register(createPlugin(clock))
  await app.listen({ host: '127.0.0.1', port: 0 })
  const open = async (): Promise<{ client: WebSocket; socket: WebSocket }> => {
    const opened = once(app.websocketServer, 'connection')
    const client = new WebSocket(`ws://127.0.0.1:${portOf(app)}/own`)
    const [[socket]] = (await Promise.all([opened, once(client, 'open')])) as [[WebSocket], unknown]
    return { client, socket }
  }

  const { client, socket } = await open()
  await clock.advance(60_000) // no handshake is waited for any more
  socket.pause()
  assert.equal(socket.isPaused, true)
  socket.resume()
  assert.equal(socket.isPaused, false)
  const message = once(client, 'message')
  const written = new Promise((resolve) => socket.send('hello', resolve))
  assert.equal(String((await message)[0]), 'hello')
  assert.ok(!(await written))
  const another = once(client, 'message')
  assert.equal(socket.send('again'), true)
  assert.equal(String((await another)[0]), 'again')
  // Over TLS node tells later that it has left.
  await until(() => socket.bufferedAmount === 0)
  const ping = once(client, 'ping')
  const pinged = new Promise((resolve) => socket.ping('are you there', false, resolve))
  assert.equal(String((await ping)[0]), 'are you there')
  assert.ok(!(await pinged))
  const closed = once(client, 'close')
  socket.close(4000, 'bye')
  assert.equal((await closed)[0], 4000)
  assert.ok((await new Promise((resolve) => socket.send('late', resolve))) instanceof Error)
  assert.throws(() => Reflect.get(socket, 'id') as unknown, /not opened by a route/)
  assert.equal(app.websocketLifecycle.connections.size, 0)
  const rejected = Reflect.get(socket, captureRejectionSymbol) as (error: Error) => void
  assert.throws(() => rejected.call(socket, new Error('of its listener')), /of its listener/)

  const other = await open()
  const gone = once(other.client, 'close')
  other.socket.terminate()
  assert.equal((await gone)[0], 1006)
})

test("one whose peer does not answer its close frame ends as in ws, after ws's 30 s", async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  const opened: WebSocket[] = []
  app.addHook('onRequest', (request, reply) => {
    reply.hijack()
    const { raw } = request
    app.websocketServer.handleUpgrade(raw, raw.socket, Buffer.alloc(0), (socket) => {
      opened.push(socket)
    })
  })
  await app.register(createPlugin())
  await app.listen({ host: '127.0.0.1', port: 0 })
  const peer = await RawPeer.open(portOf(app), '/own')
  await until(() => opened.length === 1)
  const [socket] = opened as [WebSocket]
  t.mock.timers.enable({ apis: ['setTimeout'] })
  socket.close()
  const ended = once(socket, 'close')
  t.mock.timers.tick(29_999)
  assert.equal(socket.readyState, WebSocket.CLOSING)
  t.mock.timers.tick(1)
  await ended
  peer.destroy()
})
