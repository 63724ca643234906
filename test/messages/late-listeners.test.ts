// Plain listeners that are attached late, and messages that nobody listens for.
import assert from 'node:assert/strict'
import { on, once } from 'node:events'
import { test } from 'node:test'
import type { LifecycleSocket, RouteLifecycleOptions } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { roundTrip, texts } from '../support/peers/exchange.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { gate, never } from '../support/time/gate.js'
import { type LogLine, logLines } from '../support/servers/log-lines.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, serve, portOf } from '../support/servers/server.js'

const { closeFrame, frame } = RawPeer

type Hear = (data: unknown) => void

/** Ways to listen, each for all messages. */
const WAYS: Readonly<Record<string, (socket: LifecycleSocket, hear: Hear) => unknown>> = {
  'on()': (socket, hear) => void socket.on('message', hear),
  'addListener()': (socket, hear) => void socket.addListener('message', hear),
  'prependListener()': (socket, hear) => void socket.prependListener('message', hear),
  'addEventListener()': (socket, hear) =>
    socket.addEventListener('message', ({ data }) => hear(data)),
  'a handleEvent object': (socket, hear) =>
    socket.addEventListener('message', {
      handleEvent: ({ data }: { data: unknown }) => hear(data),
    }),
  'an onmessage attribute': (socket, hear) => {
    socket.onmessage = ({ data }) => hear(data)
  },
  'once(), repeated': (socket, hear) => {
    const again = (data: unknown): void => {
      socket.once('message', again)
      hear(data)
    }
    socket.once('message', again)
  },
  'prependOnceListener(), repeated': (socket, hear) => {
    const again = (data: unknown): void => {
      socket.prependOnceListener('message', again)
      hear(data)
    }
    socket.prependOnceListener('message', again)
  },
  'events.once, repeated': async (socket, hear) => {
    const { signal } = socket.scope
    for (;;) {
      const [data] = (await once(socket, 'message', { signal })) as unknown[]
      hear(data)
    }
  },
  'events.on': async (socket, hear) => {
    const { signal } = socket.scope
    for await (const [data] of on(socket, 'message', { signal }) as AsyncIterable<unknown[]>) {
      hear(data)
    }
  },
}

for (const [way, listen] of Object.entries(WAYS)) {
  test(`a late listener by ${way} hears all in order, old before new`, async (t) => {
    const loaded = gate()
    const heard: string[] = []
    const { app, peer, socket } = await connectOne(t, {
      handler: async (socket) => {
        await loaded.opened
        await listen(socket, (data) => heard.push(String(data)))
      },
    })
    peer.send(...texts('1', '2'))
    await roundTrip(peer)
    peer.send(...texts('3'))
    await roundTrip(peer)
    assert.deepEqual(heard, [])
    // These are with the server, but not read, when the listener comes.
    peer.send(...texts('4', '5'), frame(OPCODE.ping))
    loaded.open()
    await within(peer.nextOf(OPCODE.pong), 'a pong')
    peer.send(...texts('6'), closeFrame(1000))
    await socket.closed
    assert.deepEqual(heard, ['1', '2', '3', '4', '5', '6'])
    assert.equal(app.websocketLifecycle.stats().dropped, 0)
  })
}

test('a listener for one message takes one: the rest waits for the next listener', async (t) => {
  const loaded = gate()
  const heard: string[] = []
  const { app, peer } = await connectOne(t, {
    handler: async (socket) => {
      const [hello] = (await once(socket, 'message')) as [Buffer]
      heard.push(`hello ${hello.toString()}`)
      await loaded.opened
      socket.on('message', (data: Buffer) => heard.push(data.toString()))
    },
  })
  peer.send(...texts('1', '2', '3'))
  await roundTrip(peer)
  peer.send(...texts('4'))
  await roundTrip(peer)
  assert.deepEqual(heard, ['hello 1'])
  loaded.open()
  await turns(1)
  peer.send(...texts('5'))
  await roundTrip(peer)
  assert.deepEqual(heard, ['hello 1', '2', '3', '4', '5'])
  assert.equal(app.websocketLifecycle.stats().dropped, 0)
})

test('listeners that are attached together hear what waits together', async (t) => {
  const loaded = gate()
  const heard: string[] = []
  const { peer } = await connectOne(t, {
    handler: async (socket) => {
      await loaded.opened
      socket.on('message', (data: Buffer) => heard.push(`first ${data.toString()}`))
      socket.on('message', (data: Buffer) => heard.push(`second ${data.toString()}`))
      heard.push('attached')
    },
  })
  peer.send(...texts('1', '2'))
  await roundTrip(peer)
  loaded.open()
  await turns(1)
  assert.deepEqual(heard, ['attached', 'first 1', 'second 1', 'first 2', 'second 2'])
})

test('a listener that is removed before the next tick hears nothing, and what waits still waits', async (t) => {
  const loaded = gate()
  const heard: string[] = []
  const hasty = (): void => void heard.push('hasty')
  const { peer } = await connectOne(t, {
    handler: async (socket) => {
      await loaded.opened
      socket.on('message', hasty)
      socket.off('message', hasty)
      await turns()
      socket.on('message', (data: Buffer) => heard.push(data.toString()))
    },
  })
  peer.send(...texts('1'))
  await roundTrip(peer)
  loaded.open()
  await turns(20)
  assert.deepEqual(heard, ['1'])
})

test('a listener that is attached late hears a binary message as ws gives it', async (t) => {
  const loaded = gate()
  const heard: unknown[] = []
  const { peer } = await connectOne(t, {
    handler: async (socket) => {
      await loaded.opened
      socket.on('message', (data, isBinary) => heard.push([data, isBinary]))
    },
  })
  peer.send(frame(OPCODE.text, 'text'), frame(OPCODE.binary, 'binary'))
  await roundTrip(peer)
  loaded.open()
  await turns(1)
  assert.deepEqual(heard, [
    [Buffer.from('text'), false],
    [Buffer.from('binary'), true],
  ])
})

test('a late listener that throws ends its connection; what still waits is dropped and counted', async (t) => {
  const loaded = gate()
  const heard: string[] = []
  const { app, peer, socket } = await connectOne(t, {
    handler: async (socket) => {
      await loaded.opened
      socket.on('message', (data: Buffer) => {
        heard.push(data.toString())
        throw new Error('of the listener')
      })
    },
  })
  peer.send(...texts('1', '2', '3'))
  await roundTrip(peer)
  loaded.open()
  await peer.nextOf(OPCODE.close)
  peer.send(closeFrame(1011))
  assert.equal((await socket.closed).cause, 'handler-error')
  assert.deepEqual(heard, ['1'])
  assert.equal(app.websocketLifecycle.stats().dropped, 2)
})

function warnings(lines: readonly LogLine[]): readonly LogLine[] {
  return lines.filter(({ level }) => level === 40)
}

test('once the handler has settled, unheard messages are discarded; one warning names the route', async (t) => {
  const { lines, fastify } = logLines()
  const app = await serve(t, {
    fastify,
    routes: (instance) => {
      instance.get('/feed/:id', { websocket: true }, () => {})
      instance.get('/other', { websocket: true }, () => {})
    },
  })
  const port = portOf(app)
  const peers = [await RawPeer.open(port, '/feed/1'), await RawPeer.open(port, '/feed/2')]
  for (const peer of peers) {
    peer.send(...texts('1', '2', '3'))
    await roundTrip(peer)
  }
  assert.equal(app.websocketLifecycle.stats().dropped, 6)
  assert.deepEqual(
    warnings(lines).map(({ route }) => route),
    ['/feed/:id'],
  )
  assert.match(String(warnings(lines)[0]?.['msg']), /message was discarded.*no onMessage/)
  const other = await RawPeer.open(port, '/other')
  other.send(...texts('1'))
  await roundTrip(other)
  assert.deepEqual(
    warnings(lines).map(({ route }) => route),
    ['/feed/:id', '/other'],
  )
})

test('what has waited for a handler is discarded and counted when it settles without a listener', async (t) => {
  const { lines, fastify } = logLines()
  const loaded = gate()
  const { app, peer } = await connectOne(t, { fastify, handler: () => loaded.opened })
  peer.send(...texts('1', '2', '3'))
  await roundTrip(peer)
  assert.equal(app.websocketLifecycle.stats().dropped, 0)
  loaded.open()
  await turns(1)
  assert.equal(app.websocketLifecycle.stats().dropped, 3)
  peer.send(...texts('4'))
  await roundTrip(peer)
  assert.equal(app.websocketLifecycle.stats().dropped, 4)
  assert.equal(warnings(lines).length, 1)
  // It did not pause for good.
  assert.equal((await roundTrip(peer), peer.hasEnded), false)
})

test('when a listener was removed later, messages are discarded until there is one again', async (t) => {
  const heard: string[] = []
  const { app, peer, socket } = await connectOne(t)
  const hear = (data: Buffer): void => void heard.push(data.toString())
  socket.on('message', hear)
  peer.send(...texts('1'))
  await roundTrip(peer)
  socket.off('message', hear)
  peer.send(...texts('2'))
  await roundTrip(peer)
  assert.equal(app.websocketLifecycle.stats().dropped, 1)
  socket.on('message', hear)
  peer.send(...texts('3'))
  await roundTrip(peer)
  assert.deepEqual(heard, ['1', '3'])
})

test('while the handler runs, messages wait for a listener again after one was removed', async (t) => {
  const heard: string[] = []
  const removed = gate()
  const loaded = gate()
  const hear = (data: Buffer): void => void heard.push(data.toString())
  const { app, peer } = await connectOne(t, {
    handler: async (socket) => {
      socket.on('message', hear)
      await removed.opened
      socket.off('message', hear)
      await loaded.opened
      socket.on('message', hear)
    },
  })
  peer.send(...texts('1'))
  await roundTrip(peer)
  removed.open()
  await turns(1)
  peer.send(...texts('2', '3'))
  await roundTrip(peer)
  assert.deepEqual(heard, ['1'])
  loaded.open()
  await turns(1)
  assert.deepEqual(heard, ['1', '2', '3'])
  assert.equal(app.websocketLifecycle.stats().dropped, 0)
})

/** Who makes messages wait for a handler that does not settle. */
const WAITING: Readonly<Record<string, RouteLifecycleOptions>> = {
  'onMessage waits': { onMessage: () => {} },
  'no listener': {},
}

for (const [why, route] of Object.entries(WAITING)) {
  test(`one warning a route for messages that wait longer than cleanupTimeout: ${why}`, async (t) => {
    const clock = new FakeClock()
    const { lines, fastify } = logLines()
    const app = await serve(t, {
      clock,
      fastify,
      options: { keepalive: false, cleanupTimeout: 2_000 },
      routes: (instance) => {
        instance.get('/stuck/:id', { websocket: true, ...route }, () => never)
      },
    })
    const [first, second] = [
      await RawPeer.open(portOf(app), '/stuck/1'),
      await RawPeer.open(portOf(app), '/stuck/2'),
    ]
    await clock.advance(10_000)
    assert.deepEqual(warnings(lines), [])
    first.send(...texts('1'))
    await roundTrip(first)
    await clock.advance(1_900)
    first.send(...texts('2'))
    await roundTrip(first)
    assert.deepEqual(warnings(lines), [])
    // The sweep looks every tenth of the shortest timeout that it serves, at least once a second.
    await clock.advance(1_100)
    assert.deepEqual(
      warnings(lines).map(({ route }) => route),
      ['/stuck/:id'],
    )
    assert.match(String(warnings(lines)[0]?.['msg']), /waited for 2000 ms.*has not settled/)
    second.send(...texts('1'))
    await roundTrip(second)
    await clock.advance(10_000)
    assert.equal(warnings(lines).length, 1)
  })
}

test('no warning where what waited was heard in time, though the handler never settles', async (t) => {
  const clock = new FakeClock()
  const { lines, fastify } = logLines()
  const loaded = gate()
  const heard: string[] = []
  const { peer } = await connectOne(t, {
    clock,
    fastify,
    route: { keepalive: false, cleanupTimeout: 2_000 },
    handler: async (socket) => {
      await loaded.opened
      socket.on('message', (data: Buffer) => heard.push(data.toString()))
      await never
    },
  })
  peer.send(...texts('1'))
  await roundTrip(peer)
  await clock.advance(1_000)
  loaded.open()
  await turns()
  assert.deepEqual(heard, ['1'])
  await clock.advance(10_000)
  assert.deepEqual(warnings(lines), [])
})

test('no warning where the handler settled in time, however long onMessage takes', async (t) => {
  const clock = new FakeClock()
  const { lines, fastify } = logLines()
  const loaded = gate()
  const { peer } = await connectOne(t, {
    clock,
    fastify,
    route: { keepalive: false, cleanupTimeout: 2_000, onMessage: () => never },
    handler: () => loaded.opened,
  })
  peer.send(...texts('1', '2'))
  await roundTrip(peer)
  await clock.advance(1_000)
  loaded.open()
  await turns()
  await clock.advance(10_000)
  assert.deepEqual(warnings(lines), [])
})
