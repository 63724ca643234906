// Pings of peers are answered, and hold no memory.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { test } from 'node:test'
import { queuedFrames } from '../../lib/platform/ws-sender.js'
import { delivered } from '../support/time/delivered.js'
import { DEFLATE, OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, serveOne } from '../support/servers/server.js'

const { frame } = RawPeer

test('a peer that sends ten pings at once gets ten pongs', async (t) => {
  const { peer } = await connectOne(t)
  peer.send(...Array.from({ length: 10 }, (_, i) => frame(OPCODE.ping, `ping ${i}`)))
  for (let i = 0; i < 10; i++) {
    const pong = await peer.next()
    assert.equal(pong?.opcode, OPCODE.pong)
    assert.equal(pong?.payload.toString(), `ping ${i}`)
  }
})

test('a peer that reads gets a pong for each of 500 pings', async (t) => {
  const { peer } = await connectOne(t)
  for (let i = 0; i < 500; i++) peer.send(frame(OPCODE.ping, `${i}`))
  for (let i = 0; i < 500; i++) assert.equal((await peer.next())?.payload.toString(), `${i}`)
})

test('20,000 pings of a peer that does not read hold nothing, and the last is answered', async (t) => {
  const { peer, socket } = await connectOne(t)
  peer.freeze()
  // A backlog first, so that not one pong can leave.
  socket.send(Buffer.alloc(16 * 1024 * 1024))
  await delivered()
  const backlog = socket.bufferedAmount
  assert.ok(backlog > 0)
  let pings = 0
  const all = new Promise<void>((resolve) => {
    socket.on('ping', () => {
      if (++pings === 20_000) resolve()
    })
  })
  for (let i = 0; i < 20_000; i += 100) {
    peer.send(...Array.from({ length: 100 }, (_, k) => frame(OPCODE.ping, `${i + k}`)))
  }
  await all
  assert.equal(socket.readyState, socket.OPEN)
  // One pong waits, and no other is made until it has left.
  assert.ok(socket.bufferedAmount <= backlog + 125)
  const pongs: string[] = []
  peer.socket.resume()
  for (;;) {
    const pong = await peer.nextOf(OPCODE.pong)
    pongs.push(String(pong?.payload))
    if (pongs.at(-1) === '19999' || pong === undefined) break
  }
  assert.deepEqual(pongs, ['0', '19999'])
})

test('pings that come while ws compresses hold no more than two pongs', async (t) => {
  const { port, nextSocket } = await serveOne(t, {
    options: { websocket: { perMessageDeflate: true } },
  })
  const peer = await RawPeer.open(port, '/', DEFLATE)
  const socket = await nextSocket()
  let pings = 0
  const all = new Promise<void>((resolve) => {
    socket.on('ping', () => {
      if (++pings === 5_000) resolve()
    })
  })
  socket.send(randomBytes(16 * 1024 * 1024))
  for (let i = 0; i < 5_000; i += 100) {
    peer.send(...Array.from({ length: 100 }, (_, k) => frame(OPCODE.ping, `${i + k}`)))
  }
  await all
  assert.ok(queuedFrames(socket) <= 2)
  let last: string | undefined
  while (last !== '4999') last = String((await peer.nextOf(OPCODE.pong))?.payload)
  peer.destroy()
})

test('with autoPong: false the app answers pings itself', async (t) => {
  const { peer, socket } = await connectOne(t, { options: { websocket: { autoPong: false } } })
  const ping = once(socket, 'ping')
  peer.send(frame(OPCODE.ping, 'for the app'))
  const [data] = (await ping) as [Buffer]
  assert.equal(data.toString(), 'for the app')
  socket.send('next')
  assert.equal((await peer.next())?.opcode, OPCODE.text)
  socket.pong('mine')
  const pong = await peer.next()
  assert.equal(pong?.opcode, OPCODE.pong)
  assert.equal(pong?.payload.toString(), 'mine')
})
