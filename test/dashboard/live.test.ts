// What a page is told of a real server.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from '../support/peers/connect.js'
import { answered } from '../support/peers/heard.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { serveDashboard } from '../support/servers/with-dashboard.js'
import { gate } from '../support/time/gate.js'
import { until } from '../support/time/timed.js'

test('a page that comes gets what there is, and then what changes', async (t) => {
  const { app, clock, port, look } = await serveDashboard(t)
  const startedAt = clock.wall()
  const before = await RawPeer.open(port, '/', { 'user-agent': '<b onclick="x">' })
  const onlooker = await look()
  assert.deepEqual(onlooker.told, [])
  const [hello, update] = await onlooker.tick()
  assert.deepEqual(hello, {
    type: 'hello',
    startedAt,
    at: startedAt + 250,
    node: null,
    mostRows: 10_000,
    mostEnds: 500,
    seconds: [],
    ends: [],
    reports: [],
  })
  assert.ok(update?.type === 'update')
  const { type, at, rows, routes, ...others } = update
  assert.deepEqual([type, at, others], ['update', startedAt + 250, { coming: 0, hidden: 0 }])
  assert.equal(rows?.length, 2)
  const [socket] = app.websocketLifecycle.connections
  assert.deepEqual(onlooker.rowsOf('/'), [
    [
      socket?.id,
      '/',
      '127.0.0.1',
      '<b onclick="x">',
      startedAt,
      ['open', startedAt, null, 0, 0, 0, ''],
    ],
  ])
  assert.equal(onlooker.rowsOf('/admin/live')[0]?.[2], '127.0.0.1')
  assert.deepEqual(
    routes?.map(({ route, open, opened }) => [route, open, opened]),
    [
      ['/', 1, 1],
      ['/admin/live', 1, 1],
    ],
  )

  const later = await connect(`ws://127.0.0.1:${port}/`)
  await onlooker.tick()
  assert.equal(onlooker.rowsOf('/').length, 2)
  before.destroy()
  await until(() => app.websocketLifecycle.connections.size === 1)
  await onlooker.tick()
  assert.equal(onlooker.rowsOf('/').length, 1)
  later.drop()
})

test('nothing is told where nothing has changed, but each second', async (t) => {
  const { look, url } = await serveDashboard(t)
  const client = await connect(url)
  const onlooker = await look()
  await onlooker.tick(8)
  const { length } = onlooker.told
  const later = await onlooker.tick(40)
  assert.ok(length > 0)
  assert.equal(later.length, 10)
  assert.ok(later.every((each) => each.type === 'update' && each.second !== undefined))
  client.drop()
})

test('each second tells what has opened, ended and been refused', async (t) => {
  const { app, clock, look, port } = await serveDashboard(t)
  const onlooker = await look()
  await onlooker.tick(5)
  const [first] = onlooker.each('second')
  assert.deepEqual(first, {
    at: clock.wall() - 250,
    open: 1,
    opened: 0,
    ended: {},
    refused: {},
    latency: null,
    inbox: 0,
    outbox: 0,
    stalled: 0,
  })
  const peers = [await RawPeer.open(port), await RawPeer.open(port)]
  const evil = await RawPeer.dial(port, '/', { origin: 'https://evil.example' })
  await until(() => app.websocketLifecycle.stats().refused.origin === 1)
  await onlooker.tick(4)
  const { at: _at, ...second } = onlooker.each('second')[1] ?? {}
  assert.deepEqual(second, {
    open: 3,
    opened: 2,
    ended: {},
    refused: { origin: 1 },
    latency: null,
    inbox: 0,
    outbox: 0,
    stalled: 0,
  })
  for (const peer of [...peers, evil]) peer.destroy()
  await until(() => app.websocketLifecycle.connections.size === 0)
  await onlooker.tick(4)
  const last = onlooker.each('second').at(-1)
  assert.deepEqual([last?.open, last?.opened, last?.ended], [1, 0, { 'connection-lost': 2 }])
  const routes = onlooker.each('routes').at(-1)
  assert.deepEqual(routes?.[0], {
    route: '/',
    open: 0,
    opened: 2,
    ended: { 'connection-lost': 2 },
    refused: { origin: 1 },
  })
  // They are told only if they have changed.
  const { length } = onlooker.each('routes')
  await onlooker.tick(8)
  assert.equal(onlooker.each('routes').length, length)
})

test('the second tells the latency, what waits, and how long the loop stood still', async (t) => {
  const busy = gate()
  const { app, clock, look, port } = await serveDashboard(t, {
    routes: (instance) => {
      const keepalive = { interval: 500, timeout: 400 }
      instance.get('/slow', { websocket: true, keepalive, onMessage: () => busy.opened }, () => {})
    },
  })
  const client = await connect(`ws://127.0.0.1:${port}/slow`)
  const onlooker = await look()
  for (const text of ['1', '2', '3']) client.send(text)
  await answered(client)
  await onlooker.tick(9)
  const seconds = onlooker.each('second')
  assert.deepEqual(seconds.at(-1)?.inbox, 2)
  assert.deepEqual(seconds.at(-1)?.latency, [0, 0])
  assert.equal(onlooker.rowsOf('/slow')[0]?.[5][3], 2)
  busy.open()
  clock.stall(700)
  await onlooker.tick(8)
  assert.ok(onlooker.each('second').some(({ stalled }) => stalled >= 600))
  assert.equal(app.websocketLifecycle.connections.size, 1)
  client.drop()
})

test('a page gets the details of the connection that it looks at, at once and each second', async (t) => {
  const { app, look, port } = await serveDashboard(t, {
    routes: (instance) => {
      const handleProtocols = { history: true, groups: () => ['user:7', 'room'] }
      instance.get('/chat', { websocket: true, ...handleProtocols }, () => {})
    },
  })
  const headers = { origin: `http://127.0.0.1:${port}`, 'user-agent': 'A' }
  const client = await connect(app, '/chat', { headers })
  const onlooker = await look()
  await onlooker.tick()
  const [row] = onlooker.rowsOf('/chat')
  assert.equal(row?.[5][6], 'user:7, room')
  await onlooker.order({ type: 'look', id: row?.[0] ?? '' })
  await onlooker.tick()
  const [live] = onlooker.each('live')
  const [socket] = app.websocketLifecycle.connections
  assert.ok(socket)
  const { openedAt, lastReceivedAt } = app.websocketLifecycle.describe(socket)
  assert.deepEqual(live, {
    id: socket.id,
    route: '/chat',
    state: 'open',
    address: '127.0.0.1',
    agent: 'A',
    origin: headers.origin,
    protocol: '',
    openedAt,
    heardAt: lastReceivedAt,
    latency: null,
    inbox: { messages: 0, bytes: 0 },
    outbox: { bytes: 0 },
    groups: ['user:7', 'room'],
    resumes: null,
    history: [{ at: 0, fact: 'opened' }],
  })
  await onlooker.tick(8)
  assert.equal(onlooker.each('live').length, 3)
  // It goes, and then there is nothing to look at.
  client.drop()
  await until(() => app.websocketLifecycle.connections.size === 0)
  await onlooker.tick(8)
  assert.equal(onlooker.each('live').length, 3)
  await onlooker.order({ type: 'look', id: null })
  await onlooker.tick(4)
  assert.equal(onlooker.each('live').length, 3)
})

test('rows that a page sees are looked at each time', async (t) => {
  const { look, url } = await serveDashboard(t)
  const client = await connect(url)
  const onlooker = await look()
  await onlooker.tick()
  const [row] = onlooker.rowsOf('/')
  await onlooker.order({ type: 'see', ids: [row?.[0] ?? ''] })
  await onlooker.tick(5)
  client.send('x')
  await answered(client)
  await onlooker.tick()
  const heardAt = onlooker.rowsOf('/')[0]?.[5][1] ?? 0
  assert.ok(heardAt > (row?.[5][1] ?? Infinity))
  client.drop()
})

test('a session is told of with its client: suspended, and back', async (t) => {
  const { app, look, port } = await serveDashboard(t, {
    routes: (instance) => {
      instance.get('/s', { websocket: true, resume: { key: () => 'k' } }, () => {})
    },
  })
  const peer = await LinkPeer.confirmed(`ws://127.0.0.1:${port}/s`)
  const onlooker = await look()
  await onlooker.tick()
  assert.equal(onlooker.rowsOf('/s')[0]?.[5][0], 'open')
  peer.cut()
  await until(() => app.websocketLifecycle.stats().sessions.suspended === 1)
  await onlooker.tick(4)
  assert.equal(onlooker.rowsOf('/s')[0]?.[5][0], 'suspended')
  const back = new LinkPeer(`ws://127.0.0.1:${port}/s`, { resume: peer.resume(1, 0) })
  await back.expect('welcome')
  await onlooker.tick(4)
  const now = onlooker.rowsOf('/s')[0]?.[5]
  assert.deepEqual([now?.[0], now?.[5]], ['open', 1])
  back.ws.terminate()
})
