// A group's name is the key by which other nodes find its members: what they are told of groups.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LifecycleSocket } from '../../lib/index.js'
import { refusal } from '../support/peers/client.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { join, NotingNode } from '../support/servers/cluster.js'
import { portOf, serve } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'

async function serveGroups(t: Parameters<typeof serve>[0]) {
  const node = new NotingNode()
  const sockets: LifecycleSocket[] = []
  const app = await serve(t, {
    routes: (instance) => {
      join(instance, node)
      instance.get<{ Querystring: { in?: string | string[] } }>(
        '/',
        { websocket: true, groups: ({ query }) => query.in },
        (socket) => void sockets.push(socket),
      )
    },
  })
  const open = async (path: string): Promise<RawPeer> => {
    const before = sockets.length
    const peer = await RawPeer.open(portOf(app), path)
    await until(() => sockets.length > before)
    return peer
  }
  return { app, node, open, sockets }
}

test('others hear when a group gets its first member, and loses its last', async (t) => {
  const { app, node, open, sockets } = await serveGroups(t)
  const first = await open('/?in=a')
  const second = await open('/?in=a&in=b')
  assert.deepEqual(node.events, ['formed a', 'formed b'])
  app.websocketLifecycle.group('a').delete(sockets[0] as LifecycleSocket)
  app.websocketLifecycle.group('a').delete(sockets[1] as LifecycleSocket)
  app.websocketLifecycle.group('a').add(sockets[0] as LifecycleSocket)
  assert.deepEqual(node.events.slice(2), ['emptied a', 'formed a'])
  second.destroy()
  first.destroy()
  await until(() => node.events.length === 6)
  assert.deepEqual(node.events.slice(4).toSorted(), ['emptied a', 'emptied b'])
})

test('nobody joins a group that the others cannot know', async (t) => {
  const { app, node, open, sockets } = await serveGroups(t)
  await open('/?in=a')
  const [socket = assert.fail()] = sockets
  assert.throws(() => app.websocketLifecycle.group('').add(socket), RangeError)
  app.websocketLifecycle.group('b').add(socket)
  app.websocketLifecycle.group('b').add(socket)
  assert.throws(() => app.websocketLifecycle.group('c').add(socket), { message: 'c 3' })
  assert.deepEqual(socket.groups, ['a', 'b'])
  assert.deepEqual(node.events, ['formed a', 'formed b'])
})

test('an upgrade into such a group is refused', async (t) => {
  const { app, node } = await serveGroups(t)
  const url = `ws://127.0.0.1:${portOf(app)}`
  assert.equal((await refusal(`${url}/?in=`)).status, 500)
  assert.equal((await refusal(`${url}/?in=a&in=b&in=c`)).status, 500)
  assert.deepEqual(node.events, [])
  await RawPeer.open(portOf(app), '/?in=a&in=b&in=b')
})
