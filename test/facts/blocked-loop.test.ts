// A function of the app that keeps the loop to itself: which one, for how long, and what would that have cost?
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { DEFLATE, OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { hear, type Hearing } from '../support/servers/hear.js'
import { type LogLine, logLines } from '../support/servers/log-lines.js'
import { type Connected, connectOne, type OneRoute } from '../support/servers/server.js'
import { BOUND, keepalive, nextWithin } from '../support/servers/timed-keepalive.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { until } from '../support/time/timed.js'

const MESSAGE = RawPeer.frame(OPCODE.text, 'hello')
const MINUTE = 60_000

interface Served extends Connected {
  readonly heard: Hearing
  readonly lines: LogLine[]
}

async function connect(t: TestContext, clock: FakeClock, setup: OneRoute): Promise<Served> {
  const { lines, fastify } = logLines()
  const heard = hear(t, 'loop.stalled')
  const options = { keepalive: false } as const
  const connected = await connectOne(t, { clock, fastify, options, ...setup })
  return { ...connected, heard, lines }
}

/** What the stalls so far tell of who has blocked, after the tick that comes late. */
async function blamed(clock: FakeClock, heard: Hearing): Promise<unknown[]> {
  await clock.advance(1)
  return heard.of('loop.stalled').map(({ during }) => during)
}

const stallLines = (lines: readonly LogLine[]): LogLine[] =>
  lines.filter(({ msg }) => msg === 'the event loop has stood still, and WebSockets with it')

test('a handler that blocks is named, in the log too', async (t) => {
  const clock = new FakeClock()
  const { peer, heard, lines } = await connect(t, clock, { handler: () => clock.stall(5_000) })
  const during = { route: '/', step: 'handler', duration: 5_000 }
  assert.deepEqual(await blamed(clock, heard), [during])
  const [{ level, route, step, lateness, postponed } = {}] = stallLines(lines)
  assert.deepEqual([level, route, step, postponed], [40, '/', 'handler', 0])
  assert.equal(lateness, heard.of('loop.stalled')[0]?.lateness)
  peer.destroy()
})

test('a hook that blocks is named, with the number of clients that would have been taken for dead', async (t) => {
  const clock = new FakeClock()
  const { peer, socket, heard, port } = await connect(t, clock, {
    options: { keepalive },
    route: { onUnexpectedClose: () => clock.stall(BOUND) },
  })
  const other = await RawPeer.open(port)
  await nextWithin(clock, other.nextOf(OPCODE.ping))
  peer.reset()
  await socket.closed
  const during = { route: '/', step: 'onUnexpectedClose', duration: BOUND }
  assert.deepEqual(await blamed(clock, heard), [during])
  assert.equal(heard.of('loop.stalled')[0]?.postponed, 1)
  other.destroy()
})

test('messages that block are named from the second time on, for ten minutes', async (t) => {
  const clock = new FakeClock()
  let calls = 0
  let isBlocking = true
  const { peer, heard } = await connect(t, clock, {
    route: {
      onMessage: () => {
        calls++
        if (isBlocking) clock.stall(5_000)
      },
    },
  })
  const during = { route: '/', step: 'messages', duration: 5_000 }
  for (const expected of [[undefined], [undefined, during], [undefined, during, during]]) {
    peer.send(MESSAGE)
    await until(() => calls === expected.length)
    assert.deepEqual(await blamed(clock, heard), expected)
    await clock.advance(5 * MINUTE)
  }
  // Ten minutes after the last stall the first message is still timed: it finds that the time is over.
  await clock.advance(6 * MINUTE)
  isBlocking = false
  peer.send(MESSAGE)
  await until(() => calls === 4)
  isBlocking = true
  peer.send(MESSAGE)
  await until(() => calls === 5)
  assert.deepEqual((await blamed(clock, heard)).slice(3), [undefined])
  peer.destroy()
})

test('messages that were compressed, and block, are named too', async (t) => {
  const clock = new FakeClock()
  let calls = 0
  const { app, port, heard } = await connect(t, clock, {
    options: { keepalive: false, websocket: { perMessageDeflate: { threshold: 0 } } },
    route: {
      onMessage: () => {
        calls++
        clock.stall(5_000)
      },
    },
  })
  const peer = await RawPeer.open(port, '/', DEFLATE)
  await until(() => app.websocketLifecycle.stats().open === 2)
  const during = { route: '/', step: 'messages', duration: 5_000 }
  for (const expected of [[undefined], [undefined, during]]) {
    peer.send(RawPeer.deflated('hello'))
    await until(() => calls === expected.length)
    assert.deepEqual(await blamed(clock, heard), expected)
  }
  peer.destroy()
})

test('a message that waited, and blocks when its turn comes, is named too', async (t) => {
  const clock = new FakeClock()
  const first = gate()
  let calls = 0
  const { peer, heard } = await connect(t, clock, {
    handler: () => clock.stall(5_000),
    route: {
      onMessage: async () => {
        calls++
        if (calls === 1) await first.opened
        else clock.stall(7_000)
      },
    },
  })
  await blamed(clock, heard)
  peer.send(MESSAGE, MESSAGE)
  await until(() => calls === 1)
  first.open()
  await until(() => calls === 2)
  const during = { route: '/', step: 'messages', duration: 7_000 }
  assert.deepEqual((await blamed(clock, heard)).at(-1), during)
  peer.destroy()
})

test('who else blocks is not named, and nobody is blamed in his place', async (t) => {
  const clock = new FakeClock()
  const { peer, heard } = await connect(t, clock, {
    handler: () => clock.stall(1_500),
    route: { onMessage: () => clock.stall(1_000) },
  })
  // Each of them runs just before, for less than half of what follows.
  clock.stall(5_000)
  assert.deepEqual(await blamed(clock, heard), [undefined])
  peer.send(MESSAGE)
  const before = clock.now()
  await until(() => clock.now() > before)
  clock.stall(5_000)
  assert.deepEqual(await blamed(clock, heard), [undefined, undefined])
  peer.destroy()
})

test('of many stalls few are logged, and short ones not at all', async (t) => {
  const clock = new FakeClock()
  const { peer, heard, lines } = await connect(t, clock, { options: { keepalive } })
  const stall = async (duration: number): Promise<void> => {
    clock.stall(duration)
    await clock.advance(1)
  }
  await stall(300)
  assert.equal(stallLines(lines).length, 0)
  for (let i = 0; i < 4; i++) await stall(1_000)
  await stall(10_000)
  assert.equal(heard.of('loop.stalled').length, 6)
  assert.deepEqual(
    stallLines(lines).map(({ unlogged }) => unlogged),
    [undefined, 3],
  )
  peer.destroy()
})

test('without anybody who listens a stall is logged all the same', async (t) => {
  const clock = new FakeClock()
  const { lines, fastify } = logLines()
  const { peer } = await connectOne(t, { clock, fastify, options: { keepalive } })
  for (const duration of [300, 1_000]) {
    clock.stall(duration)
    await clock.advance(1)
  }
  assert.equal(stallLines(lines).length, 1)
  peer.destroy()
})
