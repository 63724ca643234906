// Where both sides talk, a connection rests: it is not looked at, and nothing that has to be seen is missed.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { WebsocketLifecycleOptions } from '../../lib/index.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { type Connected, connectOne } from '../support/servers/server.js'
import { DIFFERS_OVER_TLS } from '../support/servers/tls-pass.js'
import { lastTaken } from '../support/time/still.js'
import { assertBetween, lasted } from '../support/time/timed.js'

const { frame } = RawPeer
const keepalive = { interval: 25_000, timeout: 10_000 }
const TICK = 1_000
const LONGEST_PAUSE = 1.1 * keepalive.interval + 2 * TICK

interface Talk extends Connected {
  readonly clock: FakeClock
  /** How often the bytes that the kernel took were asked for: once in each look. */
  readonly looks: () => number
  /** So many echoes, half an interval apart; what it does with each is up to the server. */
  readonly goOn: (rounds: number, text?: string) => Promise<void>
}

/** A connection that has talked until it rests, and whose peer answers pings. */
async function startTalk(t: TestContext, options: WebsocketLifecycleOptions = {}): Promise<Talk> {
  const clock = new FakeClock()
  const connected = await connectOne(t, { clock, options: { keepalive, ...options } })
  const { peer, socket } = connected
  socket.on('message', (message) => void socket.send(message))
  const own = Reflect.get(socket.request.raw.socket, '_handle') as object
  // Over TLS that of TCP beneath it.
  const handle: object = (Reflect.get(own, '_parent') as object | undefined) ?? own
  const prototype: unknown = Object.getPrototypeOf(handle)
  let looks = 0
  Object.defineProperty(handle, 'bytesWritten', {
    get() {
      // The fake clock asks too, for what is on its way.
      if (/\/lib\/(?!testing\/)/.test(String(new Error('asked').stack))) looks++
      return Reflect.get(prototype as object, 'bytesWritten', handle) as unknown
    },
  })
  void (async () => {
    for (let each = await peer.next(); each !== undefined; each = await peer.next()) {
      if (each.opcode === OPCODE.ping) peer.send(frame(OPCODE.pong, each.payload))
    }
  })()
  const goOn = async (rounds: number, text = 'x'): Promise<void> => {
    for (let round = 0; round < rounds; round++) {
      peer.send(frame(OPCODE.text, text))
      await clock.advance(keepalive.interval / 2)
    }
  }
  await goOn(6)
  return { ...connected, clock, looks: () => looks, goOn }
}

test(
  'a talk of a hundred small echoes costs no look',
  { skip: DIFFERS_OVER_TLS.told },
  async (t) => {
    const { socket, looks, goOn } = await startTalk(t)
    const before = looks()
    await goOn(100)
    assert.equal(looks(), before)
    assert.equal(socket.readyState, socket.OPEN)
  },
)

test(
  'after a message that is worth a look, small ones cost none',
  { skip: DIFFERS_OVER_TLS.told },
  async (t) => {
    const { looks, goOn } = await startTalk(t)
    const before = looks()
    await goOn(4, 'x'.repeat(100_000))
    assert.ok(looks() > before)
    await goOn(4)
    const after = looks()
    await goOn(100)
    assert.equal(looks(), after)
  },
)

for (const [what, send] of [
  ['pings', ({ socket }: Talk) => socket.ping(Buffer.alloc(125))],
  ['answers to pings', ({ peer }: Talk) => peer.send(frame(OPCODE.ping, 'x'.repeat(125)))],
] as const) {
  test(`many ${what} beside the talk are worth a look`, async (t) => {
    const talk = await startTalk(t)
    const before = talk.looks()
    for (let sent = 0; sent < 600; sent++) send(talk)
    await talk.goOn(4)
    assert.ok(talk.looks() > before)
  })
}

test('a peer that falls silent after a talk is found within the bound', async (t) => {
  const { peer, socket, clock, goOn } = await startTalk(t)
  await goOn(50)
  peer.freeze()
  const bound = LONGEST_PAUSE + keepalive.timeout
  assertBetween(await lasted(clock, socket), keepalive.timeout, bound)
  assert.equal((await socket.closed).cause, 'heartbeat-timeout')
})

test('what a talk has sent for long does not excuse the silence after it', async (t) => {
  const bytes = 100_000
  const { peer, socket, clock, goOn } = await startTalk(t)
  await goOn(60, 'x'.repeat(bytes))
  peer.freeze()
  // What an interval sends is on a slow line for so long; the whole talk would be for a minute and a half.
  const onLine = (3 * bytes) / (65_536 / 1_000)
  const bound = LONGEST_PAUSE + keepalive.timeout + onLine
  assertBetween(await lasted(clock, socket), keepalive.timeout, bound)
})

test('what begins to wait in the outbox during a talk is too old as soon as in silence', async (t) => {
  const maxAge = 500
  const { peer, socket, clock, looks } = await startTalk(t, {
    outbox: { maxAge, maxBytes: 64 * 1024 * 1024 },
  })
  // Right after a look nothing is due but what the outbox asks for.
  const before = looks()
  while (looks() === before) {
    peer.send(frame(OPCODE.text, 'x'.repeat(100_000)))
    await clock.advance(100)
  }
  peer.freeze()
  // The last word of ours: the peer has more to say.
  socket.removeAllListeners('message').on('message', () => {})
  socket.send(Buffer.alloc(32 * 1024 * 1024))
  const from = lastTaken(clock, socket)
  while (socket.readyState === socket.OPEN) {
    peer.send(frame(OPCODE.text, 'x'))
    await clock.advance(100)
    from()
  }
  // What the kernel took excuses a reader for fifteen times maxAge at most.
  assertBetween(clock.now() - from(), maxAge, 16 * maxAge)
  await clock.advance(40_000)
  assert.equal((await socket.closed).cause, 'slow-consumer')
})

test('a lifetime that ends during a talk ends the connection', async (t) => {
  const { socket, clock, goOn } = await startTalk(t, { maxLifetime: 600_000 })
  const openedAt = clock.now() - 6 * (keepalive.interval / 2)
  let endedAt = NaN
  socket.scope.signal.addEventListener('abort', () => (endedAt = clock.now()))
  while (Number.isNaN(endedAt)) await goOn(1)
  assertBetween(endedAt - openedAt, 540_000, 600_000 + TICK)
})

test('credentials that are found to end soon, during a talk, do', async (t) => {
  const { socket, clock } = await startTalk(t)
  socket.expireAt(clock.wall() + 3_000)
  assertBetween(await lasted(clock, socket), 3_000, 3_000 + TICK)
})

test('a peer that does not answer the close after a talk is gone after closeTimeout', async (t) => {
  const { peer, socket, clock } = await startTalk(t)
  peer.freeze()
  let isOver = false
  void socket.closed.then(() => (isOver = true))
  socket.close()
  await clock.advance(1_000)
  // A connection that is closing has no other end.
  socket.expireAt(clock.wall() + 60_000)
  await clock.advance(1_900)
  assert.equal(isOver, false)
  await clock.advance(400)
  assert.equal(isOver, true)
})
