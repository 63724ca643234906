// Connections that are lost again and again after the same silence: something between cuts them off.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { LifecycleOptions } from '../../lib/index.js'
import { randomFrom } from '../support/models/random.js'
import { idleProxy } from '../support/peers/idle-proxy.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { hear, type Hearing } from '../support/servers/hear.js'
import { type LogLine, logLines } from '../support/servers/log-lines.js'
import { portOf, serve } from '../support/servers/server.js'
import { listen } from '../support/servers/timed-keepalive.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { assertBetween, until } from '../support/time/timed.js'

const MINUTE = 60_000
const { frame } = RawPeer
const HELLO = frame(OPCODE.text, 'hello')

interface Served {
  readonly port: number
  readonly clock: FakeClock
  readonly heard: Hearing
  readonly lines: LogLine[]
  /** How many were lost. */
  readonly lost: () => number
}

async function serveFeed(t: TestContext, options: LifecycleOptions): Promise<Served> {
  const clock = new FakeClock()
  clock.random = randomFrom(7)
  const { lines, fastify } = logLines()
  const heard = hear(t, 'diagnosis.idle-timeout', 'connection.closed')
  const app = await serve(t, {
    clock,
    fastify,
    options,
    routes: (app) => {
      app.get('/feed', { websocket: true }, (socket) => {
        // A feed speaks all the time, to those who ask for it.
        socket.on('message', (_data, isBinary) => {
          if (isBinary) clock.setInterval(() => socket.send('news'), 5_000)
        })
      })
    },
  })
  const lost = (): number => heard.of('connection.closed').length
  return { port: portOf(app), clock, heard, lines, lost }
}

/** Clients come one after the other, say something, and then nothing more. */
async function comeAndBeSilent(
  clock: FakeClock,
  port: number,
  count: number,
  last = HELLO,
): Promise<RawPeer[]> {
  const peers: RawPeer[] = []
  for (let i = 0; i < count; i++) {
    const peer = await RawPeer.open(port, '/feed')
    peers.push(peer)
    peer.send(HELLO)
    await clock.advance(2_000 + 3_000 * clock.random())
    peer.send(last)
    await clock.advance(1_000 * clock.random())
  }
  return peers
}

function destroy(peers: readonly RawPeer[]): void {
  for (const peer of peers) peer.destroy()
}

test('a proxy that cuts what is idle is found, with the interval that prevents it', async (t) => {
  const { port, clock, heard, lines, lost } = await serveFeed(t, { keepalive: false })
  const since = clock.wall()
  const proxy = await idleProxy(t, clock, port, MINUTE)
  const peers = await comeAndBeSilent(clock, proxy, 14)
  await clock.advance(MINUTE)
  await until(() => lost() === 14)
  const [report, ...others] = heard.of('diagnosis.idle-timeout')
  assert.ok(report)
  assert.deepEqual(others, [])
  assertBetween(report.age, MINUTE, MINUTE + 1_000)
  assertBetween(report.since - since, MINUTE, MINUTE + 6_000)
  assert.deepEqual(
    { ...report, age: 0, since: 0 },
    {
      silent: 'both',
      age: 0,
      interval: 45_000,
      count: report.count,
      since: 0,
      routes: { '/feed': report.count },
    },
  )
  assertBetween(report.count, 10, 14)
  const line = lines.find((each) => 'silent' in each)
  assert.equal(line?.['level'], 40)
  assert.deepEqual([line?.['age'], line?.['interval']], [report.age, 45_000])
  destroy(peers)
})

test('with the interval that the report proposes nobody is cut off', async (t) => {
  const { port, clock, lost } = await serveFeed(t, { keepalive: { interval: 45_000 } })
  const proxy = await idleProxy(t, clock, port, MINUTE, 'each')
  const peers = await comeAndBeSilent(clock, proxy, 5)
  for (const peer of peers) listen(peer, true)
  await clock.advance(10 * MINUTE)
  assert.equal(lost(), 0)
  destroy(peers)
})

test('a proxy that counts the silence of the client alone is found, too', async (t) => {
  const { port, clock, heard, lost } = await serveFeed(t, { keepalive: false })
  const proxy = await idleProxy(t, clock, port, 30_000, 'each')
  const peers = await comeAndBeSilent(clock, proxy, 30, frame(OPCODE.binary))
  await clock.advance(MINUTE)
  await until(() => lost() === 30)
  const told = heard.of('diagnosis.idle-timeout')
  assert.deepEqual(
    told.map(({ silent, interval }) => ({ silent, interval })),
    [{ silent: 'client', interval: 22_000 }],
  )
  destroy(peers)
})

test('the age is that of the side which is cut off, although the other one speaks at fixed times', async (t) => {
  const { port, clock, heard, lost } = await serveFeed(t, { keepalive: false })
  const proxy = await idleProxy(t, clock, port, MINUTE, 'each')
  const peers: RawPeer[] = []
  for (let i = 0; i < 60; i++) {
    const peer = await RawPeer.open(proxy, '/feed')
    peers.push(peer)
    peer.send(HELLO)
    clock.setInterval(() => peer.send(HELLO), 25_000)
    await clock.advance(3_000 + 2_000 * clock.random())
  }
  await until(() => lost() >= 40)
  const told = heard.of('diagnosis.idle-timeout')
  assert.deepEqual(
    told.map(({ silent, interval }) => ({ silent, interval })),
    [{ silent: 'server', interval: 45_000 }],
  )
  destroy(peers)
})

test('clients that go after our answer are no cluster, however regular that is', async (t) => {
  const { port, clock, heard, lost } = await serveFeed(t, { keepalive: false })
  for (let i = 0; i < 20; i++) {
    const peer = await RawPeer.open(port, '/feed')
    peer.send(frame(OPCODE.binary))
    await clock.advance(30_000)
    peer.finish()
    await until(() => lost() === i + 1)
  }
  assert.deepEqual(heard.of('diagnosis.idle-timeout'), [])
})

test('pings of the app are no silence', async (t) => {
  const clock = new FakeClock()
  const heard = hear(t, 'diagnosis.idle-timeout', 'connection.closed')
  const app = await serve(t, {
    clock,
    options: { keepalive: false },
    routes: (app) => {
      app.get('/', { websocket: true }, (socket) => {
        clock.setInterval(() => socket.ping(), 30_000)
      })
    },
  })
  for (let i = 0; i < 14; i++) {
    const peer = await RawPeer.open(portOf(app), '/')
    const pinged = peer.nextOf(OPCODE.ping)
    await clock.advance(30_000)
    await pinged
    peer.reset()
    await until(() => heard.of('connection.closed').length === i + 1)
  }
  assert.deepEqual(heard.of('diagnosis.idle-timeout'), [])
})

test('clients that are lost after any silence are no cluster', async (t) => {
  const { port, clock, heard, lost } = await serveFeed(t, { keepalive: false })
  const peers = await comeAndBeSilent(clock, port, 40)
  while (peers.length > 0) {
    await clock.advance(500 + 4_000 * clock.random())
    peers.shift()?.finish()
  }
  await until(() => lost() === 40)
  assert.deepEqual(heard.of('diagnosis.idle-timeout'), [])
})

test('clients that are all lost in one moment are no cluster', async (t) => {
  const { port, clock, heard, lost } = await serveFeed(t, { keepalive: false })
  const peers = await Promise.all(
    Array.from({ length: 40 }, async () => RawPeer.open(port, '/feed')),
  )
  for (const peer of peers) peer.send(HELLO)
  await clock.advance(MINUTE)
  for (const peer of peers) peer.finish()
  await until(() => lost() === 40)
  assert.deepEqual(heard.of('diagnosis.idle-timeout'), [])
  destroy(peers)
})

for (const [what, cause, go] of [
  ['whose host no longer knows the connection', 'connection-reset', 'reset'],
  ['that do not bear a ping', 'connection-lost', 'finish'],
] as const) {
  test(`clients ${what}, and go when we ping, are no cluster`, async (t) => {
    const { port, clock, heard, lost } = await serveFeed(t, { keepalive: { interval: 45_000 } })
    // Without chance, each of them is pinged after the same silence.
    clock.random = () => 0.5
    for (let i = 0; i < 14; i++) {
      const peer = await RawPeer.open(port, '/feed')
      void peer.nextOf(OPCODE.ping).then(() => peer[go]())
      while (lost() === i) await clock.advance(1_000)
    }
    assert.equal(heard.of('connection.closed')[0]?.close.cause, cause)
    assert.deepEqual(heard.of('diagnosis.idle-timeout'), [])
  })
}
