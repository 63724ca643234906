import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import type { LifecycleSocket } from '../../lib/index.js'
import { until } from '../support/time/timed.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { never } from '../support/time/gate.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, portOf, serveOne } from '../support/servers/server.js'

const { closeFrame, frame } = RawPeer

/** What an echo server is for: to see that what goes in comes out. */
function echo(socket: LifecycleSocket): void {
  socket.on('message', (data, isBinary) => void socket.send(data as Buffer, { binary: isBinary }))
}

const MESSAGES = [
  { what: 'text', data: 'grüezi 🦊' },
  { what: 'binary', data: Buffer.from([0, 1, 2, 255]) },
  { what: 'nothing, as text', data: '' },
  { what: 'nothing, as binary', data: Buffer.alloc(0) },
  { what: '125 bytes', data: Buffer.alloc(125, 1) },
  { what: '126 bytes', data: Buffer.alloc(126, 2) },
  { what: '65,536 bytes', data: Buffer.alloc(65_536, 3) },
  { what: '1 MiB', data: Buffer.alloc(1024 * 1024, 4) },
] as const

for (const perMessageDeflate of [false, true]) {
  for (const { what, data } of MESSAGES) {
    test(`${what} comes back as it went${perMessageDeflate ? ', compressed' : ''}`, async (t) => {
      const { port } = await serveOne(t, {
        options: { websocket: { perMessageDeflate } },
        handler: echo,
      })
      const client = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate })
      await once(client, 'open')
      assert.equal(client.extensions, perMessageDeflate ? 'permessage-deflate' : '')
      client.send(data)
      const [back, isBinary] = (await once(client, 'message')) as [Buffer, boolean]
      assert.equal(isBinary, typeof data !== 'string')
      assert.deepEqual(back, Buffer.from(data))
      client.terminate()
    })
  }
}

test('10,000 messages come back in order, and are counted', async (t) => {
  const { port, nextSocket } = await serveOne(t, { handler: echo })
  const client = new WebSocket(`ws://127.0.0.1:${port}/`)
  await once(client, 'open')
  const socket = await nextSocket()
  let next = 0
  const all = new Promise<void>((resolve) => {
    client.on('message', (data: Buffer) => {
      assert.equal(data.toString(), String(next++))
      if (next === 10_000) resolve()
    })
  })
  for (let i = 0; i < 10_000; i++) client.send(String(i))
  await all
  client.close(1000)
  const close = await socket.closed
  assert.equal(close.messagesReceived, 10_000)
  assert.equal(close.messagesSent, 10_000)
})

test('messages that stand before a close frame are heard before the close event', async (t) => {
  const order: string[] = []
  const { peer, socket } = await connectOne(t, {
    handler: (socket) => {
      socket.on('message', (data: Buffer) => order.push(data.toString()))
      socket.on('close', () => order.push('close'))
    },
  })
  peer.send(frame(OPCODE.text, 'one'), frame(OPCODE.text, 'two'), closeFrame(1000))
  peer.finish()
  await socket.closed
  assert.deepEqual(order, ['one', 'two', 'close'])
})

test('messages that arrive after our own close are still heard', async (t) => {
  const heard: string[] = []
  const { peer, socket } = await connectOne(t, {
    handler: (socket) => {
      socket.on('message', (data: Buffer) => heard.push(data.toString()))
    },
  })
  socket.close(1000)
  await peer.nextOf(OPCODE.close)
  peer.send(frame(OPCODE.text, 'was on its way'), closeFrame(1000))
  const close = await socket.closed
  assert.deepEqual(heard, ['was on its way'])
  assert.equal(close.messagesReceived, 1)
})

test('nothing is heard while the app has paused, and all of it after', async (t) => {
  const heard: string[] = []
  const { peer, socket } = await connectOne(t, {
    handler: (socket) => {
      socket.on('message', (data: Buffer) => heard.push(data.toString()))
    },
  })
  socket.pause()
  peer.send(frame(OPCODE.text, 'one'), frame(OPCODE.text, 'two'))
  await turns()
  assert.deepEqual(heard, [])
  assert.equal(socket.isPaused, true)
  socket.resume()
  await until(() => heard.length === 2)
  assert.deepEqual(heard, ['one', 'two'])
  peer.destroy()
})

test('an async listener of one connection does not hold up another', async (t) => {
  const { port } = await serveOne(t, {
    handler: (socket) => {
      socket.on('message', async (data: Buffer) => {
        if (data.toString() === 'hang') await never
        socket.send(data)
      })
    },
  })
  const [first, second] = [await RawPeer.open(port), await RawPeer.open(port)]
  first.send(frame(OPCODE.text, 'hang'))
  second.send(frame(OPCODE.text, 'echo'))
  assert.equal((await second.next())?.payload.toString(), 'echo')
  // Nor the next message of the same one.
  first.send(frame(OPCODE.text, 'echo'))
  assert.equal((await first.next())?.payload.toString(), 'echo')
})

test('no listener of ours hears a message, and the raw stream has one more than in ws', async (t) => {
  const { app, socket } = await connectOne(t)
  const raw = rawOf(socket)
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  t.after(() => server.close())
  await once(server, 'listening')
  const connection = once(server, 'connection')
  const peer = await RawPeer.open((server.address() as AddressInfo).port)
  const [bare] = (await connection) as [WebSocket]
  const ofWs = rawOf(bare)
  for (const event of ['message', 'ping', 'pong', 'close']) {
    assert.equal(socket.listenerCount(event), bare.listenerCount(event), event)
  }
  for (const event of ['data', 'readable', 'drain', 'timeout']) {
    assert.equal(raw.listenerCount(event), ofWs.listenerCount(event), event)
  }
  assert.equal(raw.listenerCount('end'), ofWs.listenerCount('end') + 1)
  assert.equal(app.websocketLifecycle.connections.size, 1)
  peer.destroy()
  bare.terminate()
})

test('one timer serves all connections, and none is left when they have gone', async (t) => {
  const clock = new FakeClock()
  const { app, port } = await serveOne(t, { clock })
  assert.equal(clock.pending, 0)
  const peers = await Promise.all(Array.from({ length: 50 }, () => RawPeer.open(port)))
  await until(() => app.websocketLifecycle.connections.size === 50)
  assert.equal(app.websocketLifecycle.connections.size, 50)
  assert.equal(clock.pending, 1)
  const sockets = [...app.websocketLifecycle.connections]
  for (const peer of peers) peer.reset()
  await Promise.all(sockets.map((socket) => socket.closed))
  assert.equal(clock.pending, 0)
})

test('a message costs no timer, and no listener that stays', async (t) => {
  const clock = new FakeClock()
  const { peer, socket } = await connectOne(t, { clock, handler: echo })
  const raw = rawOf(socket)
  const listeners = (): number =>
    raw.eventNames().reduce((sum, name) => sum + raw.listenerCount(name), 0)
  const before = listeners()
  for (let i = 0; i < 100; i++) {
    peer.send(frame(OPCODE.text, 'x'), frame(OPCODE.ping))
    await peer.next()
    await peer.next()
  }
  assert.equal(listeners(), before)
  assert.equal(clock.pending, 1)
  peer.destroy()
})

test('two apps in one process do not know of each other', async (t) => {
  const one = await connectOne(t)
  const other = await connectOne(t)
  assert.notEqual(portOf(one.app), portOf(other.app))
  one.peer.reset()
  await one.socket.closed
  assert.equal(other.socket.readyState, other.socket.OPEN)
  assert.equal(other.app.websocketLifecycle.stats().open, 1)
  assert.equal(one.app.websocketLifecycle.stats().open, 0)
  other.peer.destroy()
})

/** What no public property of ws tells. */
function rawOf(socket: WebSocket): Socket {
  return Reflect.get(socket, '_socket') as Socket
}
