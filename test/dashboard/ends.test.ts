// The last ends, and their records.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EndAnswer, EndDetails, EndRow } from '../../lib/dashboard/protocol.js'
import { connect } from '../support/peers/connect.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { type Onlooker, serveDashboard } from '../support/servers/with-dashboard.js'
import { gate } from '../support/time/gate.js'
import { until } from '../support/time/timed.js'

/** Asks for the record of an end. */
async function recordOf(onlooker: Onlooker, id: string): Promise<EndDetails | null> {
  const answers = (): EndAnswer[] => onlooker.told.filter((each) => each.type === 'end')
  const before = answers().length
  await onlooker.order({ type: 'end', id })
  await until(() => answers().length > before)
  const answer = answers().at(-1)
  assert.equal(answer?.id, id)
  return answer.details
}

const endsOf = (onlooker: Onlooker): EndRow[] => onlooker.each('ends').flat()

test('an end is told of, with a record on demand', async (t) => {
  const { clock, look, port } = await serveDashboard(t)
  const onlooker = await look()
  await onlooker.tick()
  const openedAt = clock.wall()
  const headers = { 'user-agent': 'A', origin: `http://127.0.0.1:${port}` }
  const client = await connect(`ws://127.0.0.1:${port}`, '/', { headers })
  await clock.advance(1_100)
  client.send('hi')
  await client.next()
  await client.close(4321, '<script>')
  await onlooker.tick()
  const [row, ...others] = endsOf(onlooker)
  assert.deepEqual(others, [])
  const at = openedAt + 1_100
  const [, id = ''] = row ?? []
  assert.deepEqual(row, [at, id, '/', '127.0.0.1', 'client-close', 4321, '<script>', 1_100, false])
  const { steps, bytesReceived, bytesSent, ...details } = (await recordOf(onlooker, id)) ?? {}
  assert.deepEqual(details, {
    id,
    route: '/',
    address: '127.0.0.1',
    agent: 'A',
    at,
    openedAt,
    duration: 1_100,
    cause: 'client-close',
    code: 4321,
    reason: '<script>',
    initiator: 'client',
    clean: true,
    expected: false,
    retryable: false,
    sent: { code: 4321, reason: '<script>' },
    received: { code: 4321, reason: '<script>' },
    error: '',
    messagesReceived: 1,
    messagesSent: 1,
    latency: null,
    resumes: 0,
    unacknowledged: 0,
    history: [],
  })
  assert.ok(Number(bytesReceived) > 0 && Number(bytesSent) > 0)
  assert.deepEqual(
    steps?.map(({ name, overran }) => [name, overran]),
    [['messages', false]],
  )
  assert.equal(await recordOf(onlooker, 'unknown'), null)
  // A page that comes later gets it at once.
  const later = await look()
  await later.tick()
  assert.deepEqual(later.hellos[0]?.ends, [row])
  assert.deepEqual(endsOf(later), [])
})

test('a connection that was there for less than a look has an end, with its address', async (t) => {
  const { app, look, port } = await serveDashboard(t)
  const onlooker = await look()
  await onlooker.tick()
  const peer = await RawPeer.open(port)
  peer.socket.resetAndDestroy()
  await until(() => app.websocketLifecycle.connections.size === 0)
  await onlooker.tick()
  const [row] = endsOf(onlooker)
  assert.deepEqual([row?.[3], row?.[4]], ['127.0.0.1', 'connection-reset'])
  assert.equal(onlooker.each('rows').length, 1)
  assert.deepEqual(onlooker.each('gone'), [])
  const record = await recordOf(onlooker, row?.[1] ?? '')
  assert.match(record?.error ?? '', /^Error: read ECONNRESET$/)
})

test('the steps of an end are known when the last one is over', async (t) => {
  const busy = gate()
  const { app, look, port } = await serveDashboard(t, {
    routes: (instance) => {
      instance.get('/slow', { websocket: true, onClose: () => busy.opened }, (socket) => {
        socket.scope.defer(async () => Promise.reject(new Error('x')))
      })
    },
  })
  const client = await connect(`ws://127.0.0.1:${port}/slow`)
  const onlooker = await look()
  await onlooker.tick()
  await client.close(1000)
  await onlooker.tick(5)
  const [, id = ''] = endsOf(onlooker)[0] ?? []
  assert.equal((await recordOf(onlooker, id))?.steps, null)
  assert.equal(onlooker.rowsOf('/slow')[0]?.[5][0], 'ending')
  busy.open()
  await until(() => app.websocketLifecycle.connections.size === 0)
  const steps = (await recordOf(onlooker, id))?.steps?.map(({ name }) => name)
  assert.deepEqual(steps, ['onClose', 'release'])
  await onlooker.tick()
  assert.equal(onlooker.rowsOf('/slow').length, 0)
})

test('an error of the app is told by its name and its message, never by its stack', async (t) => {
  const { app, look, port } = await serveDashboard(t, {
    routes: (instance) => {
      instance.get('/fails', { websocket: true }, () => {
        throw new RangeError(`secret\n${'x'.repeat(5_000)}`)
      })
    },
  })
  const onlooker = await look()
  await onlooker.tick()
  const client = await connect(`ws://127.0.0.1:${port}/fails`)
  await client.closed
  await until(() => app.websocketLifecycle.connections.size === 0)
  await onlooker.tick()
  const [row] = endsOf(onlooker)
  assert.deepEqual([row?.[4], row?.[5]], ['handler-error', 1011])
  const record = await recordOf(onlooker, row?.[1] ?? '')
  assert.ok(record)
  assert.ok(record.error.startsWith('RangeError: secret\nxxx'))
  assert.ok(JSON.stringify(record.error).length <= 510)
  assert.doesNotMatch(record.error, /\bat .*\.ts/)
})

test('the last 500 are kept, and one update has no more', async (t) => {
  const busy = gate()
  const { app, look, port } = await serveDashboard(t, {
    routes: (instance) => {
      instance.get('/slow', { websocket: true, onClose: () => busy.opened }, () => {})
    },
  })
  const onlooker = await look()
  await onlooker.tick()
  // Its end is forgotten when its steps are over.
  const slow = await connect(`ws://127.0.0.1:${port}/slow`)
  await slow.close()
  for (let i = 0; i < 6; i++) {
    const peers = await Promise.all(Array.from({ length: 100 }, async () => RawPeer.open(port)))
    for (const peer of peers) peer.destroy()
    await until(() => app.websocketLifecycle.connections.size === 1)
  }
  busy.open()
  await until(() => app.websocketLifecycle.connections.size === 0)
  await onlooker.tick()
  const ends = endsOf(onlooker)
  assert.equal(ends.length, 500)
  const later = await look()
  await later.tick()
  assert.deepEqual(later.hellos[0]?.ends, ends)
  assert.equal((await recordOf(later, ends[0]?.[1] ?? ''))?.cause, 'connection-lost')
})
