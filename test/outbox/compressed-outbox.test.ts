// What waits to be compressed is our own: it is bounded, blames nobody, and keeps no peer from its answer.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import type { OutboxOptions } from '../../lib/index.js'
import { until } from '../support/time/timed.js'
import { turns } from '../support/time/fake-clock.js'
import { connectOver, TCP } from '../support/servers/outbox.js'
import { DEFLATE, OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import type { Connected } from '../support/servers/server.js'
import { type ThreadPool, threadPool } from '../support/time/thread-pool.js'

const KiB = 1024
const MiB = KiB * KiB

interface Held extends Connected {
  readonly pool: ThreadPool
}

/** A connection that compresses, while the thread pool is busy. */
async function connectHeld(
  t: Parameters<typeof threadPool>[0],
  outbox: OutboxOptions,
): Promise<Held> {
  const pool = threadPool(t)
  const options = { websocket: { perMessageDeflate: { threshold: 0 } } }
  const connected = await connectOver(TCP, t, { options, route: { outbox } }, DEFLATE)
  pool.hold()
  return { ...connected, pool }
}

/** How many messages of 1,000 bytes arrive. */
async function count(peer: RawPeer): Promise<number> {
  let messages = 0
  for (;;) {
    const frame = await peer.next()
    if (frame?.opcode !== OPCODE.text) return messages
    messages++
  }
}

test("'drop' keeps what waits to be compressed within maxBytes; what was queued arrives", async (t) => {
  const { app, pool, peer, socket } = await connectHeld(t, { maxBytes: 32 * KiB, overflow: 'drop' })
  const text = randomBytes(500).toString('hex')
  let told = 0
  for (let i = 0; i < 1_000; i++) socket.send(text, (error) => error && told++)
  assert.ok(socket.bufferedAmount <= 32 * KiB, `${socket.bufferedAmount}`)
  const queued = Math.floor((32 * KiB) / 1_000)
  await pool.release()
  assert.equal(await socket.drained(), true)
  await until(() => socket.bufferedAmount === 0)
  socket.close()
  assert.equal(await count(peer), queued)
  assert.equal(told, 1_000 - queued)
  assert.equal(app.websocketLifecycle.stats().dropped, 1_000 - queued)
})

test("'drop' counts what node keeps of tiny messages that wait to be compressed", async (t) => {
  const { app, pool, socket } = await connectHeld(t, { maxBytes: 256 * KiB, overflow: 'drop' })
  for (let i = 0; i < 10_000; i++) socket.send('x')
  const queued = 10_000 - app.websocketLifecycle.stats().dropped
  assert.ok(queued > 256 && queued < 1_000, `${queued}`)
  await pool.release()
})

test("a peer's close is answered at once, whatever waits to be compressed", async (t) => {
  const { app, pool, peer, socket, closes } = await connectHeld(t, {})
  const told: unknown[] = []
  for (let i = 0; i < 10; i++) {
    socket.send('x'.repeat(1_000), (error) => told.push(Reflect.get(error ?? {}, 'code')))
  }
  socket.ping()
  peer.send(RawPeer.closeFrame(4000))
  const frame = await peer.next()
  assert.equal(frame?.opcode, OPCODE.close)
  assert.equal(frame?.payload.readUInt16BE(), 4000)
  peer.finish()
  await socket.closed
  assert.equal(closes[0]?.cause, 'client-close')
  assert.equal(closes[0]?.clean, true)
  assert.equal(told.length, 10)
  assert.equal(app.websocketLifecycle.stats().dropped, 10)
  await pool.release()
  await turns(20)
  assert.equal(await peer.next(), undefined, 'no message follows a close frame')
  assert.equal(told.length, 10)
})

test("'close' does not blame a peer for what waits in our process, up to 4 MiB more", async (t) => {
  const { pool, peer, socket } = await connectHeld(t, { maxBytes: 64 * KiB })
  const text = randomBytes(500).toString('hex')
  for (let i = 0; i < 2_000; i++) socket.send(text)
  assert.equal(socket.readyState, socket.OPEN)
  await pool.release()
  assert.equal(await socket.drained(), true)
  await until(() => socket.bufferedAmount === 0)
  socket.close()
  assert.equal(await count(peer), 2_000)
})

test('what a loop sends beyond that is the fault of who calls it: 1011, and an error says so', async (t) => {
  const { pool, peer, socket } = await connectHeld(t, { maxBytes: 64 * KiB })
  const data = Buffer.alloc(MiB)
  let sent = 0
  while (socket.readyState === socket.OPEN) {
    socket.send(data)
    sent++
  }
  assert.equal(sent, 5)
  await pool.release()
  const frame = await peer.nextOf(OPCODE.close)
  assert.equal(frame?.payload.readUInt16BE(), 1011)
  peer.send(RawPeer.closeFrame(1011))
  const close = await socket.closed
  assert.equal(close.cause, 'handler-error')
  assert.equal(Reflect.get(close.error ?? {}, 'code'), 'FST_ERR_WSL_OUTBOX_FULL')
})
