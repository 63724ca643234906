// What waits in a ws: close frames, and frames behind one that is being compressed.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import {
  dropUnprepared,
  isPreparing,
  isQueued,
  queuedFrames,
} from '../../lib/platform/ws-sender.js'
import { closeCodeReceived, isCloseFrameReceived } from '../../lib/platform/ws-socket.js'
import { threadPool } from '../support/time/thread-pool.js'
import { until } from '../support/time/timed.js'
import { openPair } from '../support/servers/ws-pair.js'

test("the peer's close frame is known inside the close() with which ws answers it", async (t) => {
  const { server, client } = await openPair(t, false)
  assert.equal(isCloseFrameReceived(server), false)
  assert.equal(closeCodeReceived(server), undefined)
  client.close(4000)
  await once(server, 'close')
  assert.deepEqual(server.closes[0], { code: 4000, isFrameReceived: true })
  assert.equal(isCloseFrameReceived(server), true)
  assert.equal(closeCodeReceived(server), 4000)
})

test('inside a close() of the app there is none yet, later the echo', async (t) => {
  const { server } = await openPair(t, false)
  server.close(4001)
  await once(server, 'close')
  assert.deepEqual(server.closes[0], { code: 4001, isFrameReceived: false })
  assert.equal(isCloseFrameReceived(server), true)
})

test('inside the close() with which ws answers a protocol error there is none', async (t) => {
  const { server, client } = await openPair(t, false)
  const failed = once(server, 'error')
  client.on('error', () => {})
  // A frame with a reserved bit set.
  Reflect.get(client, '_socket').write(Buffer.from([0xf1, 0x80, 0, 0, 0, 0]))
  await failed
  assert.deepEqual(server.closes[0], { code: 1002, isFrameReceived: false })
})

test('a frame behind one that is being compressed is queued, and leaves with it', async (t) => {
  const { server, client } = await openPair(t, true)
  const payload = Buffer.from('ping')
  assert.equal(queuedFrames(server), 0)
  server.send('x'.repeat(1_000_000))
  assert.equal(queuedFrames(server), 0)
  server.ping(payload)
  assert.equal(queuedFrames(server), 1)
  assert.equal(isQueued(server, payload), true)
  assert.equal(isQueued(server, Buffer.from('ping')), false, 'it is this very frame that is meant')
  const [received] = (await once(client, 'ping')) as [Buffer]
  assert.deepEqual(received, payload)
  assert.equal(queuedFrames(server), 0)
  assert.equal(isQueued(server, payload), false)
})

test('so is our close frame', async (t) => {
  const { server, client } = await openPair(t, true)
  server.send('x'.repeat(1_000_000))
  server.close(1000)
  assert.equal(queuedFrames(server), 1)
  await once(client, 'close')
  assert.equal(queuedFrames(server), 0)
})

test('without compression nothing is queued', async (t) => {
  const { server } = await openPair(t, false)
  const payload = Buffer.from('ping')
  server.send('x'.repeat(1_000_000))
  server.ping(payload)
  assert.equal(queuedFrames(server), 0)
  assert.equal(isQueued(server, payload), false)
})

test('what is not compressed or read yet is let go of, and the next frame leaves at once', async (t) => {
  const pool = threadPool(t)
  const { server, client } = await openPair(t, true)
  const error = new Error('gone')
  const told: unknown[] = []
  const messages: unknown[] = []
  client.on('message', (data) => messages.push(data))
  assert.equal(isPreparing(server), false)
  assert.equal(dropUnprepared(server, error), 0)
  pool.hold()
  server.send('first', (why) => told.push(why?.message))
  server.send('second', (why) => told.push(why?.message))
  server.send('a part', { fin: false })
  server.send('third')
  server.ping('not compressed')
  assert.equal(isPreparing(server), true)
  assert.equal(dropUnprepared(server, error), 3)
  assert.equal(isPreparing(server), false)
  assert.equal(server.bufferedAmount, 0)
  const got = once(client, 'ping')
  server.ping('now')
  assert.equal(String((await got)[0]), 'now')
  assert.deepEqual(told, ['gone'])
  await pool.release()
  await until(() => told.length === 2)
  assert.deepEqual(messages, [])
})
