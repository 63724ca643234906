import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect } from 'node:tls'
import { test, type TestContext } from 'node:test'
import type { FastifyServerOptions } from 'fastify'
import { WebSocket } from 'ws'
import type { LifecycleSocket } from '../../lib/index.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { type Frame, OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { type Connected, connectOne, portOf, serve, serveOne } from '../support/servers/server.js'
import { SlowReader } from '../support/peers/slow-reader.js'
import { tell } from '../support/servers/story.js'
import { cert, key } from '../support/servers/tls.js'

const { frame } = RawPeer
const keepalive = { interval: 1000, timeout: 500 }
/** A tenth of the shortest timeout. */
const TICK = 50
const BOUND = keepalive.interval * 1.1 + keepalive.timeout + 2 * TICK

/** A reader that is slow is judged here by whether it lives, not by what it takes. */
const PATIENT = { maxAge: false } as const

interface Timed extends Connected {
  readonly clock: FakeClock
}

async function connectTimed(
  t: TestContext,
  route: { keepalive: unknown } = { keepalive },
): Promise<Timed> {
  const clock = new FakeClock()
  const connected = await connectOne(t, {
    clock,
    options: { outbox: PATIENT, ...(route as { keepalive: typeof keepalive }) },
  })
  return { ...connected, clock }
}

/** Collects what a peer gets, and answers pings if it is to. */
function listen(peer: RawPeer, answers: boolean): Frame[] {
  const frames: Frame[] = []
  void (async () => {
    for (let each = await peer.next(); each !== undefined; each = await peer.next()) {
      frames.push(each)
      if (answers && each.opcode === OPCODE.ping) peer.send(frame(OPCODE.pong, each.payload))
    }
  })()
  return frames
}

/** Moves the clock until a frame has come. */
async function nextWithin(clock: FakeClock, next: Promise<Frame | undefined>): Promise<Frame> {
  const come: Array<Frame | undefined> = []
  void next.then((frame) => come.push(frame))
  for (let elapsed = 0; elapsed < BOUND && come.length === 0; elapsed += 10) await clock.advance(10)
  const [frame] = come
  assert.ok(frame)
  return frame
}

function pings(frames: readonly Frame[]): number {
  return frames.filter(({ opcode }) => opcode === OPCODE.ping).length
}

test('an idle peer is pinged within the interval and its jitter, again and again, and lives while it answers', async (t) => {
  const { peer, socket, clock } = await connectTimed(t)
  const frames = listen(peer, true)
  const gaps: number[] = []
  let last = clock.now()
  for (let elapsed = 0, known = 0; elapsed < 20_000; elapsed += 10) {
    await clock.advance(10)
    if (pings(frames) === known) continue
    known = pings(frames)
    gaps.push(clock.now() - last)
    last = clock.now()
  }
  assert.equal(socket.readyState, socket.OPEN)
  assert.ok(gaps.length >= 17, `${gaps.length}`)
  for (const gap of gaps) assert.ok(gap <= 1100 + 2 * TICK, `${gap}`)
  for (const gap of gaps.slice(1)) assert.ok(gap >= 900, `${gap}`)
  peer.destroy()
})

test('a peer with traffic both ways is never pinged', async (t) => {
  const { peer, socket, clock } = await connectTimed(t)
  const frames = listen(peer, true)
  for (let elapsed = 0; elapsed < 10_000; elapsed += 200) {
    peer.send(frame(OPCODE.text, 'in'))
    socket.send('out')
    await clock.advance(200)
  }
  assert.equal(pings(frames), 0)
  peer.destroy()
})

test('a peer that only talks is pinged: a proxy must see our bytes too', async (t) => {
  const { peer, clock } = await connectTimed(t)
  const frames = listen(peer, true)
  for (let elapsed = 0; elapsed < 10_000; elapsed += 200) {
    peer.send(frame(OPCODE.text, 'in'))
    await clock.advance(200)
  }
  assert.ok(pings(frames) >= 8, `${pings(frames)}`)
  peer.destroy()
})

test('a peer that only listens is pinged', async (t) => {
  const { peer, socket, clock } = await connectTimed(t)
  const frames = listen(peer, true)
  for (let elapsed = 0; elapsed < 10_000; elapsed += 200) {
    socket.send('out')
    await clock.advance(200)
  }
  assert.ok(pings(frames) >= 8, `${pings(frames)}`)
  peer.destroy()
})

test('a peer that answers no ping but talks lives', async (t) => {
  const { peer, socket, clock } = await connectTimed(t)
  for (let elapsed = 0; elapsed < 10_000; elapsed += 400) {
    peer.send(frame(OPCODE.text, 'in'))
    await clock.advance(400)
  }
  assert.equal(socket.readyState, socket.OPEN)
  peer.destroy()
})

test('a peer that only listens and answers nothing dies, though we keep talking', async (t) => {
  const { peer, socket, clock } = await connectTimed(t)
  for (let elapsed = 0; elapsed < BOUND; elapsed += 100) {
    if (socket.readyState === socket.OPEN) socket.send('out')
    await clock.advance(100)
  }
  assert.equal((await socket.closed).cause, 'heartbeat-timeout')
  peer.destroy()
})

test('a dead peer is found within the bound, and none before its timeout', async (t) => {
  const clock = new FakeClock()
  const { app, port } = await serveOne(t, { clock, options: { keepalive } })
  const peers = await Promise.all(Array.from({ length: 40 }, () => RawPeer.open(port)))
  await turns()
  const pingedAt = new Map<RawPeer, number>()
  for (const peer of peers) {
    void peer.nextOf(OPCODE.ping).then((ping) => {
      if (ping !== undefined) pingedAt.set(peer, clock.now())
    })
  }
  const started = clock.now()
  const endedAt = new Map<LifecycleSocket, number>()
  for (const socket of app.websocketLifecycle.connections) {
    void socket.closed.then(() => endedAt.set(socket, clock.now()))
  }
  const firstPing = (): number => Math.min(...pingedAt.values())
  while (endedAt.size < peers.length && clock.now() - started < 2 * BOUND) {
    await clock.advance(10)
    if (endedAt.size > 0) assert.ok(clock.now() - firstPing() >= keepalive.timeout)
  }
  assert.equal(endedAt.size, 40)
  for (const at of endedAt.values()) {
    assert.ok(at - started <= BOUND, `${at - started}`)
    assert.ok(at - started >= keepalive.interval / 2 + keepalive.timeout, `${at - started}`)
  }
  assert.equal(app.websocketLifecycle.stats().closed['heartbeat-timeout'], 40)
})

test('a peer that is found dead is not sent a close frame, and its TCP connection is ended', async (t) => {
  const { peer, socket, clock } = await connectTimed(t)
  const frames = listen(peer, false)
  await clock.advance(BOUND)
  const close = await socket.closed
  assert.equal(close.sent, undefined)
  assert.ok(frames.every(({ opcode }) => opcode === OPCODE.ping))
})

test('a heartbeat-timeout calls onUnexpectedClose, unless 1006 is expected', async (t) => {
  for (const expectedCloseCodes of [[1000], [1006]]) {
    const clock = new FakeClock()
    const { socket, events } = await connectOne(t, {
      clock,
      options: { keepalive, expectedCloseCodes },
    })
    await clock.advance(BOUND)
    assert.equal((await socket.closed).expected, expectedCloseCodes.includes(1006))
    assert.equal(events.includes('unexpected'), !expectedCloseCodes.includes(1006))
  }
})

test('keepalive: false never pings and never judges', async (t) => {
  const { peer, socket, clock } = await connectTimed(t, { keepalive: false })
  const frames = listen(peer, false)
  await clock.advance(200_000)
  assert.equal(socket.readyState, socket.OPEN)
  assert.equal(frames.length, 0)
  assert.equal(socket.latency, undefined)
  peer.destroy()
})

test('timeout: false pings, and never judges', async (t) => {
  const { peer, socket, clock } = await connectTimed(t, {
    keepalive: { interval: 1000, timeout: false },
  })
  const frames = listen(peer, false)
  await clock.advance(30_000)
  assert.equal(socket.readyState, socket.OPEN)
  assert.ok(pings(frames) >= 25, `${pings(frames)}`)
  peer.destroy()
})

test("a route's keepalive goes before the plugin's, field by field", async (t) => {
  const clock = new FakeClock()
  const app = await serve(t, {
    clock,
    options: { keepalive: { interval: 1000, timeout: false } },
    routes: (app) => {
      app.get('/plugins', { websocket: true }, () => {})
      app.get('/slower', { websocket: true, keepalive: { interval: 10_000 } }, () => {})
      app.get('/stricter', { websocket: true, keepalive: { timeout: 500 } }, () => {})
      app.get('/off', { websocket: true, keepalive: false }, () => {})
    },
  })
  const counts: Record<string, Frame[]> = {}
  for (const name of ['plugins', 'slower', 'stricter', 'off']) {
    counts[name] = listen(await RawPeer.open(portOf(app), `/${name}`), false)
  }
  await turns()
  await clock.advance(22_000)
  const of = (name: string): number => pings(counts[name] ?? [])
  assert.ok(of('plugins') >= 19 && of('plugins') <= 26, `${of('plugins')}`)
  assert.ok(of('slower') >= 1 && of('slower') <= 3, `${of('slower')}`)
  assert.equal(of('off'), 0)
  const routes = [...app.websocketLifecycle.connections].map(
    ({ request }) => request.routeOptions.url,
  )
  assert.deepEqual(routes, ['/plugins', '/slower', '/off'])
  assert.equal(app.websocketLifecycle.stats().closed['heartbeat-timeout'], 1)
})

test("a route's keepalive holds where the plugin has none", async (t) => {
  const clock = new FakeClock()
  const { socket } = await connectOne(t, {
    clock,
    options: { keepalive: false },
    route: { keepalive },
  })
  await clock.advance(BOUND)
  assert.equal((await socket.closed).cause, 'heartbeat-timeout')
})

test('the first pings of connections that opened together are spread over time', async (t) => {
  const clock = new FakeClock()
  const { port } = await serveOne(t, {
    clock,
    options: { keepalive: { interval: 10_000, timeout: 5000 } },
  })
  const peers = await Promise.all(Array.from({ length: 200 }, () => RawPeer.open(port)))
  const all = peers.map((peer) => listen(peer, true))
  const perTick: number[] = []
  for (let elapsed = 0, known = 0; elapsed < 11_000; elapsed += TICK) {
    await clock.advance(TICK)
    const count = all.filter((frames) => pings(frames) > 0).length
    perTick.push(count - known)
    known = count
  }
  assert.equal(
    perTick.reduce((sum, count) => sum + count),
    200,
  )
  assert.ok(Math.max(...perTick) < 50, perTick.join())
  assert.ok(perTick.filter((count) => count > 0).length >= 10, perTick.join())
})

test('pings leave a bounded number at a time, and all of a tick leave', async (t) => {
  const clock = new FakeClock()
  // A tick of the longest kind, and phases that all lie within one: many are due at once.
  const { port } = await serveOne(t, {
    clock,
    options: { keepalive: { interval: 50, timeout: false }, closeTimeout: 60_000 },
  })
  const peers = await Promise.all(Array.from({ length: 400 }, () => RawPeer.open(port)))
  const all = peers.map((peer) => listen(peer, true))
  await turns()
  const count = (): number => all.reduce((sum, frames) => sum + pings(frames), 0)
  let most = 0
  for (let elapsed = 0; elapsed < 50; elapsed += 10) {
    let before = count()
    const ticking = clock.advance(10)
    for (let turn = 0; turn < 16; turn++) {
      await turns(1)
      most = Math.max(most, count() - before)
      before = count()
    }
    await ticking
    await turns(10)
  }
  assert.ok(count() >= 400, `${count()}`)
  assert.ok(most > 0 && most <= 128, `${most}`)
})

test('with the defaults open connections wake the process once a second, others while they open or close', async (t) => {
  const clock = new FakeClock()
  let opening: number[] = []
  const { peer, socket } = await connectOne(t, {
    clock,
    routes: (app) => app.addHook('onRequest', async () => void (opening = clock.periods)),
  })
  assert.deepEqual(opening, [300])
  assert.deepEqual(clock.periods, [1_000])
  peer.freeze()
  socket.close()
  assert.deepEqual(clock.periods, [300])
  await clock.advance(3_300)
  await socket.closed
  assert.deepEqual(clock.periods, [])
})

test('there are 25 ticks in a short interval', async (t) => {
  const clock = new FakeClock()
  await connectOne(t, { clock, options: { keepalive: { interval: 5_000 } } })
  assert.deepEqual(clock.periods, [200])
})

test('a peer whose socket is gone is not judged by what the socket no longer tells', async (t) => {
  const clock = new FakeClock()
  const { socket } = await connectOne(t, { clock, options: { keepalive } })
  socket.request.raw.socket.destroy()
  clock.stall(BOUND)
  await clock.advance(0)
  assert.equal((await socket.closed).cause, 'connection-lost')
})

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
    await turns(20)
    await clock.advance(300)
    assert.equal(app.websocketLifecycle.connections.size, 500)
  }
  for (const client of clients) client.pause()
  await clock.advance(2_000)
  assert.equal(app.websocketLifecycle.stats().closed['heartbeat-timeout'], 500)
  for (const client of clients) client.terminate()
})

test('the time in which our loop stood still does not count against a peer that is slow to answer', async (t) => {
  const { peer, socket, clock } = await connectTimed(t)
  const ping = peer.nextOf(OPCODE.ping)
  const asked = await nextWithin(clock, ping)
  clock.stall(10 * keepalive.timeout)
  await clock.advance(keepalive.timeout - 3 * TICK)
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
  second.peer.send(frame(OPCODE.pong, frames.at(-1)?.payload))
  await second.clock.advance(TICK)
  assert.equal(second.socket.readyState, second.socket.OPEN)
  second.peer.destroy()
})

test('a real loop that stands still again and again, longer than the timeout, kills no healthy peer, and a frozen one all the same', async (t) => {
  const story = tell(t, 'stalling-server')
  const port = Number(await story.next())
  const frozen = await RawPeer.open(port)
  frozen.freeze()
  const clients = await Promise.all(
    Array.from({ length: 500 }, async () => {
      const client = new WebSocket(`ws://127.0.0.1:${port}/`)
      await once(client, 'open')
      return client
    }),
  )
  const over = Promise.all(clients.map((client) => once(client, 'close')))
  clients[0]?.send('begin')
  const { open, dead } = JSON.parse(await story.next()) as { open: number; dead: number }
  assert.deepEqual({ open, dead }, { open: 500, dead: 1 })
  frozen.destroy()
  await over
  assert.equal((await story.exited).code, 0)
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
  await turns()
  for (let elapsed = 0; elapsed < 6_000; elapsed += 200) {
    await reader.read(512 * 1024)
    await clock.advance(200)
    assert.equal(socket.readyState, socket.OPEN, `dead after ${elapsed} ms`)
  }
  await untilDead(clock, socket)
  peer.destroy()
})

test('while the app has paused reading there is no verdict, and at the resume the clock starts anew', async (t) => {
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
  await turns()
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
  await turns()
  await clock.advance(2_500)
  const held = socket.bufferedAmount
  await clock.advance(30_000)
  assert.equal(socket.bufferedAmount, held)
  peer.destroy()
})

const https = { https: { key, cert } } as FastifyServerOptions

/**
 * What the kernel holds may take the slowest line some time: 8 MiB at 64 KiB/s, at most. And the two
 * kernels go on between themselves, in real time: what they still move counts as progress.
 */
async function untilDead(clock: FakeClock, socket: LifecycleSocket): Promise<void> {
  for (let round = 0; round < 10 && socket.readyState === socket.OPEN; round++) {
    await clock.advance(128_000 + BOUND)
  }
  assert.notEqual(socket.readyState, socket.OPEN)
  assert.equal((await socket.closed).cause, 'heartbeat-timeout')
}

async function connectTls(
  t: TestContext,
  clock: FakeClock,
): Promise<{ peer: RawPeer; socket: LifecycleSocket; tcp: Socket }> {
  const { port, nextSocket } = await serveOne(t, {
    clock,
    fastify: https,
    options: { keepalive, outbox: PATIENT },
  })
  const tcp = connectTcp(port, '127.0.0.1')
  const stream = connect({ socket: tcp, ca: cert, servername: 'localhost' })
  await once(stream, 'secureConnect')
  const peer = await RawPeer.over(stream, port)
  return { peer, socket: await nextSocket(), tcp }
}

for (const over of ['TCP', 'TLS'] as const) {
  test(`over ${over} an echo in three quarters of an interval spares all pings but the first`, async (t) => {
    const clock = new FakeClock()
    const { peer, socket } = await (over === 'TCP'
      ? connectOne(t, { clock, options: { keepalive } })
      : connectTls(t, clock))
    const frames = listen(peer, true)
    socket.on('message', (message) => void socket.send(message))
    // The first one comes early.
    while (pings(frames) === 0) await clock.advance(TICK)
    for (let echo = 1; echo <= 40; echo++) {
      peer.send(frame(OPCODE.text, 'in'))
      await clock.advance(0.75 * keepalive.interval)
      assert.deepEqual([frames.length, pings(frames)], [1 + echo, 1])
    }
    peer.destroy()
  })
}

test('over TLS a dead peer is found within the bound', async (t) => {
  const clock = new FakeClock()
  const { peer, socket } = await connectTls(t, clock)
  listen(peer, false)
  await clock.advance(BOUND)
  assert.equal((await socket.closed).cause, 'heartbeat-timeout')
})

test('over TLS a peer that answers lives, and its latency is known', async (t) => {
  const clock = new FakeClock()
  const { peer, socket } = await connectTls(t, clock)
  listen(peer, true)
  await clock.advance(10 * BOUND)
  assert.equal(socket.readyState, socket.OPEN)
  assert.notEqual(socket.latency, undefined)
  peer.destroy()
})

test('over TLS a slow reader lives while it takes what we sent, and dies once it has stopped', async (t) => {
  const clock = new FakeClock()
  const { peer, socket } = await connectTls(t, clock)
  const reader = new SlowReader(peer)
  socket.send(Buffer.alloc(48 * 1024 * 1024))
  await turns(20)
  for (let elapsed = 0; elapsed < 6_000; elapsed += 200) {
    await reader.read(512 * 1024)
    await clock.advance(200)
    assert.equal(socket.readyState, socket.OPEN, `dead after ${elapsed} ms`)
  }
  await untilDead(clock, socket)
  peer.destroy()
})

test('over TLS a FIN, a RST and a close frame are told apart too', async (t) => {
  const ends: Array<[string, (peer: RawPeer, tcp: Socket) => unknown]> = [
    ['connection-lost', (peer) => peer.finish()],
    ['connection-reset', (_peer, tcp) => tcp.resetAndDestroy()],
    ['client-close', (peer) => peer.send(RawPeer.closeFrame(1000))],
  ]
  for (const [cause, end] of ends) {
    const { peer, socket, tcp } = await connectTls(t, new FakeClock())
    end(peer, tcp)
    assert.equal((await socket.closed).cause, cause)
  }
})

test('a connection of injectWS is pinged, and never judged', async (t) => {
  const clock = new FakeClock()
  const { app, nextSocket } = await serveOne(t, { clock, options: { keepalive } })
  const client = await app.injectWS('/')
  const socket = await nextSocket()
  let count = 0
  client.on('ping', () => count++)
  await clock.advance(10 * BOUND)
  assert.ok(count >= 10, `${count}`)
  assert.equal(socket.readyState, socket.OPEN)
  client.terminate()
  await socket.closed
})
