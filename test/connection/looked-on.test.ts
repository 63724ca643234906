// Tools that put functions of theirs in the place of ws's: they see of ours what they see of bare @fastify/websocket.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { compileFunction } from 'node:vm'
import fastifyWebsocket from '@fastify/websocket'
import { build } from 'esbuild'
import { WebSocket } from 'ws'
import websocketLifecycle from '../../lib/index.js'
import { isPingOwn, isSendOwn } from '../../lib/platform/ws-own.js'
import { within } from '../support/time/bound.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { counted, exchange, lookAt, lookOn } from '../support/servers/looking-on.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { DIFFERS } from '../support/servers/second-pass.js'
import { connectOne } from '../support/servers/server.js'
import { tell } from '../support/servers/story.js'

test(
  'a tool that was there before us sees all that it sees of bare @fastify/websocket',
  { skip: DIFFERS.tools },
  async (t) => {
    const stories = ['bare', 'ours'].map((plugin) => tell(t, 'looked-on', plugin))
    const [bare, ours] = await Promise.all(stories.map(async (story) => story.next()))
    assert.ok(bare!.includes('"send string 1":'), bare)
    assert.deepEqual(JSON.parse(ours!), JSON.parse(bare!))
  },
)

test('a tool that comes later does, too', { skip: DIFFERS.tools }, async (t) => {
  const tool = lookOn()
  t.after(() => tool.stop())
  await exchange((app) => app.register(fastifyWebsocket))
  const bare = counted(tool.seen.splice(0))
  await exchange((app) => app.register(websocketLifecycle))
  assert.deepEqual(counted(tool.seen), bare)
  tool.stop()
  tool.seen.length = 0
  await exchange((app) => app.register(websocketLifecycle))
  assert.deepEqual(tool.seen, [])
})

test('a tool that wraps the methods of one socket does, too', async () => {
  const bare: string[] = []
  await exchange(
    (app) => app.register(fastifyWebsocket),
    (socket) => lookAt(socket, bare),
  )
  const ours: string[] = []
  await exchange(
    (app) => app.register(websocketLifecycle),
    (socket) => lookAt(socket, ours),
  )
  // ws answers a ping by a method of the socket; ours by that of all sockets, as an answer may have to wait.
  assert.deepEqual(counted(ours), counted(bare.filter((line) => line !== 'own pong')))
})

test('messages that onMessage alone hears are emitted for a tool', async (t) => {
  const tool = lookOn()
  t.after(() => tool.stop())
  const heard: unknown[] = []
  const { peer } = await connectOne(t, {
    route: { onMessage: (socket, _request, message) => heard.push(message) && socket.send('ok') },
  })
  const emitted = (): string[] => tool.seen.filter((line) => line === 'emit message')
  peer.send(RawPeer.frame(OPCODE.text, '1'))
  assert.equal(String((await peer.next())?.payload), 'ok')
  assert.deepEqual([heard, emitted().length], [['1'], 1])
  tool.stop()
  peer.send(RawPeer.frame(OPCODE.text, '2'))
  assert.equal(String((await peer.next())?.payload), 'ok')
  assert.deepEqual([heard, emitted().length], [['1', '2'], 1])
})

test('a tool sees the pings of keepalive, and a peer that answers them lives', async (t) => {
  const clock = new FakeClock()
  const { peer, socket } = await connectOne(t, {
    clock,
    options: { keepalive: { interval: 1_000, timeout: 1_000 } },
  })
  const tool = lookOn()
  t.after(() => tool.stop())
  const pings = async (): Promise<string[]> => {
    tool.seen.length = 0
    await clock.advance(1_100)
    const ping = await within(peer.nextOf(OPCODE.ping), 'a ping')
    const answered = once(socket, 'pong')
    peer.send(RawPeer.frame(OPCODE.pong, ping!.payload))
    await within(answered, 'its answer')
    return tool.seen.filter((line) => line.endsWith('ping'))
  }
  assert.deepEqual(await pings(), ['ping', 'sender ping'])
  assert.deepEqual(await pings(), ['ping', 'sender ping'])
  tool.stop()
  assert.deepEqual(await pings(), [])
  await clock.advance(900)
  assert.equal(socket.readyState, socket.OPEN)
})

test('what is bound, a Proxy, or nothing at all is not of ws', async (t) => {
  const { socket } = await connectOne(t)
  const isOwn = (): boolean[] => [isSendOwn(socket), isPingOwn(socket)]
  assert.deepEqual(isOwn(), [true, true])
  const send: unknown = Reflect.get(WebSocket.prototype, 'send')
  const ping: unknown = Reflect.get(WebSocket.prototype, 'ping')
  const restore = (): unknown => Object.assign(WebSocket.prototype, { send, ping })
  t.after(restore)
  for (const patch of [
    { send: bound(send), ping: bound(ping) },
    { send: new Proxy(send as object, {}), ping: new Proxy(ping as object, {}) },
    { send: undefined, ping: undefined },
  ]) {
    Object.assign(WebSocket.prototype, patch)
    assert.deepEqual(isOwn(), [false, false])
  }
  restore()
  assert.deepEqual(isOwn(), [true, true])
})

test('ws is known by its source, also where a bundler has shortened it', async (t) => {
  const require = createRequire(import.meta.url)
  const { outputFiles } = await build({
    entryPoints: [require.resolve('ws')],
    bundle: true,
    format: 'cjs',
    minify: true,
    platform: 'node',
    write: false,
  })
  const bundled = { exports: {} as { prototype: object; Sender: { prototype: object } } }
  const [file] = outputFiles
  const load = compileFunction(file!.text, ['require', 'module']) as (...args: unknown[]) => void
  load(require, bundled)
  const { socket } = await connectOne(t)
  const send: unknown = Reflect.get(WebSocket.prototype, 'send')
  const ping: unknown = Reflect.get(WebSocket.prototype, 'ping')
  t.after(() => Object.assign(WebSocket.prototype, { send, ping }))
  Object.assign(WebSocket.prototype, {
    send: Reflect.get(bundled.exports.prototype, 'send') as unknown,
    ping: Reflect.get(bundled.exports.prototype, 'ping') as unknown,
  })
  assert.notEqual(Reflect.get(WebSocket.prototype, 'send'), send)
  const sender: unknown = Reflect.get(socket, '_sender')
  Reflect.set(socket, '_sender', Object.create(bundled.exports.Sender.prototype))
  const isOwn = [isSendOwn(socket), isPingOwn(socket)]
  Reflect.set(socket, '_sender', sender)
  assert.deepEqual(isOwn, [true, true])
})

function bound(method: unknown): unknown {
  return (method as () => void).bind(undefined)
}
