// A drain has two phases for the whole server: what one connection still does may be for all others.
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { test, type TestContext } from 'node:test'
import type {
  DrainOptions,
  LifecycleSocket,
  RouteLifecycleOptions,
  WebsocketLifecycleOptions,
} from '../../lib/index.js'
import type { Peer } from '../../lib/testing/index.js'
import { connect } from '../support/peers/connect.js'
import { answered, assertSilent, untilEnd } from '../support/peers/heard.js'
import { within } from '../support/time/bound.js'
import { delivered } from '../support/time/delivered.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { gate, never } from '../support/time/gate.js'
import { serve } from '../support/servers/server.js'

/** A room: what one says in it, all hear. */
interface Room {
  readonly clock: FakeClock
  readonly members: LifecycleSocket[]
  readonly say: (text: string) => void
  readonly enter: () => Promise<Peer>
  readonly drain: (options?: DrainOptions) => Promise<unknown>
  readonly close: () => Promise<unknown>
  readonly dropped: () => number
}

async function openRoom(
  t: TestContext,
  route: (say: Room['say']) => RouteLifecycleOptions,
  options: WebsocketLifecycleOptions = {},
): Promise<Room> {
  const clock = new FakeClock()
  const members: LifecycleSocket[] = []
  const say = (text: string): void => {
    for (const member of members) member.send(text)
  }
  const app = await serve(t, {
    clock,
    options: { keepalive: false, ...options },
    routes: (app) => {
      app.get('/', { websocket: true, ...route(say) }, (socket) => void members.push(socket))
    },
  })
  const { websocketLifecycle } = app
  return {
    clock,
    members,
    say,
    enter: async () => connect(app),
    drain: async (options) =>
      heard(within(websocketLifecycle.drain(options), 'the end of the drain')),
    close: async () => heard(within(app.close(), 'app.close()')),
    dropped: () => websocketLifecycle.stats().dropped,
  }
}

/** Resolves when the clients have heard of it, too. */
async function heard(end: Promise<unknown>): Promise<void> {
  await end
  await delivered()
}

const GOODBYE = 'close 1012 service restart'

test('who is idle still hears what the message of another leads to, however long that takes', async (t) => {
  const work = gate()
  const room = await openRoom(t, (say) => ({
    onMessage: async () => {
      await work.opened
      say('the result')
    },
  }))
  const [idle, busy] = [await room.enter(), await room.enter()]
  busy.send('work')
  await answered(busy)
  const closing = room.close()
  await room.clock.advance(1_700)
  for (const client of [idle, busy]) await assertSilent(client)
  work.open()
  await closing
  for (const client of [idle, busy]) {
    assert.deepEqual(await untilEnd(client), ['the result', GOODBYE])
  }
})

test('who is idle hears the goodbyes of all others', async (t) => {
  const doors = [gate(), gate()]
  const room = await openRoom(t, (say) => ({
    onShutdown: async (socket) => {
      const place = room.members.indexOf(socket)
      await doors[place]?.opened
      say(`${place} leaves`)
    },
  }))
  const clients = [await room.enter(), await room.enter(), await room.enter()]
  const drained = room.drain()
  await delivered()
  doors[1]?.open()
  await delivered()
  doors[0]?.open()
  await drained
  for (const client of clients) {
    assert.deepEqual(await untilEnd(client), ['2 leaves', '1 leaves', '0 leaves', GOODBYE])
  }
})

test('who is idle hears what the last message of one that has left leads to', async (t) => {
  const work = gate()
  const room = await openRoom(t, (say) => ({
    onMessage: async () => {
      await work.opened
      say('the result')
    },
  }))
  const [idle, leaving] = [await room.enter(), await room.enter()]
  leaving.send('work')
  await leaving.close()
  const drained = room.drain()
  await delivered()
  work.open()
  await drained
  assert.deepEqual(await untilEnd(idle), ['the result', GOODBYE])
})

test('all wait no longer than the budget for one that hangs', async (t) => {
  const room = await openRoom(t, () => ({ onMessage: async () => never }), {
    closeTimeout: 1_000,
    drain: { timeout: 4_000 },
  })
  const [idle, hanging] = [await room.enter(), await room.enter()]
  hanging.send('for ever')
  await answered(hanging)
  const drained = room.drain()
  await room.clock.advance(2_499)
  for (const client of [idle, hanging]) await assertSilent(client)
  await room.clock.advance(1)
  for (const client of [idle, hanging]) assert.deepEqual(await untilEnd(client), [GOODBYE])
  await room.clock.advance(2_000)
  await drained
})

test('a message that has had its time is not waited for again when its turn comes', async (t) => {
  const room = await openRoom(t, () => ({ onMessage: async () => never }), {
    cleanupTimeout: 1_000,
  })
  const hanging = await room.enter()
  hanging.send('for ever')
  await answered(hanging)
  const drained = room.drain({ timeout: 60_000 })
  await room.clock.advance(1_000)
  assert.equal((await hanging.closed).code, 1012)
  await room.clock.advance(1_000)
  await drained
  assert.equal(room.clock.pending, 0)
})

test('what is being handled when its turn comes is finished, also late in the spread', async (t) => {
  const work = gate()
  const room = await openRoom(t, () => ({
    onMessage: async (socket, _request, message) => {
      await work.opened
      socket.send(message)
    },
  }))
  const [first, second] = [await room.enter(), await room.enter()]
  const drained = room.drain({ spread: 1_000, timeout: 20_000 })
  await room.clock.advance(500)
  assert.equal((await first.closed).code, 1012)
  second.send('one more')
  await answered(second)
  await room.clock.advance(600)
  await assertSilent(second)
  work.open()
  await drained
  assert.deepEqual(await untilEnd(second), ['one more', GOODBYE])
  assert.equal(room.dropped(), 0)
})

test('a talker that always has something in work keeps no other from its close', async (t) => {
  const room = await openRoom(t, () => ({
    onMessage: async (socket, _request, message) => {
      await turns(2)
      socket.send(message)
    },
  }))
  const [idle, talker] = [await room.enter(), await room.enter()]
  for (let i = 0; i < 3; i++) talker.send('and another thing')
  const talk = async (): Promise<void> => {
    for await (const message of talker) talker.send(message)
  }
  talker.send(await talker.next())
  await Promise.all([talk(), room.drain()])
  for (const client of [idle, talker]) assert.deepEqual(await untilEnd(client), [GOODBYE])
  assert.equal(room.clock.pending, 0)
})

test('all are closed in time where app.close() leaves less of it than a goodbye takes', async (t) => {
  const room = await openRoom(
    t,
    () => ({
      onShutdown: (socket) => (room.members[0] === socket ? never : undefined),
    }),
    { closeTimeout: 500, cleanupTimeout: 30_000, drain: { timeout: 2_000 } },
  )
  const clients = [await room.enter(), await room.enter()]
  const drained = room.drain({ timeout: 60_000, spread: 30_000 })
  await room.clock.advance(200)
  const closing = room.close()
  await room.clock.advance(999)
  for (const client of clients) await assertSilent(client)
  await room.clock.advance(1)
  for (const client of clients) assert.equal((await client.closed).code, 1012)
  await Promise.all([drained, closing])
  assert.equal(room.clock.pending, 0)
})

test('no turn of the loop begins more than 64 goodbyes, or closes', async (t) => {
  let goodbyes = 0
  const room = await openRoom(t, () => ({ onShutdown: async () => void goodbyes++ }))
  const clients = await Promise.all(Array.from({ length: 150 }, async () => room.enter()))
  const closes = (): number =>
    room.members.filter(({ readyState, OPEN }) => readyState !== OPEN).length
  const most = { goodbyes: 0, closes: 0 }
  const seen = { goodbyes: 0, closes: 0 }
  const drained = room.drain()
  while (seen.closes < clients.length) {
    const now = { goodbyes, closes: closes() }
    most.goodbyes = Math.max(most.goodbyes, now.goodbyes - seen.goodbyes)
    most.closes = Math.max(most.closes, now.closes - seen.closes)
    if (now.closes > 0) assert.equal(now.goodbyes, clients.length)
    Object.assign(seen, now)
    await turn()
  }
  await drained
  assert.ok(most.goodbyes <= 64 && most.closes <= 64, JSON.stringify(most))
})
