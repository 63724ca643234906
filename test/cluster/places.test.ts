// Places of a key that are counted over all nodes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CloseInfo, LifecycleSocket } from '../../lib/index.js'
import { connect } from '../support/peers/connect.js'
import { untilEnd } from '../support/peers/heard.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { join, lostIn, NotingNode } from '../support/servers/cluster.js'
import { portOf, serve } from '../support/servers/server.js'
import { gate } from '../support/time/gate.js'
import { until } from '../support/time/timed.js'

async function servePlaces(t: Parameters<typeof serve>[0], ofPlugin = false) {
  const node = new NotingNode()
  const closes: CloseInfo[] = []
  const sockets: LifecycleSocket[] = []
  const perKey = {
    maxConnectionsPerKey: {
      max: 1,
      key: ({ headers }: { headers: Record<string, unknown> }) => headers['x-user']?.toString(),
      whenFull: 'replace',
      scope: 'cluster',
    },
  } as const
  const app = await serve(t, {
    options: ofPlugin ? perKey : {},
    routes: (instance) => {
      join(instance, node)
      const route = ofPlugin ? {} : perKey
      const noting = { websocket: true, ...route } as const
      instance.get(
        '/',
        { ...noting, onClose: (_socket, _request, close) => void closes.push(close) },
        (socket) => void sockets.push(socket),
      )
    },
  })
  const url = `ws://127.0.0.1:${portOf(app)}`
  return { app, closes, node, sockets, url }
}

const ANNA = { headers: { 'x-user': 'anna' } }

for (const [ofPlugin, of] of [
  [false, 'route /'],
  [true, 'the server'],
] as const) {
  test(`a place of ${of} is taken before the 101, and given back at the end`, async (t) => {
    const { closes, node, url } = await servePlaces(t, ofPlugin)
    const client = await connect(url, undefined, ANNA)
    assert.deepEqual(node.events, [`place ${of} anna 1`, 'placed'])
    void client.close()
    await until(() => closes.length === 1)
    assert.deepEqual(node.events.slice(2), ['given back'])
  })
}

test('who has no key takes none', async (t) => {
  const { node, url } = await servePlaces(t)
  await connect(url)
  assert.deepEqual(node.events, [])
})

test('a connection gives way to one on another node', async (t) => {
  const { closes, node, url } = await servePlaces(t)
  const client = await connect(url, undefined, ANNA)
  node.owners.at(-1)?.giveWay()
  assert.deepEqual(await untilEnd(client), ['close 4409 replaced'])
  await until(() => closes.length === 1)
  assert.equal(closes[0]?.cause, 'replaced')
})

test('so does an upgrade that still waits: it never opens', async (t) => {
  const { node, sockets, url } = await servePlaces(t)
  const { open, opened } = gate()
  node.known = () => opened
  const connecting = connect(url, undefined, ANNA)
  await until(() => node.owners.length === 1)
  node.owners[0]?.giveWay()
  assert.deepEqual(await untilEnd(await connecting), ['close 4409 replaced'])
  open()
  await until(() => node.events.includes('given back'))
  assert.equal(sockets.length, 0)
})

test('on the same node the older one gives way first', async (t) => {
  const { closes, node, url } = await servePlaces(t)
  const older = await connect(url, undefined, ANNA)
  await connect(url, undefined, ANNA)
  assert.equal((await older.closed).code, 4409)
  await until(() => closes.length === 1)
  const place = 'place route / anna 1'
  assert.deepEqual(node.events, [place, 'placed', 'given back', place, 'placed'])
})

test('a client that goes while its place is being taken leaves none', async (t) => {
  const { app, node } = await servePlaces(t)
  const { open, opened } = gate()
  node.known = () => opened
  const peer = await RawPeer.dial(portOf(app), '/', { 'x-user': 'anna' })
  await until(() => node.events.length === 1)
  const lost = lostIn(t, app)
  peer.destroy()
  await lost
  open()
  await until(() => node.events.includes('given back'))
  assert.ok(!node.events.includes('placed'))
})
