// What onHandlerError may do, and what becomes of what it does later.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import type { LifecycleSocket } from '../../lib/index.js'
import { delivered } from '../support/time/delivered.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { logLines } from '../support/servers/log-lines.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne } from '../support/servers/server.js'

const { closeFrame } = RawPeer

test('an onHandlerError that provokes the next error is not called for ever', async (t) => {
  let calls = 0
  const { peer, socket } = await connectOne(t, {
    route: {
      onHandlerError: (socket) => {
        calls++
        socket.emit('custom')
      },
    },
    handler: (socket) => {
      socket.on('custom', () => {
        throw new Error('once more')
      })
      throw new Error('first')
    },
  })
  await peer.nextOf(OPCODE.close)
  peer.send(closeFrame(1011))
  await socket.closed
  assert.equal(calls, 1)
})

const ANSWERS = [
  {
    does: 'close(4001)',
    act: (socket: LifecycleSocket) => socket.close(4001, 'sorry'),
    code: 4001,
    reason: 'sorry',
  },
  {
    does: 'close() without a code',
    act: (socket: LifecycleSocket) => socket.close(),
    code: undefined,
    reason: '',
  },
] as const

for (const { does, act, code, reason } of ANSWERS) {
  test(`${does} in the synchronous part of onHandlerError is what the peer gets`, async (t) => {
    const { peer, socket } = await connectOne(t, {
      options: { onHandlerError: (socket) => socket.close(4002, 'too late') },
      route: {
        onHandlerError: async (socket) => {
          act(socket)
          await turns(6)
        },
      },
      handler: () => {
        throw new Error('of the app')
      },
    })
    const payload = (await peer.nextOf(OPCODE.close))?.payload
    assert.equal(payload?.length ? payload.readUInt16BE() : undefined, code)
    assert.equal(payload?.subarray(2).toString(), reason)
    peer.send(closeFrame(code))
    const close = await socket.closed
    assert.equal(close.cause, 'handler-error')
    assert.equal(close.expected, false)
    assert.deepEqual(close.sent, { code: code ?? 1005, reason })
  })
}

test('terminate() in the synchronous part of onHandlerError is what the peer gets', async (t) => {
  const { peer, socket } = await connectOne(t, {
    route: { onHandlerError: (socket) => socket.terminate() },
    handler: () => {
      throw new Error('of the app')
    },
  })
  assert.equal(await peer.nextOf(OPCODE.close), undefined)
  const close = await socket.closed
  assert.equal(close.cause, 'handler-error')
  assert.equal(close.sent, undefined)
})

test('a close(4001) after an await of onHandlerError comes after the 1011', async (t) => {
  const { peer, socket } = await connectOne(t, {
    route: {
      onHandlerError: async (socket) => {
        await Promise.resolve()
        socket.close(4001)
      },
    },
    handler: () => {
      throw new Error('of the app')
    },
  })
  assert.equal((await peer.nextOf(OPCODE.close))?.payload.readUInt16BE(), 1011)
  peer.send(closeFrame(1011))
  assert.equal((await socket.closed).sent?.code, 1011)
})

test('what an onHandlerError goes on to do is waited for before onClose, and before closed', async (t) => {
  const order: string[] = []
  const { peer, socket } = await connectOne(t, {
    route: {
      onHandlerError: async (_socket, _request, { message }) => {
        order.push(`${message} begins`)
        await turns(8)
        order.push(`${message} settles`)
      },
      onClose: () => {
        order.push('onClose')
      },
    },
    handler: (socket) => {
      socket.scope.defer(() => {
        throw new Error('release')
      })
      throw new Error('handler')
    },
  })
  peer.reset()
  await socket.closed
  order.push('closed')
  await delivered()
  assert.deepEqual(order, [
    'handler begins',
    'handler settles',
    'onClose',
    'release begins',
    'release settles',
    'closed',
  ])
})

test('an onHandlerError that never settles costs one cleanupTimeout', async (t) => {
  const clock = new FakeClock()
  const { app, peer, socket } = await connectOne(t, {
    clock,
    route: { cleanupTimeout: 300, onHandlerError: () => new Promise(() => {}) },
    handler: () => {
      throw new Error('of the app')
    },
  })
  peer.reset()
  await once(socket, 'close')
  await clock.advance(300)
  assert.equal((await socket.closed).cause, 'handler-error')
  assert.equal(app.websocketLifecycle.stats().abandoned, 1)
})

test('an error that comes after closed has resolved is only logged', async (t) => {
  const { lines, fastify } = logLines()
  const told: Error[] = []
  let fail: ((error: Error) => void) | undefined
  const { peer, socket } = await connectOne(t, {
    fastify,
    route: {
      onHandlerError: (_socket, _request, error) => {
        told.push(error)
      },
    },
    handler: () =>
      new Promise((_resolve, reject) => {
        fail = reject
      }),
  })
  peer.reset()
  await socket.closed
  fail?.(new Error('far too late'))
  socket.scope.defer(() => {
    throw new Error('late release')
  })
  await delivered()
  assert.deepEqual(told, [])
  const messages = lines
    .filter((line) => line['level'] === 50)
    .map((line) => (line['err'] as Error).message)
  assert.deepEqual(messages.toSorted(), ['far too late', 'late release'])
})

test('what onHandlerError provokes after an await is told and waited for too', async (t) => {
  const order: string[] = []
  const { peer, socket } = await connectOne(t, {
    route: {
      onHandlerError: async (socket, _request, { message }) => {
        order.push(`${message} begins`)
        await turns(2)
        if (message === 'first') socket.emit('custom')
        await turns(4)
        order.push(`${message} settles`)
      },
    },
    handler: (socket) => {
      socket.on('custom', () => {
        throw new Error('second')
      })
      socket.scope.defer(() => {
        throw new Error('first')
      })
    },
  })
  peer.reset()
  await socket.closed
  order.push('closed')
  await delivered()
  assert.deepEqual(order, [
    'first begins',
    'second begins',
    'first settles',
    'second settles',
    'closed',
  ])
})

test('an onHandlerError that provokes errors after each await does not keep the connection', async (t) => {
  const clock = new FakeClock()
  const { peer, socket } = await connectOne(t, {
    clock,
    route: {
      cleanupTimeout: 200,
      onHandlerError: async (socket) => {
        await turns(1)
        socket.emit('custom')
      },
    },
    handler: (socket) => {
      socket.on('custom', () => {
        throw new Error('once more')
      })
      throw new Error('first')
    },
  })
  peer.reset()
  const ends: unknown[] = []
  void socket.closed.then((close) => ends.push(close))
  for (let elapsed = 0; elapsed < 5_000 && ends.length === 0; elapsed += 50) {
    await clock.advance(50)
  }
  assert.equal(ends.length, 1)
  socket.removeAllListeners('custom')
})
