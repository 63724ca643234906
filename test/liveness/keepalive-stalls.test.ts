// Keepalive is just: to peers while our loop stood still, to slow ones, and to those of a paused app.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { test, type TestContext } from 'node:test'
import { hear } from '../support/servers/hear.js'
import { WebSocket } from 'ws'
import { delivered } from '../support/time/delivered.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { serveOne } from '../support/servers/server.js'
import { SlowReader } from '../support/peers/slow-reader.js'
import { tell } from '../support/servers/story.js'
import {
  keepalive,
  TICK,
  BOUND,
  connectTimed,
  listen,
  nextWithin,
  pings,
  untilDead,
} from '../support/servers/timed-keepalive.js'

const { frame } = RawPeer

test('one stall longer than the timeout kills none of 500 healthy peers', async (t) => {
  const clock = new FakeClock()
  const { app, port } = await serveOne(t, {
    clock,
    options: { keepalive: { interval: 500, timeout: 600 } },
  })
  const clients = await Promise.all(
    Array.from({ length: 500 }, async () => {
      const client = new WebSocket(`ws://127.0.0.1:${port}/`)
      await once(client, 'open')
      return client
    }),
  )
  for (let stall = 0; stall < 3; stall++) {
    // Their answers are held back until every one of them has been asked, and our loop stands still.
    for (const client of clients) client.pause()
    await clock.advance(550)
    for (const client of clients) client.resume()
    clock.stall(700)
    await clock.advance(60)
    await delivered()
    await clock.advance(300)
    assert.equal(app.websocketLifecycle.connections.size, 500)
  }
  for (const client of clients) client.pause()
  await clock.advance(2_000)
  assert.equal(app.websocketLifecycle.stats().closed['heartbeat-timeout'], 500)
  for (const client of clients) client.terminate()
})

test('the time in which our loop stood still does not count against a slow peer', async (t) => {
  const { peer, socket, clock } = await connectTimed(t)
  const ping = peer.nextOf(OPCODE.ping)
  const asked = await nextWithin(clock, ping)
  const heard = hear(t, 'loop.stalled')
  clock.stall(10 * keepalive.timeout)
  await clock.advance(keepalive.timeout - 3 * TICK)
  const [{ lateness, postponed } = {}, ...others] = heard.of('loop.stalled')
  assert.ok(Number(lateness) > 9 * keepalive.timeout && Number(lateness) <= 10 * keepalive.timeout)
  assert.deepEqual([postponed, others], [1, []])
  assert.equal(socket.readyState, socket.OPEN)
  peer.send(frame(OPCODE.pong, asked.payload))
  await clock.advance(keepalive.interval / 2)
  assert.equal(socket.readyState, socket.OPEN)
  await clock.advance(BOUND)
  assert.equal((await socket.closed).cause, 'heartbeat-timeout')
})

test('an answer that is in the kernel when the timeout is over counts', async (t) => {
  // Without chance, what a first connection shows of the time holds for a second one.
  t.mock.method(Math, 'random', () => 0.5)
  const first = await connectTimed(t)
  let ticks = 0
  for (; first.socket.readyState === first.socket.OPEN; ticks++) await first.clock.advance(TICK)
  const second = await connectTimed(t)
  const frames = listen(second.peer, false)
  for (let i = 1; i < ticks; i++) await second.clock.advance(TICK)
  assert.ok(pings(frames) > 0)
  // The next tick is the one that would be the end; it comes before the loop has polled.
  const heard = hear(t, 'verdict.averted')
  second.peer.send(frame(OPCODE.pong, frames.at(-1)?.payload))
  second.clock.stall(TICK)
  await second.clock.advance(0)
  assert.equal(second.socket.readyState, second.socket.OPEN)
  const averted = { id: second.socket.id, route: '/', cause: 'heartbeat-timeout' }
  assert.deepEqual(heard.of('verdict.averted'), [averted])
  second.peer.destroy()
})

/** @returns what a server tells whose loop stalls, and for how long this process stood still meanwhile, in ms */
async function tellOfStalls(t: TestContext): Promise<{ told: string; standstill: number }> {
  const story = tell(t, 'stalling-server')
  const port = Number(await story.next())
  const delays = monitorEventLoopDelay()
  delays.enable()
  const frozen = await RawPeer.open(port)
  frozen.freeze()
  const clients: WebSocket[] = []
  // A few at a time: the first may be pinged before the last is open.
  while (clients.length < 500) {
    const some = Array.from({ length: 50 }, () => new WebSocket(`ws://127.0.0.1:${port}/`))
    await Promise.all(some.map(async (client) => once(client, 'open')))
    clients.push(...some)
  }
  const ends = clients.map(
    async (client) => new Promise((resolve) => client.on('error', () => {}).once('close', resolve)),
  )
  const lost = Promise.race(ends).then(() => 'a healthy one is gone')
  clients[0]?.send('begin')
  const told = await Promise.race([story.next(), lost])
  delays.disable()
  frozen.destroy()
  await Promise.all(ends)
  assert.equal((await story.exited).code, 0)
  return { told, standstill: delays.max / 1e6 }
}

test('a real loop that stalls again and again kills no healthy peer, but a frozen one', async (t) => {
  let { told, standstill } = await tellOfStalls(t)
  // Peers that did not answer in time, of the 600 ms that they have, were no healthy ones.
  for (let tries = 1; standstill > 300 && tries < 5; tries++) {
    ;({ told, standstill } = await tellOfStalls(t))
  }
  assert.equal(told, JSON.stringify({ open: 500, dead: 1 }))
})

test('a frame of 200 kB on a slow line is evidence of life: bytes count, not messages', async (t) => {
  const { peer, socket, clock } = await connectTimed(t)
  const message = once(socket, 'message')
  const wire = frame(OPCODE.binary, Buffer.alloc(200_000))
  for (let sent = 0; sent < wire.length; sent += 4_000) {
    peer.send(wire.subarray(sent, sent + 4_000))
    await clock.advance(200)
    assert.equal(socket.readyState, socket.OPEN)
  }
  const [data] = (await message) as [Buffer]
  assert.equal(data.length, 200_000)
  peer.destroy()
})

test('a slow reader lives while it takes what we sent, and dies once it has stopped', async (t) => {
  const { peer, socket, clock } = await connectTimed(t)
  const reader = new SlowReader(peer)
  socket.send(Buffer.alloc(48 * 1024 * 1024))
  await delivered()
  for (let elapsed = 0; elapsed < 6_000; elapsed += 200) {
    await reader.read(512 * 1024)
    await clock.advance(200)
    assert.equal(socket.readyState, socket.OPEN, `dead after ${elapsed} ms`)
  }
  await untilDead(clock, socket)
  peer.destroy()
})

test('while the app has paused reading there is no verdict, and the resume starts anew', async (t) => {
  const { peer, socket, clock } = await connectTimed(t)
  const frames = listen(peer, false)
  socket.pause()
  await clock.advance(20 * BOUND)
  assert.equal(socket.readyState, socket.OPEN)
  assert.ok(pings(frames) >= 5, 'pings go on')
  socket.resume()
  await clock.advance(keepalive.timeout - 2 * TICK)
  assert.equal(socket.readyState, socket.OPEN)
  await clock.advance(4 * TICK)
  assert.equal((await socket.closed).cause, 'heartbeat-timeout')
})

test('a peer whose answers wait behind a pause lives after the resume', async (t) => {
  const { peer, socket, clock } = await connectTimed(t)
  listen(peer, true)
  socket.pause()
  await clock.advance(10 * BOUND)
  socket.resume()
  await clock.advance(2 * BOUND)
  assert.equal(socket.readyState, socket.OPEN)
  assert.notEqual(socket.latency, undefined)
  peer.destroy()
})

test('pings of a paused connection reveal a reset', async (t) => {
  const { peer, socket, clock } = await connectTimed(t)
  socket.pause()
  await delivered()
  peer.reset()
  await clock.advance(3 * BOUND)
  assert.equal((await socket.closed).cause, 'connection-reset')
})

test('no ping is added to one that still waits in our own process', async (t) => {
  const { peer, socket, clock } = await connectTimed(t, {
    keepalive: { interval: 1000, timeout: false },
  })
  peer.freeze()
  socket.send(Buffer.alloc(32 * 1024 * 1024))
  await delivered()
  await clock.advance(2_500)
  const held = socket.bufferedAmount
  await clock.advance(30_000)
  assert.equal(socket.bufferedAmount, held)
  peer.destroy()
})
