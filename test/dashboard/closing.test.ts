// An operator closes a connection.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CloseAnswer } from '../../lib/dashboard/protocol.js'
import { connect } from '../support/peers/connect.js'
import { untilEnd } from '../support/peers/heard.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { logLines, type LogLine } from '../support/servers/log-lines.js'
import { type Onlooker, serveDashboard } from '../support/servers/with-dashboard.js'
import { gate } from '../support/time/gate.js'
import { until } from '../support/time/timed.js'

const LINE = 'an operator has closed a WebSocket connection'

const closesIn = (lines: readonly LogLine[]): LogLine[] => lines.filter(({ msg }) => msg === LINE)

/** Gives the order, and waits for the answer. */
async function close(
  onlooker: Onlooker,
  id: string,
  code = 4000,
  reason = 'go',
): Promise<CloseAnswer> {
  const answers = (): CloseAnswer[] => onlooker.told.filter((each) => each.type === 'closed')
  const before = answers().length
  await onlooker.order({ type: 'close', id, code, reason })
  await until(() => answers().length > before)
  return answers().at(-1) as CloseAnswer
}

test('the client gets the code and the reason, and the log says who it was', async (t) => {
  const { lines, fastify } = logLines()
  const { look, url } = await serveDashboard(t, { fastify })
  const client = await connect(url)
  const onlooker = await look()
  await onlooker.tick()
  const id = onlooker.rowsOf('/')[0]?.[0] ?? ''
  assert.deepEqual(await close(onlooker, id, 4001, 'bye ü'), { type: 'closed', id, refusal: '' })
  assert.deepEqual(await untilEnd(client), ['close 4001 bye ü'])
  await onlooker.tick()
  assert.deepEqual(onlooker.each('gone'), [[id]])
  const [line, ...others] = closesIn(lines)
  assert.deepEqual(others, [])
  const { level, route, code, reason, by, remoteAddress } = line ?? {}
  assert.deepEqual(
    { level, id: line?.['id'], route, code, reason, by, remoteAddress },
    {
      level: 30,
      id,
      route: '/',
      code: 4001,
      reason: 'bye ü',
      by: 'somebody',
      remoteAddress: '127.0.0.1',
    },
  )
  assert.deepEqual(await close(onlooker, id), { type: 'closed', id, refusal: 'it has ended' })
})

test('what cannot be sent is refused, and nothing is closed', async (t) => {
  const { lines, fastify } = logLines()
  const { app, look, url } = await serveDashboard(t, { fastify })
  const client = await connect(url)
  const onlooker = await look()
  await onlooker.tick()
  const id = onlooker.rowsOf('/')[0]?.[0] ?? ''
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, -4000]) {
    const { refusal } = await close(onlooker, id, code)
    assert.equal(refusal, 'no close frame may have this code', String(code))
  }
  for (const reason of ['x'.repeat(124), 'ü'.repeat(62), '\ud800']) {
    const { refusal } = await close(onlooker, id, 4000, reason)
    assert.equal(refusal, 'a reason has at most 123 bytes of UTF-8')
  }
  assert.equal((await close(onlooker, 'unknown')).refusal, 'it has ended')
  assert.equal(app.websocketLifecycle.connections.size, 1)
  assert.deepEqual(closesIn(lines), [])
  assert.equal((await close(onlooker, id, 1000, 'x'.repeat(123))).refusal, '')
  assert.deepEqual(await untilEnd(client), [`close 1000 ${'x'.repeat(123)}`])
})

test('one that is ending already is not closed again', async (t) => {
  const { look, port } = await serveDashboard(t)
  const peer = await RawPeer.open(port)
  const onlooker = await look()
  await onlooker.tick()
  const id = onlooker.rowsOf('/')[0]?.[0] ?? ''
  assert.equal((await close(onlooker, id)).refusal, '')
  // The peer does not answer.
  assert.equal((await close(onlooker, id)).refusal, 'it is ending already')
  await onlooker.order({ type: 'see', ids: [id] })
  await onlooker.tick()
  assert.equal(onlooker.rowsOf('/')[0]?.[5][0], 'ending')
  peer.destroy()
})

test('a session that is suspended is closed at once', async (t) => {
  const { app, look, port } = await serveDashboard(t, {
    routes: (instance) => {
      instance.get('/s', { websocket: true, resume: { key: () => 'k' } }, () => {})
    },
  })
  const peer = await LinkPeer.confirmed(`ws://127.0.0.1:${port}/s`)
  peer.cut()
  await until(() => app.websocketLifecycle.stats().sessions.suspended === 1)
  const onlooker = await look()
  await onlooker.tick()
  const id = onlooker.rowsOf('/s')[0]?.[0] ?? ''
  assert.equal((await close(onlooker, id)).refusal, '')
  await until(() => app.websocketLifecycle.sessions.size === 1)
  await onlooker.tick()
  assert.equal(onlooker.each('ends')[0]?.[0]?.[4], 'server-close')
})

const NOS: Readonly<Record<string, () => boolean>> = {
  'says no': () => false,
  throws: () => {
    throw new Error('no database')
  },
}

for (const [how, no] of Object.entries(NOS)) {
  test(`whoever may not do that any more does nothing, and sees nothing from then on: authorize ${how}`, async (t) => {
    const { lines, fastify } = logLines()
    let mayLook = true
    const { app, look, url } = await serveDashboard(t, {
      fastify,
      authorize: () => (mayLook ? true : no()),
    })
    const client = await connect(url)
    const onlooker = await look()
    await onlooker.tick()
    const id = onlooker.rowsOf('/')[0]?.[0] ?? ''
    mayLook = false
    const { refusal } = await close(onlooker, id)
    assert.equal(refusal, 'you may not do that')
    const { code, reason } = await onlooker.client.closed
    assert.deepEqual({ code, reason }, { code: 3000, reason: 'unauthorized' })
    assert.equal(app.websocketLifecycle.connections.size, 1)
    assert.deepEqual(closesIn(lines), [])
    client.drop()
  })
}

test('`authorize` is asked about the last request of the page, whose reply was sent long ago', async (t) => {
  const { lines, fastify } = logLines()
  const asked: Array<readonly [unknown, boolean]> = []
  const { app, clock, port, url } = await serveDashboard(t, {
    fastify,
    authorize: ({ headers }, reply) => {
      asked.push([headers['x-try'], reply.sent])
      // Nothing of it may reach the WebSocket.
      if (reply.sent) reply.header('x-late', '1').code(403).send('late')
      return 'me'
    },
  })
  const client = await connect(url)
  const live = `ws://127.0.0.1:${port}/admin/live`
  const page = await LinkPeer.confirmed(live, { headers: { 'x-try': '1' } })
  page.cut()
  await until(() => app.websocketLifecycle.stats().sessions.suspended === 1)
  const back = new LinkPeer(live, { headers: { 'x-try': '2' }, resume: page.resume(1, 0) })
  await back.expect('welcome')
  await clock.advance(250)
  const [socket] = app.websocketLifecycle.connections
  const id = socket?.id ?? ''
  back.send(JSON.stringify({ type: 'close', id, code: 4000, reason: '' }))
  await client.closed
  await back.roundTrip()
  assert.deepEqual(asked, [
    ['1', false],
    ['2', false],
    ['2', true],
  ])
  assert.equal(back.frames.at(-1), JSON.stringify({ type: 'closed', id, refusal: '' }))
  assert.equal(closesIn(lines)[0]?.['by'], 'me')
  back.ws.terminate()
})

test('an order that waits for `authorize` is carried out also if its page has gone meanwhile', async (t) => {
  const slow = gate()
  let isFirst = true
  const { app, look, url } = await serveDashboard(t, {
    authorize: async () => {
      if (isFirst) isFirst = false
      else await slow.opened
      return true
    },
  })
  const client = await connect(url)
  const onlooker = await look()
  await onlooker.tick()
  const id = onlooker.rowsOf('/')[0]?.[0] ?? ''
  await onlooker.order({ type: 'close', id, code: 4000, reason: '' })
  onlooker.client.drop()
  slow.open()
  assert.equal((await client.closed).code, 4000)
  await until(() => app.websocketLifecycle.sessions.size === 0)
})

test('the page of another operator is a connection like any other', async (t) => {
  const { app, look } = await serveDashboard(t)
  const [onlooker, other] = [await look(), await look()]
  await onlooker.tick()
  const [, session] = app.websocketLifecycle.sessions
  assert.equal((await close(onlooker, session?.id ?? '', 4000)).refusal, '')
  assert.equal((await other.client.closed).code, 4000)
})
