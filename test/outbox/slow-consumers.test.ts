// Who is no slow consumer, and what those who read get, whoever else does not.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'node:test'
import { createWebSocketStream } from 'ws'
import { connect } from '../support/peers/connect.js'
import { untilEnd } from '../support/peers/heard.js'
import { allRead } from '../support/peers/exchange.js'
import { Client } from '../support/peers/client.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { connectOver, readAway, TCP, TLS, rawOf } from '../support/servers/outbox.js'
import { DEFLATE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, serveOne } from '../support/servers/server.js'
import { DIFFERS_OVER_TLS } from '../support/servers/tls-pass.js'

const KiB = 1024
const keepalive = false
const compressing = { websocket: { perMessageDeflate: true }, keepalive } as const

test('a broadcast cuts off the one that does not read; the others get all of it, in order', async (t) => {
  const { app, port, nextSocket } = await serveOne(t, {
    clock: new FakeClock(),
    options: { keepalive },
  })
  const frozen = await RawPeer.open(port)
  frozen.freeze()
  const slow = await nextSocket()
  const clients = await Promise.all([0, 1, 2].map(() => connect(`ws://127.0.0.1:${port}/`)))
  const count = 200
  for (let i = 0; i < count; i++) {
    const message = `${i} `.padEnd(100_000, '.')
    for (const socket of app.websocketLifecycle.connections) socket.send(message)
    for (const client of clients) assert.equal(await client.next(), message)
  }
  for (const socket of app.websocketLifecycle.connections) socket.close(4000)
  for (const client of clients) assert.deepEqual(await untilEnd(client), ['close 4000'])
  slow.terminate()
  assert.equal((await slow.closed).cause, 'slow-consumer')
  assert.equal(app.websocketLifecycle.stats().closed['slow-consumer'], 1)
})

test("a library's stream over the socket works as over any other", async (t) => {
  const { port, nextSocket } = await serveOne(t, {
    handler: (socket) => {
      const stream = createWebSocketStream(socket, { encoding: 'utf8' })
      stream.pipe(stream)
    },
  })
  const client = await connect(`ws://127.0.0.1:${port}/`)
  await nextSocket()
  for (let i = 0; i < 100; i++) client.send(`${i} `.repeat(1_000))
  const expected = Array.from({ length: 100 }, (_, i) => `${i} `.repeat(1_000)).join('')
  let heard = ''
  while (heard.length < expected.length) heard += await client.next()
  assert.equal(heard, expected)
  await client.close(1000)
})

const SMALL_BOUNDS = [
  { maxBytes: 8 * KiB, highWaterMark: 4 * KiB },
  { maxBytes: 8 * KiB, highWaterMark: 8 * KiB },
  { maxBytes: 8 * KiB },
  { maxBytes: 1, highWaterMark: 0 },
] as const

for (const line of [TCP, TLS]) {
  for (const headers of [{}, DEFLATE]) {
    const isCompressed = headers === DEFLATE
    test(`over ${line.over}${isCompressed ? ', compressed,' : ''} a fast reader is kept, however small maxBytes is`, async (t) => {
      for (const outbox of SMALL_BOUNDS) {
        const setup = { options: compressing, route: { outbox } }
        const { peer, socket } = await connectOver(line, t, setup, headers)
        readAway(peer)
        for (let turn = 0; turn < 3; turn++) {
          for (let i = 0; i < (isCompressed ? 500 : 1_500); i++) {
            socket.send('x'.repeat(1_000))
            if (i % 100 === 0) socket.ping('y')
          }
          assert.equal(socket.readyState, socket.OPEN, `${JSON.stringify(outbox)}, turn ${turn}`)
          assert.equal(await socket.drained(), true)
          await turns(20)
        }
        peer.destroy()
      }
    })
  }
}

test('a hundred megabytes, turn by turn, do not condemn a reader that keeps up', async (t) => {
  const outbox = { maxBytes: 8 * KiB, highWaterMark: 0 }
  const { peer, socket } = await connectOne(t, { route: { outbox } })
  readAway(peer)
  for (let turn = 0; turn < 400; turn++) {
    for (let i = 0; i < 16; i++) socket.send(Buffer.alloc(16 * KiB))
    await allRead(rawOf(socket), peer.socket)
  }
  assert.equal(socket.readyState, socket.OPEN)
  assert.equal(socket.bufferedAmount, 0)
})

test(
  '70,000 messages in one turn are no more than one where the kernel takes them all',
  { skip: DIFFERS_OVER_TLS.told },
  async (t) => {
    const { peer, socket } = await connectOne(t, {
      route: { outbox: { maxBytes: 1, highWaterMark: 0 } },
    })
    readAway(peer)
    for (let i = 0; i < 70_000; i++) socket.send('x')
    assert.equal(socket.readyState, socket.OPEN)
  },
)

for (const line of [TCP, TLS]) {
  for (const perMessageDeflate of [false, true]) {
    test(`over ${line.over}${perMessageDeflate ? ', compressed,' : ''} what is dropped is whole messages, and all others arrive`, async (t) => {
      const outbox = { overflow: 'drop', maxBytes: 256 * KiB } as const
      const { app, port, nextSocket } = await serveOne(t, {
        ...line.server,
        options: { websocket: { perMessageDeflate } },
        route: { outbox },
      })
      const scheme = line === TLS ? 'wss' : 'ws'
      const options = { perMessageDeflate, rejectUnauthorized: false }
      const client = new Client(`${scheme}://127.0.0.1:${port}/`, options)
      const socket = await nextSocket()
      await once(client.ws, 'open')
      client.ws.pause()
      const told = { dropped: 0 }
      const expected: string[] = []
      for (let turns = 0; told.dropped < 100; turns++) {
        assert.ok(turns < 2_000, 'it drops')
        for (let i = 0; i < 10; i++) {
          const text = randomBytes(5_000).toString('hex')
          socket.send(text, (error) => (error ? told.dropped++ : expected.push(text)))
        }
        await turn()
      }
      client.ws.resume()
      assert.equal(await socket.drained(), true)
      socket.send('after', () => expected.push('after'))
      socket.close(4000)
      await client.closed
      assert.deepEqual(client.events, [...expected, 'close 4000'])
      assert.equal(app.websocketLifecycle.stats().dropped, told.dropped)
      assert.equal((await socket.closed).messagesSent, expected.length)
    })
  }
}
