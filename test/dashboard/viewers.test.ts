// Who looks: several, those that do not keep up, and what is left when they have gone.
import assert from 'node:assert/strict'
import { channel } from 'node:diagnostics_channel'
import { test } from 'node:test'
import type { ToPage } from '../../lib/dashboard/protocol.js'
import { connect } from '../support/peers/connect.js'
import { refusal } from '../support/peers/client.js'
import { answered } from '../support/peers/heard.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { OPERATOR, serveDashboard, type WithDashboard } from '../support/servers/with-dashboard.js'
import { gate } from '../support/time/gate.js'
import { until } from '../support/time/timed.js'

/** Whether somebody listens to an event. */
function isHeard(name: string): boolean {
  return channel(`fastify-websocket-lifecycle:${name}`).hasSubscribers
}

const OF_PICTURE = ['connection.opened', 'connection.closed', 'connection.released', 'peer.ponged']

/** A page that speaks the link, and confirms only what it is told to. */
async function linkedPage({ port }: WithDashboard): Promise<LinkPeer> {
  return LinkPeer.confirmed(`ws://127.0.0.1:${port}/admin/live`, { headers: OPERATOR })
}

const typesIn = ({ frames }: LinkPeer): string[] =>
  frames.filter((each) => each.startsWith('{')).map((each) => (JSON.parse(each) as ToPage).type)

test('two pages are told the same, and each only what it has not got', async (t) => {
  const { look, port } = await serveDashboard(t)
  const first = await look()
  await first.tick(6)
  const second = await look()
  const peer = await RawPeer.open(port)
  await first.tick(4)
  assert.equal(second.hellos.length, 1)
  assert.deepEqual(second.hellos[0]?.seconds, first.each('second').slice(0, 1))
  assert.deepEqual(second.each('second'), first.each('second').slice(1))
  assert.deepEqual(second.rows, first.rows)
  assert.equal(second.rows.size, 3)
  await first.client.close()
  peer.destroy()
  await second.tick(4)
  assert.equal(second.rowsOf('/').length, 0)
})

test('a page that comes to many connections gets them bit by bit, and meanwhile what changes', async (t) => {
  const { look, port } = await serveDashboard(t)
  const peers: RawPeer[] = []
  const openSome = async (count: number): Promise<void> => {
    const opening = Array.from({ length: count }, async () => RawPeer.open(port))
    peers.push(...(await Promise.all(opening)))
  }
  for (let i = 0; i < 7; i++) await openSome(100)
  const first = await look()
  await first.tick()
  const second = await look()
  await second.tick()
  const [row] = second.updates[0]?.rows ?? []
  await openSome(1)
  await second.order({ type: 'look', id: row?.[0] ?? '' })
  await second.tick()
  await second.tick()
  assert.deepEqual(second.rows, first.rows)
  assert.equal(second.rows.size, 703)
  assert.ok(second.each('live').length > 0)
  assert.ok((second.updates[0]?.rows?.length ?? 0) <= 500)
  assert.equal(second.each('coming').at(-1), 0)
  // The same where nothing changes meanwhile.
  const third = await look()
  await third.tick(3)
  assert.equal(third.rows.size, 704)
  for (const peer of peers) peer.destroy()
})

test('while nobody looks there is nothing but an ear for rare reports', async (t) => {
  const { app, clock, look, port } = await serveDashboard(t)
  const peer = await RawPeer.open(port)
  assert.ok(!OF_PICTURE.some(isHeard))
  assert.ok(!clock.periods.includes(250))
  const [first, second] = [await look(), await look()]
  await first.tick(5)
  assert.ok(OF_PICTURE.every(isHeard))
  assert.equal(clock.periods.filter((each) => each === 250).length, 1)
  first.client.drop()
  await until(() => app.websocketLifecycle.sessions.size === 1)
  assert.ok(OF_PICTURE.every(isHeard))
  void second.client.close()
  await until(() => app.websocketLifecycle.sessions.size === 0)
  assert.ok(!OF_PICTURE.some(isHeard))
  assert.ok(!clock.periods.includes(250))
  assert.ok(isHeard('loop.stalled'))
  // Who comes next begins anew.
  const third = await look()
  await third.tick()
  assert.deepEqual(third.hellos[0]?.seconds, [])
  assert.equal(third.rows.size, 2)
  peer.destroy()
  await app.close()
  for (const name of [...OF_PICTURE, 'loop.stalled', 'diagnosis.storm']) assert.ok(!isHeard(name))
})

test('a page that confirms nothing is sent no more than it may keep waiting, and later everything anew', async (t) => {
  const served = await serveDashboard(t)
  const { app, clock, port } = served
  const peers: RawPeer[] = []
  for (let i = 0; i < 400; i++) peers.push(await RawPeer.open(port))
  const page = await linkedPage(served)
  const [session] = app.websocketLifecycle.sessions
  assert.ok(session)
  const waiting = (): number => app.websocketLifecycle.describe(session).outbox.bytes
  let most = 0
  for (let i = 0; i < 60; i++) {
    const group = app.websocketLifecycle.group(String(i).padEnd(190, '.'))
    for (const socket of app.websocketLifecycle.connections) {
      for (const name of socket.groups) app.websocketLifecycle.group(name).delete(socket)
      group.add(socket)
    }
    await clock.advance(250)
    most = Math.max(most, waiting())
  }
  assert.ok(most > 512 * 1024 && most < 600 * 1024, `${most} bytes`)
  const before = typesIn(page)
  assert.equal(before.filter((type) => type === 'hello').length, 1)
  assert.ok(before.length < 40, `${before.length} messages`)
  page.ack(before.length)
  await page.roundTrip()
  await clock.advance(500)
  assert.equal(typesIn(page)[before.length], 'hello')
  assert.equal(app.websocketLifecycle.sessions.size, 1)
  page.ws.terminate()
  for (const peer of peers) peer.destroy()
})

test('a page that was away gets everything anew, in its own session', async (t) => {
  const served = await serveDashboard(t)
  const { app, clock, port } = served
  const page = await linkedPage(served)
  await clock.advance(500)
  page.cut()
  await until(() => app.websocketLifecycle.stats().sessions.suspended === 1)
  await clock.advance(1_000)
  const received = typesIn(page).length
  const back = new LinkPeer(`ws://127.0.0.1:${port}/admin/live`, {
    headers: OPERATOR,
    resume: page.resume(1, received),
  })
  await back.expect('welcome')
  await clock.advance(250)
  assert.deepEqual(typesIn(back), ['hello', 'update'])
  // It goes for good: the server waits for it only for a while.
  back.cut()
  await until(() => app.websocketLifecycle.stats().sessions.suspended === 1)
  await clock.advance(12_000)
  assert.equal(app.websocketLifecycle.sessions.size, 0)
  assert.ok(!isHeard('connection.opened'))
})

test('only who has begun a session goes on with it', async (t) => {
  const { app, clock, port } = await serveDashboard(t, {
    authorize: ({ headers }) => String(headers['x-user']),
  })
  const url = `ws://127.0.0.1:${port}/admin/live`
  const page = await LinkPeer.confirmed(url, { headers: { 'x-user': 'a' } })
  page.cut()
  await until(() => app.websocketLifecycle.stats().sessions.suspended === 1)
  const other = new LinkPeer(url, { headers: { 'x-user': 'b' }, resume: page.resume(1, 0) })
  await other.expect('welcome')
  assert.equal(app.websocketLifecycle.stats().sessions.resumed, 0)
  assert.equal(app.websocketLifecycle.sessions.size, 2)
  await clock.advance(250)
  other.ws.terminate()
})

test('there are places for many, and strangers take none', async (t) => {
  const { app, port, look } = await serveDashboard(t)
  for (let i = 0; i < 100; i++) await look()
  const url = `ws://127.0.0.1:${port}/admin/live`
  assert.equal((await refusal(url)).status, 401)
  assert.equal((await refusal(url, { headers: OPERATOR })).status, 429)
  assert.equal(app.websocketLifecycle.sessions.size, 100)
})

test('what the app sets for all routes does not hold for the page', async (t) => {
  const { app, look } = await serveDashboard(t, {
    options: {
      allowedOrigins: ['https://other.example'],
      expiresAt: () => {
        throw new Error('no token')
      },
      groups: () => 'everybody',
      maxConnectionsPerKey: { max: 0 },
      messageRate: { max: 1, window: 60_000 },
      inbox: { maxMessages: 1 },
      idleTimeout: 100,
      maxLifetime: 100,
    },
  })
  const onlooker = await look()
  for (let i = 0; i < 5; i++) await onlooker.order({ type: 'see', ids: [] })
  await onlooker.tick(40)
  assert.equal(onlooker.hellos.length, 1)
  assert.deepEqual(onlooker.rowsOf('/admin/live')[0]?.[5].at(-1), '')
  assert.equal(app.websocketLifecycle.groups.size, 0)
})

test('the page comes back after an hour at most, and is asked again who it is', async (t) => {
  const { look } = await serveDashboard(t)
  const onlooker = await look()
  await onlooker.tick(4 * 60 * 54)
  await answered(onlooker.client)
  const { closed } = onlooker.client
  await onlooker.tick(4 * 60 * 7).catch(() => {})
  assert.equal((await closed).code, 1001)
})

test('each server of a process has a picture of its own', async (t) => {
  const [one, other] = [await serveDashboard(t), await serveDashboard(t)]
  const [first, second] = [await one.look(), await other.look()]
  const client = await connect(one.url)
  await first.tick(4)
  await second.tick(4)
  assert.deepEqual([first.rowsOf('/').length, second.rowsOf('/').length], [1, 0])
  assert.deepEqual([first.each('second')[0]?.opened, second.each('second')[0]?.opened], [1, 0])
  client.drop()
})

test('a drain is told of, and ends pages like all others', async (t) => {
  const goodbye = gate()
  const { app, look, port } = await serveDashboard(t, {
    routes: (instance) => {
      instance.get('/slow', { websocket: true, onShutdown: () => goodbye.opened }, () => {})
    },
  })
  const client = await connect(`ws://127.0.0.1:${port}/slow`)
  const onlooker = await look()
  await onlooker.tick()
  const closing = app.close()
  await onlooker.tick(2)
  assert.deepEqual(onlooker.each('draining'), [true])
  goodbye.open()
  assert.equal((await onlooker.client.closed).code, 1012)
  await client.closed
  await closing
})
