// A tool that has patched a raw stream, and throws: the error is the process's, and nobody else pays for it.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { LifecycleSocket } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { delivered } from '../support/time/delivered.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { rawOf } from '../support/servers/outbox.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, portOf, serve, serveOne } from '../support/servers/server.js'
import { DIFFERS_OVER_TLS } from '../support/servers/tls-pass.js'
import { until } from '../support/time/timed.js'
import { surviveUncaught } from '../support/time/uncaught.js'

const error = new Error('of a tool')

/** A method of a stream throws from now on, so many times. */
function patch(stream: object, method: string, times = Infinity): void {
  const original = Reflect.get(stream, method) as (...args: unknown[]) => unknown
  let left = times
  Reflect.set(stream, method, function (this: unknown, ...args: unknown[]): unknown {
    if (left-- > 0) throw error
    return original.apply(this, args)
  })
}

interface Two {
  readonly sockets: readonly [LifecycleSocket, LifecycleSocket]
  readonly peers: readonly [RawPeer, RawPeer]
}

/** Two connections, of which the first one's stream is patched. */
async function connectTwo(t: TestContext): Promise<Two> {
  const { port, nextSocket } = await serveOne(t)
  const peers = [await RawPeer.open(port), await RawPeer.open(port)] as const
  const sockets = [await nextSocket(), await nextSocket()] as const
  return { sockets, peers }
}

async function texts(peer: RawPeer, count: number): Promise<string[]> {
  const taken: string[] = []
  for (let i = 0; i < count; i++) taken.push(String((await peer.next())?.payload))
  return taken
}

for (const method of ['write', 'uncork']) {
  test(
    `a burst whose ${method} throws leaves those of others alone, and no cork`,
    { skip: method === 'write' && DIFFERS_OVER_TLS.told },
    async (t) => {
      const uncaught = surviveUncaught(t)
      const { sockets, peers } = await connectTwo(t)
      const [patched, other] = sockets
      await delivered()
      for (const socket of sockets) for (const text of ['1', '2']) socket.send(text)
      patched.send('3')
      patch(rawOf(patched), method, 1)
      await delivered()
      assert.deepEqual(uncaught, [error])
      assert.deepEqual(await texts(peers[1], 2), ['1', '2'])
      for (const text of ['4', '5']) for (const socket of sockets) socket.send(text)
      assert.deepEqual(await texts(peers[1], 2), ['4', '5'])
      assert.equal(rawOf(other).writableCorked, 0)
      if (method === 'write') assert.equal(rawOf(patched).writableCorked, 0)
    },
  )
}

test(
  'a send that needs the room of another one does not throw what that stream throws',
  { skip: DIFFERS_OVER_TLS.told },
  async (t) => {
    const uncaught = surviveUncaught(t)
    const { sockets, peers } = await connectTwo(t)
    const [patched, other] = sockets
    await delivered()
    for (const text of ['1', '2']) patched.send(text)
    patch(rawOf(patched), 'write', 1)
    for (const text of ['1', '2']) other.send(text)
    assert.deepEqual(await texts(peers[1], 2), ['1', '2'])
    assert.deepEqual(uncaught, [error])
  },
)

const doors = {
  write: (socket: LifecycleSocket) => socket.close(4000),
  destroy: (socket: LifecycleSocket) => socket.terminate(),
} as const

for (const [method, end] of Object.entries(doors)) {
  test(`a connection whose ${method} throws at its end is over after closeTimeout`, async (t) => {
    const clock = new FakeClock()
    const { socket, events } = await connectOne(t, { clock, route: { closeTimeout: 1_000 } })
    patch(rawOf(socket), method, 1)
    assert.throws(() => end(socket), error)
    await clock.advance(1_100)
    await within(socket.closed, 'the end')
    assert.deepEqual(events, ['abort', 'close', 'release'])
  })
}

test('a drain cuts all at its deadline, also where the stream of one throws', async (t) => {
  surviveUncaught(t)
  const clock = new FakeClock()
  const { app, port, nextSocket } = await serveOne(t, { clock })
  const peers = [await RawPeer.open(port), await RawPeer.open(port)]
  const sockets = [await nextSocket(), await nextSocket()]
  for (const socket of sockets) patch(rawOf(socket), 'destroy', 1)
  const draining = app.websocketLifecycle.drain({ timeout: 1_000 })
  await clock.advance(10_000)
  const { terminated } = await within(draining, 'the drain')
  assert.equal(terminated, 2)
  for (const peer of peers) await peer.ended()
})

test('a drain refuses all upgrades, also where the stream of one throws', async (t) => {
  const uncaught = surviveUncaught(t)
  const clock = new FakeClock()
  const door = gate()
  let entered = 0
  const app = await serve(t, {
    clock,
    routes: (app) => {
      app.get(
        '/',
        {
          websocket: true,
          preHandler: async (request) => {
            if (entered++ === 0) patch(request.raw.socket, 'write', 1)
            await door.opened
          },
        },
        () => {},
      )
    },
  })
  const peers = [await RawPeer.dial(portOf(app)), await RawPeer.dial(portOf(app))] as const
  await until(() => entered === 2)
  const draining = app.websocketLifecycle.drain({ timeout: 1_000 })
  assert.match(await peers[1].answer(), /^HTTP\/1\.1 503 /)
  await clock.advance(10_000)
  await within(draining, 'the drain')
  assert.deepEqual(uncaught, [error])
  await peers[0].ended()
})
