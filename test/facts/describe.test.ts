// `app.websocketLifecycle.describe()`: one connection, as a plain object.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { ConnectionSocket } from '../../lib/connection/socket.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { DIFFERS } from '../support/servers/second-pass.js'
import { connectOne, serve } from '../support/servers/server.js'
import { serveSessions } from '../support/servers/with-sessions.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { until } from '../support/time/timed.js'

const remoteAddress = '127.0.0.1'
const EMPTY = { inbox: { messages: 0, bytes: 0 }, outbox: { bytes: 0 } }

test(
  'a connection is described as it is: open, busy, ending, ended',
  { skip: DIFFERS.view },
  async (t) => {
    const clock = new FakeClock()
    const busy = gate()
    const { app, peer, socket } = await connectOne(t, {
      clock,
      route: { onMessage: () => busy.opened, inbox: { concurrency: 1 } },
    })
    const { websocketLifecycle: lifecycle } = app
    const openedAt = clock.wall()
    const about = {
      id: socket.id,
      route: '/',
      openedAt,
      remoteAddress,
      groups: [],
      session: undefined,
      history: undefined,
    }
    const quiet = { ...about, ...EMPTY, latency: undefined, lastReceivedAt: openedAt }
    assert.deepEqual(lifecycle.describe(socket), { ...quiet, state: 'open' })

    await clock.advance(5_000)
    for (const text of ['first', 'second', 'third']) peer.send(RawPeer.frame(OPCODE.text, text))
    await until(() => lifecycle.describe(socket).inbox.messages === 2)
    const { inbox, lastReceivedAt } = lifecycle.describe(socket)
    assert.ok(Number(lastReceivedAt) > openedAt && Number(lastReceivedAt) <= clock.wall())
    assert.deepEqual(inbox, { messages: 2, bytes: 'firstsecondthird'.length })
    peer.freeze()
    socket.send('x'.repeat(32 * 1024 * 1024))
    assert.equal(lifecycle.describe(socket).outbox.bytes, socket.bufferedAmount)
    assert.ok(socket.bufferedAmount > 0)

    socket.close(4000)
    assert.equal(lifecycle.describe(socket).state, 'ending')
    assert.equal(lifecycle.describe(socket).lastReceivedAt, undefined)
    busy.open()
    peer.destroy()
    await clock.advance(5_000)
    await socket.closed
    assert.equal(lifecycle.describe(socket).state, 'ended')
    assert.equal(JSON.parse(JSON.stringify(lifecycle.describe(socket))).id, socket.id)
  },
)

test(
  'a session is described over its connections: open, suspended, ending, ended',
  { skip: DIFFERS.view },
  async (t) => {
    const { app, clock, url, sessions, noted } = await serveSessions(t)
    const { websocketLifecycle: lifecycle } = app
    const openedAt = clock.wall()
    const first = await LinkPeer.confirmed(url)
    const [session] = sessions
    assert.ok(session)
    const about = {
      id: session.id,
      route: '/ws/:room',
      openedAt,
      remoteAddress,
      groups: [],
      latency: undefined,
      history: undefined,
    }
    const open = { ...about, ...EMPTY, state: 'open', session: { resumes: 0 } }
    assert.deepEqual(lifecycle.describe(session), { ...open, lastReceivedAt: openedAt })

    await clock.advance(3_000)
    session.send('12345')
    const { bytes } = lifecycle.describe(session).outbox
    assert.ok(bytes >= 5)
    first.cut()
    await noted('suspend')
    await clock.advance(2_000)
    const suspended = { at: 3_000, fact: 'suspended' } as const
    const away = { state: 'suspended', outbox: { bytes }, lastReceivedAt: openedAt } as const
    assert.deepEqual(lifecycle.describe(session), { ...open, ...away, history: [suspended] })

    const second = await LinkPeer.connect(url, { resume: first.resume(1, 1) })
    await second.roundTrip()
    const { lastReceivedAt, history, ...back } = lifecycle.describe(session)
    const { history: _none, ...described } = open
    assert.deepEqual(back, { ...described, session: { resumes: 1 } })
    assert.deepEqual(history, [suspended, { at: 5_000, fact: 'returned' }])
    assert.ok(Number(lastReceivedAt) > openedAt)
    session.close(4000)
    assert.equal(lifecycle.describe(session).state, 'ending')
    await session.closed
    const { history: whole, ...ended } = lifecycle.describe(session)
    assert.deepEqual(ended, {
      ...described,
      state: 'ended',
      session: { resumes: 1 },
      lastReceivedAt: undefined,
    })
    assert.equal(whole?.at(-1)?.fact, 'closing')
  },
)

test(
  'a connection is described with its history, where the route keeps one',
  { skip: DIFFERS.view },
  async (t) => {
    const clock = new FakeClock()
    const { app, peer, socket } = await connectOne(t, { clock, route: { history: true } })
    await clock.advance(7)
    socket.pause()
    assert.deepEqual(app.websocketLifecycle.describe(socket).history, [
      { at: 0, fact: 'opened' },
      { at: 7, fact: 'paused' },
    ])
    peer.destroy()
  },
)

test(
  'of a plain client on a route with sessions, what waits is what its socket holds',
  { skip: DIFFERS.view },
  async (t) => {
    const { app, url, sessions } = await serveSessions(t)
    const client = new WebSocket(url)
    await once(client, 'open')
    client.pause()
    const [session] = sessions
    assert.ok(session)
    session.send('x'.repeat(32 * 1024 * 1024))
    assert.ok(app.websocketLifecycle.describe(session).outbox.bytes > 0)
    client.terminate()
    await session.closed
    assert.equal(app.websocketLifecycle.describe(session).outbox.bytes, 0)
  },
)

test(
  'of a connection that only plain listeners hear, nothing waits to be handled',
  { skip: DIFFERS.view },
  async (t) => {
    const { app, peer, socket } = await connectOne(t)
    assert.deepEqual(app.websocketLifecycle.describe(socket).inbox, { messages: 0, bytes: 0 })
    peer.destroy()
  },
)

for (const [what, who] of [
  ['nothing', undefined],
  ['a socket of ws', new WebSocket(null as never, undefined, {})],
  ['a proxy of what is one', new Proxy(new ConnectionSocket(null, undefined, {}), {})],
  ['an id', 'e7ffe80'],
] as const) {
  test(`${what} is refused: it is no connection of ours`, async (t) => {
    const app = await serve(t, {})
    assert.throws(() => app.websocketLifecycle.describe(who as never), {
      code: 'FST_ERR_WSL_INVALID_OPTION',
      message: `Expected a LifecycleSocket or a LifecycleSession of this plugin, got ${typeof who}, in describe()`,
    })
  })
}
