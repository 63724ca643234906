// Who is in a group, and until when.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import type { LifecycleSocket } from '../../lib/index.js'
import { createPlugin } from '../../lib/plugin/plugin.js'
import { refusal } from '../support/peers/client.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { serveCrowd, texts } from '../support/servers/crowd.js'
import { connectOne, endWith, portOf, serveOne } from '../support/servers/server.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { within } from '../support/time/bound.js'

const { closeFrame } = RawPeer
const groupsAreOf = (socket: LifecycleSocket, names: string[]): void =>
  assert.deepEqual(socket.groups, names)

test('a group has its members in the order in which they came; each knows its groups', async (t) => {
  const { app, nextSocket, port } = await serveOne(t)
  const room = app.websocketLifecycle.group('room:7')
  assert.deepEqual([room.name, room.size, [...room]], ['room:7', 0, []])
  assert.equal(app.websocketLifecycle.groups.size, 0)
  await RawPeer.open(port)
  const first = await nextSocket()
  await RawPeer.open(port)
  const second = await nextSocket()
  assert.equal(room.add(first), true)
  assert.equal(room.add(second), true)
  assert.equal(room.add(first), true)
  app.websocketLifecycle.group('vip').add(second)
  assert.deepEqual([room.size, [...room]], [2, [first, second]])
  assert.deepEqual([room.has(first), app.websocketLifecycle.group('vip').has(first)], [true, false])
  groupsAreOf(second, ['room:7', 'vip'])
  assert.deepEqual(app.websocketLifecycle.describe(second).groups, ['room:7', 'vip'])
  assert.deepEqual([...app.websocketLifecycle.groups.keys()], ['room:7', 'vip'])
  assert.equal(app.websocketLifecycle.groups.get('room:7')?.size, 2)
  assert.equal(room.delete(first), true)
  assert.equal(room.delete(first), false)
  groupsAreOf(first, [])
  assert.equal(room.delete(second), true)
  assert.deepEqual([...app.websocketLifecycle.groups.keys()], ['vip'])
})

test('all handles of a name are of one group, also those from before it was empty', async (t) => {
  const { app, peer, socket } = await connectOne(t)
  const old = app.websocketLifecycle.group('a')
  const other = app.websocketLifecycle.group('a')
  other.add(socket)
  assert.deepEqual([old.size, old.has(socket), [...old]], [1, true, [socket]])
  assert.equal(app.websocketLifecycle.group('a').delete(socket), true)
  old.add(socket)
  assert.deepEqual(other.send('hi'), { sent: 1, dropped: 0 })
  assert.deepEqual(await texts(peer, 1), ['hi'])
})

test('members may come and go while somebody goes through them', async (t) => {
  const { group, open, sockets } = await serveCrowd(t, 3)
  const seen: unknown[] = []
  for (const member of group) {
    seen.push(member)
    group.delete(member)
    if (seen.length === 1) {
      await open()
      group.delete(sockets[1] as LifecycleSocket)
    }
  }
  assert.deepEqual(seen, [sockets[0], sockets[2], sockets[3]])
  assert.equal(group.size, 0)
})

const ENDS: Readonly<Record<string, (peer: RawPeer, socket: LifecycleSocket) => void>> = {
  'the peer closes': (peer) => peer.send(closeFrame(1000)),
  'the peer is lost': (peer) => peer.destroy(),
  'the peer resets': (peer) => peer.socket.resetAndDestroy(),
  'the peer breaks the protocol': (peer) => peer.send(Buffer.from([0xff, 0xff])),
  'close()': (_peer, socket) => socket.close(),
  'terminate()': (_peer, socket) => socket.terminate(),
  'a callback fails': (_peer, socket) => {
    socket.on('pong', () => {
      throw new Error('failed')
    })
    socket.emit('pong', Buffer.alloc(0))
  },
}

for (const [end, act] of Object.entries(ENDS)) {
  test(`membership ends before onClose: ${end}`, async (t) => {
    const seen: unknown[] = []
    const { app, peer, socket } = await connectOne(t, {
      route: {
        groups: () => ['a', 'b'],
        onClose: (gone) => {
          seen.push(gone.groups, app.websocketLifecycle.groups.size)
        },
      },
    })
    groupsAreOf(socket, ['a', 'b'])
    act(peer, socket)
    await within(socket.closed, 'the end')
    assert.deepEqual(seen, [[], 0])
    assert.equal(app.websocketLifecycle.group('a').add(socket), false)
    assert.equal(app.websocketLifecycle.groups.size, 0)
  })
}

test('it ends when the socket leaves OPEN, not when the transport is gone', async (t) => {
  const { app, peer, socket } = await connectOne(t, { route: { groups: () => 'a' } })
  peer.freeze()
  socket.close()
  assert.equal(socket.readyState, socket.CLOSING)
  assert.equal(app.websocketLifecycle.group('a').has(socket), false)
  assert.equal(app.websocketLifecycle.group('a').add(socket), false)
})

test('whoever is open is a member while onHandlerError may still decide', async (t) => {
  const seen: unknown[] = []
  const { socket } = await connectOne(t, {
    route: {
      groups: () => 'a',
      onHandlerError: (failed) => void seen.push(failed.readyState, failed.groups),
    },
  })
  ENDS['a callback fails']?.(undefined as never, socket)
  await socket.closed
  assert.deepEqual(seen, [1, ['a']])
})

test('the route says of which groups, once its hooks have run', async (t) => {
  const { app, nextSocket, port } = await serveOne(t, {
    routes: (instance) => {
      instance.get('/none', { websocket: true, groups: () => undefined }, (socket) => {
        groupsAreOf(socket, [])
        socket.send('none')
      })
      instance.get(
        '/own',
        {
          websocket: true,
          preHandler: async (request) => void Reflect.set(request, 'user', 'ann'),
          groups: (request) => [`user:${String(Reflect.get(request, 'user'))}`, 'all', 'all'],
        },
        (socket) => {
          groupsAreOf(socket, ['user:ann', 'all'])
          socket.send('own')
        },
      )
    },
  })
  assert.deepEqual(await texts(await RawPeer.open(port, '/none'), 1), ['none'])
  assert.deepEqual(await texts(await RawPeer.open(port, '/own'), 1), ['own'])
  assert.equal(app.websocketLifecycle.group('all').size, 1)
  await RawPeer.open(port)
  groupsAreOf(await nextSocket(), [])
})

test('the plugin may say so for all routes, and a route for itself', async (t) => {
  const { app, socket } = await connectOne(t, { options: { groups: () => 'all' } })
  groupsAreOf(socket, ['all'])
  const other = await connectOne(t, {
    options: { groups: () => 'all' },
    route: { groups: () => 'few' },
  })
  groupsAreOf(other.socket, ['few'])
  assert.equal(app.websocketLifecycle.group('all').size, 1)
})

const WRONG: ReadonlyArray<readonly [answer: () => unknown, got: string]> = [
  [() => 7, 'got 7'],
  [() => null, 'got null'],
  [() => ({}), 'got object'],
  [() => ['a', 7], 'got an array with 7'],
  [async () => Promise.reject(new Error('unseen')), 'got object'],
]

for (const [answer, got] of WRONG) {
  test(`an answer of \`groups\` that is none is refused with a 500: ${got}`, async (t) => {
    const { port } = await serveOne(t, { route: { groups: answer as never } })
    const { body, status } = await refusal(`ws://127.0.0.1:${port}/`)
    assert.equal(status, 500)
    assert.match(body, /FST_ERR_WSL_INVALID_OPTION/)
    assert.ok(
      body.includes(
        `Expected \`groups\` to return a string, an array of strings or undefined, ${got}, in the options of route /`,
      ),
      body,
    )
  })
}

test('a throw of `groups` is treated like a throw in a hook', async (t) => {
  const { port } = await serveOne(t, {
    route: {
      groups: () => {
        throw Object.assign(new Error('who?'), { statusCode: 403 })
      },
    },
  })
  assert.equal((await refusal(`ws://127.0.0.1:${port}/`)).status, 403)
})

test('what is no socket of this app is refused, and so is a name that is no string', async (t) => {
  const { app, socket } = await connectOne(t)
  const { socket: foreign } = await connectOne(t)
  const room = app.websocketLifecycle.group('a')
  for (const [who, kind] of [
    [foreign, 'object'],
    [undefined, 'undefined'],
    [new Proxy(socket, {}), 'object'],
    ['a', 'string'],
  ] as const) {
    for (const name of ['add', 'delete', 'has'] as const) {
      assert.throws(() => room[name](who as never), {
        code: 'FST_ERR_WSL_INVALID_OPTION',
        message: `Expected a LifecycleSocket or a LifecycleSession of this app, got ${kind}, in group.${name}()`,
      })
    }
  }
  assert.throws(() => app.websocketLifecycle.group(7 as never), {
    code: 'FST_ERR_WSL_INVALID_OPTION',
    message: 'Expected the name of a group to be a string, got 7, in group()',
  })
  assert.throws(
    () => room.send('x', { except: foreign }),
    /of this app, got object, in group\.send/,
  )
  assert.throws(() => room.send('x', { exept: socket } as never), /did you mean `options.except`/)
  assert.throws(
    () => room.send('x', { binary: 1 } as never),
    /`options.binary` to be true or false/,
  )
  assert.throws(() => room.send('x', (() => {}) as never), /Expected `options` to be an object/)
  assert.throws(() => room.send(Symbol('x') as never), TypeError)
})

test('a drain ends memberships with the connections', async (t) => {
  const clock = new FakeClock()
  const app = Fastify()
  endWith(t, app, clock)
  await app.register(createPlugin(clock))
  app.get('/', { websocket: true, groups: () => 'all' }, () => {})
  await app.listen({ host: '127.0.0.1', port: 0 })
  const peer = await RawPeer.open(portOf(app))
  await turns()
  const all = app.websocketLifecycle.group('all')
  const drained = app.websocketLifecycle.drain()
  await peer.nextOf(OPCODE.close)
  assert.equal(all.size, 0)
  peer.send(closeFrame(1012))
  await drained
})
