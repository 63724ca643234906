import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { ConnectionClosedError, type LifecycleSocket } from '../../lib/index.js'
import { delivered } from '../support/time/delivered.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne } from '../support/servers/server.js'

const { bytes, closeFrame, frame } = RawPeer
const hello = frame(OPCODE.text, 'hello')
const badFrame = bytes(0x83, 'x')

/** What the app does when a message comes. */
function onMessage(act: (socket: LifecycleSocket) => void) {
  return {
    handler: (socket: LifecycleSocket) => {
      socket.on('message', () => act(socket))
    },
  }
}

const BEFORE_A_BAD_FRAME = [
  {
    does: 'closes',
    cause: 'server-close',
    act: (socket: LifecycleSocket) => socket.close(4000, 'mine'),
  },
  {
    does: 'closes with 1002',
    cause: 'server-close',
    act: (socket: LifecycleSocket) => socket.close(1002),
  },
  {
    does: 'terminates',
    cause: 'server-terminate',
    act: (socket: LifecycleSocket) => socket.terminate(),
  },
  {
    does: 'throws',
    cause: 'handler-error',
    act: () => {
      throw new Error('first')
    },
  },
] as const

for (const { does, cause, act } of BEFORE_A_BAD_FRAME) {
  test(`an app that ${does} at a message is the cause, though a bad frame follows`, async (t) => {
    const { peer, socket } = await connectOne(t, onMessage(act))
    peer.send(hello, badFrame)
    const close = await socket.closed
    assert.equal(close.cause, cause)
    assert.equal(Reflect.get(close.error ?? {}, 'code'), undefined)
  })

  test(`an app that ${does} at a message is the cause, though a close frame follows`, async (t) => {
    const { peer, socket } = await connectOne(t, onMessage(act))
    peer.send(hello, closeFrame(4020))
    assert.equal((await socket.closed).cause, cause)
  })

  test(`an app that ${does} at a message is the cause, though a RST follows`, async (t) => {
    const { peer, socket } = await connectOne(t, onMessage(act))
    peer.send(hello)
    peer.reset()
    assert.equal((await socket.closed).cause, cause)
  })

  test(`an app that ${does} at a message is the cause, though a FIN follows`, async (t) => {
    const { peer, socket } = await connectOne(t, onMessage(act))
    peer.socket.end(hello)
    assert.equal((await socket.closed).cause, cause)
  })
}

test('a bad frame is the cause, though the app closes when it hears of it', async (t) => {
  const { peer, socket } = await connectOne(t, {
    handler: (socket) => {
      socket.on('error', () => socket.close(4000))
    },
  })
  peer.send(badFrame)
  const close = await socket.closed
  assert.equal(close.cause, 'protocol-error')
  assert.deepEqual(close.sent, { code: 1002, reason: 'protocol-error' })
})

test('a bad frame is the cause, though the listener that hears of it throws', async (t) => {
  const { peer, socket } = await connectOne(t, {
    handler: (socket) => {
      socket.on('error', () => {
        throw new Error('second')
      })
    },
  })
  peer.send(badFrame)
  const close = await socket.closed
  assert.equal(close.cause, 'protocol-error')
  assert.equal(Reflect.get(close.error ?? {}, 'code'), 'WS_ERR_INVALID_OPCODE')
})

test('our close is the cause, though the peer answers it with a RST', async (t) => {
  const { peer, socket } = await connectOne(t)
  socket.close(4001)
  await peer.nextOf(OPCODE.close)
  peer.reset()
  const close = await socket.closed
  assert.equal(close.cause, 'server-close')
  assert.deepEqual(close.sent, { code: 4001, reason: '' })
})

test('our close is the cause, though the peer answers it with a bad frame', async (t) => {
  const { peer, socket } = await connectOne(t)
  socket.close(4001)
  await peer.nextOf(OPCODE.close)
  peer.send(badFrame)
  const close = await socket.closed
  assert.equal(close.cause, 'server-close')
  assert.deepEqual(close.sent, { code: 4001, reason: '' })
})

test('the first of two closes counts', async (t) => {
  const { peer, socket } = await connectOne(t)
  socket.close(4001, 'first')
  socket.close(4002, 'second')
  socket.terminate()
  const close = await socket.closed
  assert.equal(close.cause, 'server-close')
  assert.deepEqual(close.sent, { code: 4001, reason: 'first' })
  peer.destroy()
})

test('our close and the close frame of a peer that cross are a server-close', async (t) => {
  const { peer, socket } = await connectOne(t)
  peer.send(closeFrame(1001))
  // Ours leaves before the loop has polled.
  socket.close(4001)
  const close = await socket.closed
  assert.equal(close.cause, 'server-close')
  assert.equal(close.code, 1001)
  assert.equal(close.clean, true)
  assert.deepEqual(close.sent, { code: 4001, reason: '' })
})

test("a close frame is the cause, though an app's listener throws after it", async (t) => {
  const { peer, socket } = await connectOne(t, {
    handler: (socket) => {
      socket.scope.signal.addEventListener('abort', () => socket.emit('custom'))
      socket.on('custom', () => {
        throw new Error('too late')
      })
    },
  })
  peer.send(closeFrame(1000))
  const close = await socket.closed
  assert.equal(close.cause, 'client-close')
  assert.equal(close.error, undefined)
})

test('a close frame after which terminate() is called stays a client-close', async (t) => {
  const { peer, socket } = await connectOne(t, {
    handler: (socket) => {
      socket.scope.signal.addEventListener('abort', () => socket.terminate())
    },
  })
  peer.send(closeFrame(4030))
  assert.equal((await socket.closed).cause, 'client-close')
})

test('a FIN after which terminate() is called stays a connection-lost', async (t) => {
  const { peer, socket } = await connectOne(t, {
    handler: (socket) => {
      socket.scope.signal.addEventListener('abort', () => socket.terminate())
    },
  })
  peer.finish()
  assert.equal((await socket.closed).cause, 'connection-lost')
})

test('a thrown error is the cause, though the peer never answers the 1011', async (t) => {
  const clock = new FakeClock()
  const { socket } = await connectOne(t, {
    clock,
    handler: () => {
      throw new Error('first')
    },
  })
  await clock.advance(3_500)
  const close = await socket.closed
  assert.equal(close.cause, 'handler-error')
  assert.deepEqual(close.sent, { code: 1011, reason: 'handler-error' })
  assert.equal(close.received, undefined)
})

test('the first of two errors is kept', async (t) => {
  const first = new Error('first')
  const { peer, socket } = await connectOne(t, {
    handler: (socket) => {
      socket.on('message', () => {
        throw first
      })
      socket.on('message', () => {
        throw new Error('second')
      })
    },
  })
  peer.send(hello, hello)
  await peer.nextOf(OPCODE.close)
  await delivered()
  peer.destroy()
  assert.equal((await socket.closed).error, first)
})

test('what is sent after a FIN hears that the connection is over, though not yet why', async (t) => {
  const { peer, socket } = await connectOne(t)
  const told = new Promise<unknown>((resolve) => {
    socket.request.raw.socket.once('end', () => socket.send('x', resolve))
  })
  peer.finish()
  const error = await told
  assert.ok(error instanceof ConnectionClosedError)
  assert.equal(error.message, 'The WebSocket connection is over')
  assert.equal(error.closeCause, undefined)
})

for (const [how, end] of [
  ['terminates', (socket: LifecycleSocket) => socket.terminate()],
  ['closes', (socket: LifecycleSocket) => socket.close(4000)],
] as const) {
  // The stream is destroyed, and ws has not told of it yet.
  test(`an app that ${how} when it hears of a reset is not the cause`, async (t) => {
    const { peer, socket, events } = await connectOne(t)
    const raw = Reflect.get(socket, '_socket') as Socket
    raw.prependListener('error', () => end(socket))
    peer.reset()
    const { cause, expected } = await socket.closed
    assert.deepEqual([cause, expected], ['connection-reset', false])
    assert.deepEqual(events, ['abort', 'unexpected', 'close', 'release'])
  })
}
