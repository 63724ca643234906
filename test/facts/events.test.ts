// What the plugin tells through `node:diagnostics_channel`.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { CHANNELS, TRACES } from '../../lib/facts/events.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { hear } from '../support/servers/hear.js'
import { connectOne, portOf, serve } from '../support/servers/server.js'
import { connectTimed, nextWithin, TICK } from '../support/servers/timed-keepalive.js'
import { serveSessions } from '../support/servers/with-sessions.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { type Gate, gate, never } from '../support/time/gate.js'
import { until } from '../support/time/timed.js'

const { frame } = RawPeer

const no = async (_request: unknown, reply: FastifyReply): Promise<unknown> =>
  reply.code(401).send()

/** A hook that never settles, and tells that it has been called. */
const later = (called: Gate) => async (): Promise<void> => {
  called.open()
  await never
}

test('a connection tells each of its moments once, in order', async (t) => {
  const heard = hear(
    t,
    'upgrade.started',
    'upgrade.refused',
    'upgrade.lost',
    'connection.opened',
    'connection.closing',
    'connection.closed',
    'connection.released',
  )
  const { app, peer, socket } = await connectOne(t, { route: { onMessage: () => {} } })
  const { id, request } = socket
  peer.send(RawPeer.closeFrame(4000, 'done'))
  const released = await heard.first('connection.released')
  assert.deepEqual(heard.names, [
    'upgrade.started',
    'connection.opened',
    'connection.closing',
    'connection.closed',
    'connection.released',
  ])
  assert.equal((await heard.first('upgrade.started')).request, request.raw)
  assert.deepEqual(
    [...heard.apps].map((each) => each === app),
    [true],
  )
  const about = { id, route: '/', connection: socket }
  assert.deepEqual(heard.of('connection.opened'), [{ ...about, request }])
  assert.deepEqual(heard.of('connection.closing'), [{ ...about, cause: 'client-close' }])
  assert.deepEqual(heard.of('connection.closed'), [{ ...about, close: await socket.closed }])
  assert.deepEqual(
    released.steps.map(({ name, overran }) => [name, overran]),
    [
      ['messages', false],
      ['onUnexpectedClose', false],
      ['onClose', false],
      ['release', false],
    ],
  )
  peer.destroy()
})

test('a connection that is reset tells that it is closing, too', async (t) => {
  const heard = hear(t, 'connection.closing', 'connection.closed')
  const { peer } = await connectOne(t)
  peer.reset()
  await heard.first('connection.closed')
  assert.deepEqual(heard.names, ['connection.closing', 'connection.closed'])
})

test('the steps of an end tell how long each took, and which was left behind', async (t) => {
  const clock = new FakeClock()
  const heard = hear(t, 'connection.released', 'step.overran')
  const running = gate()
  const { peer, socket } = await connectOne(t, {
    clock,
    route: {
      cleanupTimeout: 5_000,
      onMessage: () => {},
      onClose: async () => {
        running.open()
        await never
      },
    },
  })
  peer.reset()
  await running.opened
  await clock.advance(5_000)
  const { steps } = await heard.first('connection.released')
  assert.deepEqual(steps, [
    { name: 'messages', duration: 0, overran: false },
    { name: 'onUnexpectedClose', duration: 0, overran: false },
    { name: 'onClose', duration: 5_000, overran: true },
    { name: 'release', duration: 0, overran: false },
  ])
  assert.deepEqual(heard.names, ['step.overran', 'connection.released'])
  assert.deepEqual(heard.of('step.overran'), [{ id: socket.id, route: '/', step: 'onClose' }])
})

test('an upgrade that is refused tells why', async (t) => {
  const heard = hear(t, 'upgrade.refused', 'upgrade.lost')
  const app = await serve(t, {
    routes: (instance) => {
      instance.get('/full', { websocket: true, maxConnections: 1 }, () => {})
    },
  })
  const first = await RawPeer.open(portOf(app), '/full')
  const second = await RawPeer.dial(portOf(app), '/full')
  await second.answer()
  const third = await RawPeer.dial(portOf(app), '/nowhere')
  await third.answer()
  assert.deepEqual(
    heard.of('upgrade.refused').map(({ reason, route, request }) => [reason, route, request.url]),
    [
      ['limit', '/full', '/full'],
      ['route', undefined, '/nowhere'],
    ],
  )
  for (const peer of [first, second, third]) peer.destroy()
  assert.deepEqual(heard.of('upgrade.lost'), [])
})

test('an upgrade whose client goes before the answer is lost; one that a hook answers is not', async (t) => {
  const heard = hear(t, 'upgrade.lost')
  const waiting = gate()
  const app = await serve(t, {
    routes: (instance) => {
      instance.get('/slow', { websocket: true, preValidation: later(waiting) }, () => {})
      instance.get('/no', { websocket: true, preValidation: no }, () => {})
    },
  })
  const answered = await RawPeer.dial(portOf(app), '/no')
  await answered.answer()
  await answered.ended()
  const lost = await RawPeer.dial(portOf(app), '/slow')
  await waiting.opened
  lost.reset()
  const { route, request } = await heard.first('upgrade.lost')
  assert.deepEqual([route, request.url], ['/slow', '/slow'])
  assert.equal(heard.all.length, 1)
})

test('an upgrade is lost too if its client goes while ws or a hook still answers', async (t) => {
  const heard = hear(t, 'upgrade.lost')
  const asked = gate()
  const sending = gate()
  const app = await serve(t, {
    // It never answers.
    options: { websocket: { verifyClient: (_info, _answer) => asked.open() } },
    routes: (instance) => {
      instance.get('/verify', { websocket: true }, () => {})
      instance.get(
        '/hook',
        { websocket: true, preValidation: no, onSend: later(sending) },
        () => {},
      )
    },
  })
  const first = await RawPeer.dial(portOf(app), '/verify')
  await asked.opened
  first.reset()
  await heard.first('upgrade.lost')
  const second = await RawPeer.dial(portOf(app), '/hook')
  await sending.opened
  second.reset()
  await until(() => heard.all.length === 2)
  assert.deepEqual(
    heard.of('upgrade.lost').map(({ route }) => route),
    ['/verify', '/hook'],
  )
})

for (const [what, code, frames] of [
  ['breaks the protocol', 'protocol-error', [frame(7)]],
  ['sends too much', 'message-too-big', [frame(OPCODE.text, 'x'.repeat(2 ** 20 + 1))]],
] as const) {
  test(`a client that ${what} tells the same cause when the end begins and when it is over`, async (t) => {
    const heard = hear(t, 'connection.closing', 'connection.closed')
    const { peer, socket } = await connectOne(t)
    peer.send(...frames)
    await peer.nextOf(OPCODE.close)
    peer.destroy()
    await socket.closed
    assert.equal(heard.of('connection.closing')[0]?.cause, code)
    assert.equal(heard.of('connection.closed')[0]?.close.cause, code)
  })
}

test('reading that pauses and goes on tells who wanted it, and how long it took', async (t) => {
  const clock = new FakeClock()
  const heard = hear(t, 'reading.paused', 'reading.resumed')
  const busy = gate()
  const { peer, socket } = await connectOne(t, {
    clock,
    route: { inbox: { maxMessages: 1 }, onMessage: () => busy.opened },
  })
  const about = { id: socket.id, route: '/' }
  socket.pause()
  await clock.advance(700)
  socket.resume()
  assert.deepEqual(heard.all.splice(0), [
    { name: 'reading.paused', event: { ...about, by: 'app' } },
    { name: 'reading.resumed', event: { ...about, duration: 700 } },
  ])
  for (const text of ['1', '2', '3']) peer.send(frame(OPCODE.text, text))
  assert.deepEqual(await heard.first('reading.paused'), { ...about, by: 'inbox' })
  busy.open()
  assert.deepEqual(await heard.first('reading.resumed'), { ...about, duration: 0 })
  peer.destroy()
})

test('who pauses a socket that is closed is not told of', async (t) => {
  const { peer, socket } = await connectOne(t)
  peer.reset()
  await socket.closed
  const heard = hear(t, 'reading.paused', 'reading.resumed')
  socket.pause()
  socket.resume()
  assert.deepEqual(heard.names, [])
})

test('messages that are dropped tell how many, in which direction', async (t) => {
  const heard = hear(t, 'messages.dropped')
  const { peer, socket } = await connectOne(t, { route: { onMessage: () => {} } })
  socket.close(4000)
  peer.send(frame(OPCODE.text, 'too late'))
  const received = { id: socket.id, route: '/', count: 1, direction: 'received' }
  assert.deepEqual(await heard.first('messages.dropped'), received)
  peer.destroy()

  const outbox = { overflow: 'drop', highWaterMark: 10, maxBytes: 20 } as const
  const { url, sessions, noted } = await serveSessions(t, { route: { outbox } })
  const client = await LinkPeer.confirmed(url)
  client.cut()
  await noted('suspend')
  sessions[0]?.send('x'.repeat(20))
  sessions[0]?.send('y')
  const sent = { id: sessions[0]?.id, route: '/ws/:room', count: 1, direction: 'sent' }
  assert.deepEqual(heard.of('messages.dropped'), [received, sent])
})

test('a ping and its answer are told, with the latency', async (t) => {
  const heard = hear(t, 'peer.pinged', 'peer.ponged')
  const { peer, socket, clock } = await connectTimed(t)
  const ping = await nextWithin(clock, peer.nextOf(OPCODE.ping))
  const about = { id: socket.id, route: '/' }
  assert.deepEqual(heard.all, [{ name: 'peer.pinged', event: about }])
  await clock.advance(30)
  peer.send(frame(OPCODE.pong, ping.payload))
  const { latency } = await heard.first('peer.ponged')
  assert.deepEqual(heard.of('peer.ponged'), [{ ...about, latency: socket.latency }])
  assert.ok(latency >= 30 && latency <= 30 + TICK)
  peer.destroy()
})

const refuse = async ({ wsScope }: FastifyRequest): Promise<never> => {
  wsScope?.defer(() => {
    throw new Error('of the upgrade')
  })
  throw new Error('no')
}

test('callbacks that fail are told: of a connection, of an upgrade, and of a step that was left behind', async (t) => {
  const clock = new FakeClock()
  const heard = hear(t, 'callback.failed')
  const late = gate()
  const running = gate()
  const onClose = async (): Promise<never> => {
    running.open()
    await late.opened
    throw new Error('late')
  }
  const app = await serve(t, {
    clock,
    routes: (instance) => {
      instance.get('/no', { websocket: true, preValidation: refuse }, () => {})
      instance.get('/', { websocket: true, cleanupTimeout: 1_000, onClose }, () => {
        throw new Error('of the handler')
      })
    },
  })
  const refused = await RawPeer.dial(portOf(app), '/no')
  await heard.first('callback.failed')
  refused.destroy()
  const peer = await RawPeer.open(portOf(app))
  peer.destroy()
  await running.opened
  await clock.advance(1_000)
  late.open()
  await clock.advance(0)
  assert.deepEqual(
    heard.of('callback.failed').map(({ step, route, error }) => [step, route, error.message]),
    [
      ['release', '/no', 'of the upgrade'],
      ['handler', '/', 'of the handler'],
      ['onClose', '/', 'late'],
    ],
  )
})

test('a callback that fails tells no path: it may hold a secret', async (t) => {
  const heard = hear(t, 'callback.failed')
  const app = await serve(t, {
    before: (instance) => {
      instance.addHook('onRequest', async ({ wsScope }) => {
        wsScope?.defer(() => {
          throw new Error('of nobody')
        })
      })
    },
  })
  const peer = await RawPeer.dial(portOf(app), '/reset/secret?x=1')
  await peer.answer()
  peer.destroy()
  const { route, step } = await heard.first('callback.failed')
  assert.deepEqual([route, step], ['', 'release'])
})

test('a drain tells when it begins, and its report', async (t) => {
  const heard = hear(t, 'drain.begun', 'drain.ended')
  const { app, peer } = await connectOne(t)
  const draining = app.websocketLifecycle.drain()
  peer.destroy()
  const report = await draining
  assert.deepEqual(heard.all, [
    { name: 'drain.begun', event: { connections: 1 } },
    { name: 'drain.ended', event: { report } },
  ])
})

test('a listener that comes in the middle hears what begins after that', async (t) => {
  const { peer, socket } = await connectOne(t, { route: { onMessage: () => {} } })
  const heard = hear(t, 'connection.closed', 'connection.released')
  peer.reset()
  const { steps, id } = await heard.first('connection.released')
  assert.deepEqual([id, steps.length], [socket.id, 4])
})

test('a listener that comes after the transport is gone hears of no steps', async (t) => {
  const running = gate()
  const { peer } = await connectOne(t, { route: { onClose: () => running.open() } })
  peer.reset()
  await running.opened
  const heard = hear(t, 'connection.released')
  assert.deepEqual((await heard.first('connection.released')).steps, [])
})

test('the page of events has each event and each trace, and no other', async () => {
  const page = await readFile(new URL('../../docs/events.md', import.meta.url), 'utf8')
  const rows = [...page.matchAll(/^\| `([\w.-]+)` +\|/gm)].map(([, name]) => name)
  assert.deepEqual(rows, [...Object.keys(CHANNELS), ...Object.keys(TRACES)])
})
