// What is held back until the end of the turn: what it counts as, what it costs, and what is not held back.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { LifecycleSocket } from '../../lib/index.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { clog, MORE_THAN_A_KERNEL_HOLDS, rawOf } from '../support/servers/outbox.js'
import { DEFLATE, OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, serveOne } from '../support/servers/server.js'
import { DIFFERS_OVER_TLS } from '../support/servers/tls-pass.js'
import { numbers, take } from '../support/peers/taken.js'

const KiB = 1024

test(
  'what is held back is counted as buffered, as it would be with the stream',
  { skip: DIFFERS_OVER_TLS.told },
  async (t) => {
    const { peer, socket } = await connectOne(t)
    await turns(3)
    const header = 2
    socket.send('first')
    assert.equal(socket.bufferedAmount, 0)
    socket.send('text')
    assert.equal(socket.bufferedAmount, header + 4)
    socket.send(Buffer.from('bytes'))
    assert.equal(socket.bufferedAmount, header + 4 + header + 5)
    socket.send('with a callback', () => {})
    assert.equal(socket.bufferedAmount, header + 4 + header + 5 + header + 15)
    await turns(1)
    assert.equal(socket.bufferedAmount, 0)
    assert.deepEqual(await take(peer, 4), ['first', 'text', 'bytes', 'with a callback'])
  },
)

test(
  'what a turn holds back itself is not above the mark',
  { skip: DIFFERS_OVER_TLS.told },
  async (t) => {
    const { socket } = await connectOne(t, { route: { outbox: { highWaterMark: 1024 } } })
    for (let i = 0; i < 1_000; i++) assert.equal(socket.send('x'.repeat(100)), true, `${i}`)
  },
)

test('connections that send by turns, in one turn of the loop, get what is theirs, in order', async (t) => {
  const { port, nextSocket } = await serveOne(t)
  const peers: RawPeer[] = []
  const sockets: LifecycleSocket[] = []
  for (let i = 0; i < 3; i++) {
    peers.push(await RawPeer.open(port))
    sockets.push(await nextSocket())
  }
  const message = fc.record({
    to: fc.nat({ max: 2 }),
    text: fc.string({ unit: 'binary', maxLength: 700 }),
    isBinary: fc.boolean(),
  })
  const turn = fc.array(message, { maxLength: 100 })
  await fc.assert(
    fc.asyncProperty(turn, async (messages) => {
      const expected: string[][] = [[], [], []]
      for (const { to, text, isBinary } of messages) {
        sockets[to]?.send(isBinary ? Buffer.from(text) : text)
        expected[to]?.push(text)
      }
      for (const [i, texts] of expected.entries()) {
        assert.deepEqual(await take(peers[i] as RawPeer, texts.length), texts)
      }
    }),
  )
})

test('a message that is to be masked is masked behind others, too', async (t) => {
  const { port, nextSocket } = await serveOne(t)
  const peer = await RawPeer.open(port)
  const socket = await nextSocket()
  const got = once(peer.socket, 'data')
  for (const text of ['a', 'b']) socket.send(text)
  socket.send('c', { mask: true })
  socket.send('d')
  const chunks = [((await got) as [Buffer])[0]]
  peer.socket.on('data', (chunk) => chunks.push(chunk))
  const wire = (): Buffer => Buffer.concat(chunks)
  while (wire().length < 3 + 3 + 7 + 3) await once(peer.socket, 'data')
  assert.deepEqual(
    [1, 4, 7, 14].map((at) => wire()[at]),
    [1, 1, 0x81, 1],
  )
})

test('where messages are compressed, those of a burst are, too', async (t) => {
  const { port, nextSocket } = await serveOne(t, {
    options: { websocket: { perMessageDeflate: true } },
  })
  const peer = await RawPeer.open(port, '/', DEFLATE)
  const socket = await nextSocket()
  for (let i = 0; i < 20; i++) socket.send('x'.repeat(100))
  for (let i = 0; i < 20; i++) assert.equal((await peer.next())?.opcode, OPCODE.text)
  socket.terminate()
  const { bytesSent } = await socket.closed
  assert.ok(bytesSent < 20 * 50, `${bytesSent}`)
})

test(
  'behind what the peer has not taken yet, messages are handed over without a copy',
  { skip: DIFFERS_OVER_TLS.told },
  async (t) => {
    const bytes = 2 * MORE_THAN_A_KERNEL_HOLDS
    const { peer, socket } = await connectOne(t, {
      route: { outbox: { highWaterMark: bytes, maxBytes: bytes } },
    })
    peer.freeze()
    await turns(3)
    const writes = t.mock.method(rawOf(socket), 'write').mock
    const sendThree = async (): Promise<boolean[]> => {
      writes.resetCalls()
      const messages = numbers(3).map((text) => Buffer.from(text))
      for (const message of messages) socket.send(message)
      await turns(3)
      const written = new Set<unknown>(writes.calls.map(({ arguments: [chunk] }) => chunk))
      return messages.map((message) => written.has(message))
    }
    assert.deepEqual(await sendThree(), [false, false, false])
    await clog(socket)
    assert.deepEqual(await sendThree(), [true, true, true])
    socket.terminate()
  },
)

test('on a stream that is no socket nothing is held back', async (t) => {
  const { app, nextSocket } = await serveOne(t)
  const client = await app.injectWS('/')
  const got: string[] = []
  client.on('message', (data: Buffer) => got.push(data.toString()))
  const socket = await nextSocket()
  for (const text of numbers(100)) {
    assert.equal(socket.send(text), true)
    assert.equal(Reflect.get(rawOf(socket), '_corked'), 0)
  }
  assert.equal(await socket.drained(), true)
  socket.close(4000)
  const [code] = (await once(client, 'close')) as [number]
  assert.equal(code, 4000)
  assert.deepEqual(got, numbers(100))
  await socket.closed
})

function countListeners(socket: LifecycleSocket): number {
  const raw = rawOf(socket)
  return [socket, raw]
    .flatMap((emitter) => emitter.eventNames().map((name) => emitter.listenerCount(name)))
    .reduce((sum, count) => sum + count, 0)
}

test('messages add neither listeners nor timers', async (t) => {
  const clock = new FakeClock()
  const { peer, socket } = await connectOne(t, { clock })
  socket.send('x')
  await turns(1)
  const before = [countListeners(socket), clock.pending]
  for (let i = 0; i < 1_000; i++) {
    socket.send('x')
    if (i % 100 === 0) await turns(1)
    assert.deepEqual([countListeners(socket), clock.pending], before)
  }
  peer.freeze()
  for (let i = 0; i < 200; i++) {
    socket.send(Buffer.alloc(64 * KiB))
    void socket.drained()
    if (i % 10 === 0) await turns(1)
  }
  // A stream that waits for its peer has node's own listeners at most.
  if (socket.readyState === socket.OPEN) {
    assert.deepEqual([countListeners(socket), clock.pending], before)
  }
})
