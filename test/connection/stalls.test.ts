// Our own stall counts against no peer that opens or closes: whoever answers at once is not cut off.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { LifecycleSocket, WebsocketLifecycleOptions } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { delivered } from '../support/time/delivered.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { gate, never } from '../support/time/gate.js'
import { rawOf } from '../support/servers/outbox.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, portOf, serve } from '../support/servers/server.js'
import { DIFFERS_OVER_TLS } from '../support/servers/tls-pass.js'
import { stallEventLoop } from '../../lib/testing/stall.js'
import { tell } from '../support/servers/story.js'

const PEERS = 100
const STALL = 1_000
const keepalive = false

/** The loop of this process stands still, while others go on. */
function standStill(duration = STALL): void {
  stallEventLoop(duration)
}

/** The same, until all peers of another process have answered: that one may be slow. */
function standStillUntilAnswered({ answered }: Crowd): void {
  standStill()
  for (let more = 0; more < 6_000 && !existsSync(answered); more++) standStill(10)
}

/** Answers its close frame as soon as it comes. */
async function answerClose(peer: RawPeer): Promise<void> {
  const frame = await peer.nextOf(OPCODE.close)
  if (frame !== undefined) peer.send(RawPeer.closeFrame(frame.payload.readUInt16BE()))
}

interface Crowd {
  readonly app: FastifyInstance
  readonly sockets: LifecycleSocket[]
  /** A file that is there when all peers of another process have answered a close frame. */
  readonly answered: string
}

type Place = 'the same process' | 'another process'
const PLACES: readonly Place[] = ['the same process', 'another process']

/** A server with a hundred peers that answer at once. */
async function openCrowd(
  t: TestContext,
  place: Place,
  options: WebsocketLifecycleOptions,
): Promise<Crowd> {
  const sockets: LifecycleSocket[] = []
  const app = await serve(t, {
    options: { keepalive, ...options },
    routes: (app) => {
      app.get('/', { websocket: true }, (socket) => void sockets.push(socket))
    },
  })
  const port = portOf(app)
  const folder = await mkdtemp(join(tmpdir(), 'answering-peers-'))
  t.after(async () => rm(folder, { recursive: true }))
  const answered = join(folder, 'answered')
  if (place === 'another process') {
    const story = tell(t, 'answering-peers', String(port), String(PEERS), answered)
    assert.equal(await story.next(), `${PEERS}`)
  } else {
    for (let i = 0; i < PEERS; i++) void answerClose(await RawPeer.open(port))
  }
  return { app, sockets, answered }
}

for (const place of PLACES) {
  describe(`after a real stall, with the peers in ${place},`, () => {
    for (const closeTimeout of [300, 800]) {
      test(`all ends are clean, with a closeTimeout of ${closeTimeout} ms`, async (t) => {
        const { sockets } = await openCrowd(t, place, { closeTimeout })
        assert.equal(sockets.length, PEERS)
        for (const socket of sockets) socket.close(4000)
        standStill()
        const closes = await within(Promise.all(sockets.map(({ closed }) => closed)), 'all ends')
        assert.equal(closes.filter(({ clean }) => clean).length, PEERS)
      })

      test(`a drain terminates nobody, with a closeTimeout of ${closeTimeout} ms`, async (t) => {
        const { app } = await openCrowd(t, place, { closeTimeout })
        const draining = app.websocketLifecycle.drain()
        await turn()
        standStill()
        const { closed, terminated } = await within(draining, 'the drain')
        assert.deepEqual({ closed, terminated }, { closed: PEERS, terminated: 0 })
      })
    }
  })
}

test('a drain whose time has passed in a stall hears who has answered in that time', async (t) => {
  const crowd = await openCrowd(t, 'another process', { closeTimeout: 300 })
  const { app, sockets } = crowd
  const draining = app.websocketLifecycle.drain({ timeout: 800 })
  while (sockets.some((socket) => socket.readyState === socket.OPEN)) await turn()
  standStillUntilAnswered(crowd)
  const { closed, terminated } = await within(draining, 'the drain')
  assert.deepEqual({ closed, terminated }, { closed: PEERS, terminated: 0 })
})

test(
  'a hook whose promise has settled during a stall gets its 101',
  { skip: DIFFERS_OVER_TLS.cost },
  async (t) => {
    let hooks = 0
    const looked = gate()
    const preHandler = async (): Promise<void> => {
      hooks++
      if (hooks < PEERS) return looked.opened
      void stat('.').then(looked.open)
      standStill(3_000)
    }
    const app = await serve(t, {
      options: { keepalive, handshakeTimeout: 2_000 },
      routes: (app) => {
        app.get('/', { websocket: true, preHandler }, () => {})
      },
    })
    // At once: on a busy machine one after the other takes longer than the first ones have.
    const peers = await Promise.all(Array.from({ length: PEERS }, () => RawPeer.dial(portOf(app))))
    const answers = await Promise.all(peers.map((peer) => peer.answer()))
    const heads = new Set(answers.map((answer) => answer.slice(0, 12)))
    assert.deepEqual([...heads], ['HTTP/1.1 101'])
  },
)

describe('a closeTimeout', () => {
  const route = { closeTimeout: 1_000 }

  test('does not count a stall, and runs on after it', async (t) => {
    const clock = new FakeClock()
    const { socket, peer } = await connectOne(t, { clock, options: { keepalive }, route })
    socket.close(4000)
    await clock.advance(500)
    clock.stall(60_000)
    // The tick that tells of the stall counts for itself.
    await clock.advance(300)
    assert.equal(socket.readyState, socket.CLOSING)
    await clock.advance(200)
    const { clean, duration } = await socket.closed
    assert.equal(clean, false)
    assert.equal(duration, 60_900)
    await peer.ended()
  })

  test('that has passed waits for what is in the kernel already', async (t) => {
    const clock = new FakeClock()
    const { socket, peer } = await connectOne(t, { clock, options: { keepalive }, route })
    socket.close(4000)
    await clock.advance(900)
    peer.send(RawPeer.closeFrame(4000))
    clock.stall(150)
    await clock.advance(0)
    const { clean, duration } = await socket.closed
    assert.deepEqual({ clean, duration }, { clean: true, duration: 1_050 })
  })

  test('that has passed when the peer has gone forces nobody', async (t) => {
    const clock = new FakeClock()
    const { app, peer } = await connectOne(t, { clock, options: { keepalive }, route })
    const draining = app.websocketLifecycle.drain()
    await clock.advance(900)
    peer.reset()
    clock.stall(150)
    await clock.advance(0)
    const { closed, terminated } = await within(draining, 'the drain')
    assert.deepEqual({ closed, terminated }, { closed: 1, terminated: 0 })
  })

  test('that has passed begins anew if what waits to be sent moves', async (t) => {
    const clock = new FakeClock()
    const { socket, peer } = await connectOne(t, { clock, options: { keepalive }, route })
    socket.close(4000)
    await clock.advance(900)
    clock.stall(150)
    // In the turn after the tick, before the verdict: the kernel takes something from us.
    setImmediate(() => rawOf(socket).write('x'))
    await clock.advance(900)
    assert.equal(socket.readyState, socket.CLOSING)
    await clock.advance(300)
    assert.equal((await socket.closed).clean, false)
    await peer.ended()
  })

  test('of a refused peer does not count a stall either', async (t) => {
    const clock = new FakeClock()
    const app = await serve(t, {
      clock,
      options: { keepalive, closeTimeout: 1_000 },
      routes: (app) => {
        app.addHook('preHandler', async (_request, reply) => reply.refuseWebsocket())
        app.get('/', { websocket: true }, () => {})
      },
    })
    const peer = await RawPeer.dial(portOf(app))
    await peer.answer()
    clock.stall(60_000)
    await clock.advance(800)
    assert.equal(peer.hasEnded, false)
    await clock.advance(200)
    await peer.ended()
  })
})

interface Upgrading {
  readonly clock: FakeClock
  readonly peer: RawPeer
  readonly open: () => void
  readonly answer: Promise<string>
}

/** An upgrade with a hook that waits until the door opens. */
async function upgrading(t: TestContext): Promise<Upgrading> {
  const clock = new FakeClock()
  const entered = gate()
  const door = gate()
  const preHandler = async (): Promise<void> => {
    entered.open()
    await door.opened
  }
  const app = await serve(t, {
    clock,
    options: { keepalive, handshakeTimeout: 1_000 },
    routes: (app) => {
      app.get('/', { websocket: true, preHandler }, () => {})
    },
  })
  const peer = await RawPeer.dial(portOf(app))
  await entered.opened
  return { clock, peer, open: door.open, answer: peer.answer() }
}

describe('a handshakeTimeout', () => {
  test('does not count a stall, and runs on after it', async (t) => {
    const { clock, answer } = await upgrading(t)
    await clock.advance(500)
    clock.stall(60_000)
    await clock.advance(300)
    let hasAnswer = false
    void answer.then(() => (hasAnswer = true))
    await delivered()
    assert.equal(hasAnswer, false)
    await clock.advance(200)
    assert.match(await answer, /^HTTP\/1\.1 503 /)
  })

  test('that has passed waits for a hook that is about to settle', async (t) => {
    const { clock, answer, open } = await upgrading(t)
    await clock.advance(900)
    clock.stall(150)
    // In the check phase of the next turn: after the tick, before the verdict.
    setImmediate(open)
    await clock.advance(0)
    assert.match(await answer, /^HTTP\/1\.1 101 /)
  })

  test('that is overdue at two ticks refuses once', async (t) => {
    const { clock, answer, peer } = await upgrading(t)
    await clock.advance(900)
    // Two ticks are overdue before the first verdict.
    clock.stall(150)
    await clock.advance(100)
    assert.match(await answer, /^HTTP\/1\.1 503 /)
    await peer.ended()
  })
})

describe('the deadline of a drain', () => {
  test('that has passed waits for what is in the kernel already', async (t) => {
    const clock = new FakeClock()
    const { app, socket, peer } = await connectOne(t, { clock, options: { keepalive } })
    const draining = app.websocketLifecycle.drain({ timeout: 1_000 })
    await clock.advance(900)
    assert.equal(socket.readyState, socket.CLOSING)
    // Its peer answers, but does not end the stream.
    peer.socket.allowHalfOpen = true
    peer.send(RawPeer.closeFrame(1012))
    clock.stall(100)
    await clock.advance(0)
    const { closed, terminated, duration } = await within(draining, 'the drain')
    assert.deepEqual(
      { closed, terminated, duration },
      { closed: 1, terminated: 0, duration: 1_000 },
    )
    peer.destroy()
  })

  test('that has passed when the last one ends cuts nobody, and hurries no step', async (t) => {
    const clock = new FakeClock()
    const { app, peer, socket } = await connectOne(t, { clock, options: { keepalive } })
    const draining = app.websocketLifecycle.drain({ timeout: 1_000 })
    await clock.advance(900)
    // It is over with this one poll.
    peer.reset()
    clock.stall(100)
    await clock.advance(0)
    assert.equal((await within(draining, 'the drain')).terminated, 0)
    assert.equal((await socket.closed).cause, 'shutdown')
    assert.equal(clock.pending, 0)
  })

  test('still cuts who does not answer, and counts it', async (t) => {
    const clock = new FakeClock()
    const { app } = await connectOne(t, {
      clock,
      options: { keepalive },
      route: { onShutdown: () => never },
    })
    const draining = app.websocketLifecycle.drain({ timeout: 1_000 })
    await delivered()
    clock.stall(60_000)
    await clock.advance(500)
    assert.equal((await within(draining, 'the drain')).terminated, 1)
  })
})
