// What a handler, a listener or a hook throws: who is told, and what it ends.
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { describe, test } from 'node:test'
import type { LifecycleSocket } from '../../lib/index.js'
import { turns } from '../support/time/fake-clock.js'
import { ERROR_PLACES, FAULTS, LATE_PLACES, type Place, PLACES } from '../support/models/faults.js'
import { logLines } from '../support/servers/log-lines.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne } from '../support/servers/server.js'
import { badFrame, connectFailing, assertAlive } from '../support/servers/failing.js'

const { closeFrame, frame } = RawPeer

describe('an error ends its connection with 1011, and no other', () => {
  for (const [where, place] of Object.entries(PLACES)) {
    for (const [how, fault] of Object.entries(FAULTS)) {
      test(`${where} ${how}`, async (t) => {
        const error = new Error('of the app')
        const failed = await connectFailing(t, place, () => fault(error))
        const { peer, socket, told, bystander, events } = failed
        if (place.trigger !== undefined) peer.send(place.trigger)
        const frame = await peer.nextOf(OPCODE.close)
        assert.deepEqual(frame?.payload, Buffer.from('\x03\xf3handler-error', 'latin1'))
        peer.send(closeFrame(1011))
        const close = await socket.closed
        assert.equal(close.cause, 'handler-error')
        assert.equal(close.error, error)
        assert.deepEqual(told, [error])
        assert.deepEqual(events, ['abort', 'unexpected', 'close', 'release'])
        await assertAlive(bystander)
      })
    }
  }
})

describe('an error at the end changes nothing of how the connection ended, and is told', () => {
  for (const [where, place] of Object.entries(LATE_PLACES)) {
    for (const [how, fault] of Object.entries(FAULTS)) {
      test(`${where} ${how}`, async (t) => {
        const error = new Error('of the app')
        const { peer, socket, told, bystander, events } = await connectFailing(
          t,
          place,
          () => fault(error),
          {
            // Keeps the end open until a rejection has gone its way.
            onClose: () => turns(4),
          },
        )
        peer.send(closeFrame(1000))
        const close = await socket.closed
        assert.equal(close.cause, 'client-close')
        assert.equal(close.error, undefined)
        assert.deepEqual(told, [error])
        assert.deepEqual(events, ['abort', 'release'])
        await assertAlive(bystander)
      })
    }
  }
})

describe('an error changes nothing of a protocol-error, and is told', () => {
  for (const [where, place] of Object.entries(ERROR_PLACES)) {
    for (const [how, fault] of Object.entries(FAULTS)) {
      test(`${where} ${how}`, async (t) => {
        const error = new Error('of the app')
        const { peer, socket, told, bystander } = await connectFailing(t, place, () => fault(error))
        peer.send(badFrame)
        const close = await socket.closed
        assert.equal(close.cause, 'protocol-error')
        assert.equal(close.sent?.code, 1002)
        assert.deepEqual(told, [error])
        await assertAlive(bystander)
      })
    }
  }
})

describe('what is no Error is told as one, with that as its cause', () => {
  for (const value of [
    'a string',
    undefined,
    null,
    0,
    { an: 'object' },
    Object.create(null) as unknown,
  ]) {
    for (const [how, fault] of Object.entries(FAULTS)) {
      test(`a handler ${how} with ${JSON.stringify(value) ?? 'undefined'}`, async (t) => {
        const place: Place = { arrange: (_socket, fault) => fault() }
        const { peer, socket, told } = await connectFailing(t, place, () => fault(value))
        await peer.nextOf(OPCODE.close)
        peer.send(closeFrame(1011))
        await socket.closed
        assert.equal(told.length, 1)
        assert.ok(told[0] instanceof Error)
        assert.equal(told[0].cause, value)
      })

      test(`a listener ${how} with ${JSON.stringify(value) ?? 'undefined'}`, async (t) => {
        const place: Place = { arrange: (socket, fault) => void socket.on('message', fault) }
        const { peer, socket, told } = await connectFailing(t, place, () => fault(value))
        peer.send(frame(OPCODE.text, 'x'))
        await peer.nextOf(OPCODE.close)
        peer.send(closeFrame(1011))
        await socket.closed
        assert.equal(told.length, 1)
        assert.ok(told[0] instanceof Error)
        assert.equal(told[0].cause, value)
      })
    }
  }
})

const HOOKS = ['onClose', 'onUnexpectedClose'] as const

for (const name of HOOKS) {
  for (const [how, fault] of Object.entries(FAULTS)) {
    test(`an ${name} ${how} is told, and the end goes on`, async (t) => {
      const error = new Error('of the app')
      const told: Error[] = []
      const { peer, socket, events } = await connectOne(t, {
        route: {
          [name]: () => fault(error),
          onHandlerError: (_socket: LifecycleSocket, _request: unknown, error: Error) => {
            told.push(error)
          },
        },
      })
      peer.reset()
      const close = await socket.closed
      assert.equal(close.cause, 'connection-reset')
      assert.deepEqual(told, [error])
      assert.equal(events.at(-1), 'release')
    })
  }
}

for (const [how, fault] of Object.entries(FAULTS)) {
  test(`an onShutdown ${how} is told, and the shutdown goes on`, async (t) => {
    const error = new Error('of the app')
    const told: Error[] = []
    const { app, peer, socket, closes } = await connectOne(t, {
      route: {
        onShutdown: () => fault(error),
        onHandlerError: (_socket, _request, error) => {
          told.push(error)
        },
      },
    })
    const closing = app.close()
    assert.equal((await peer.nextOf(OPCODE.close))?.payload.readUInt16BE(), 1011)
    peer.send(closeFrame(1011))
    await closing
    assert.equal((await socket.closed).cause, 'handler-error')
    assert.deepEqual(told, [error])
    assert.deepEqual(closes.length, 1)
  })

  test(`an onHandlerError ${how} is only logged, and 1011 is sent`, async (t) => {
    const { lines, fastify } = logLines()
    const ofPlugin: Error[] = []
    let calls = 0
    const first = new Error('first')
    const { peer, socket, events } = await connectOne(t, {
      fastify,
      options: {
        onHandlerError: (_socket, _request, error) => {
          ofPlugin.push(error)
        },
      },
      route: {
        onHandlerError: () => {
          calls++
          return fault(new Error('of the hook'))
        },
      },
      handler: () => {
        throw first
      },
    })
    assert.equal((await peer.nextOf(OPCODE.close))?.payload.readUInt16BE(), 1011)
    peer.send(closeFrame(1011))
    const close = await socket.closed
    assert.equal(close.error, first)
    assert.equal(calls, 1)
    assert.deepEqual(ofPlugin, [first])
    assert.deepEqual(events, ['abort', 'unexpected', 'close', 'release'])
    const steps = lines.filter((line) => line['level'] === 50).map((line) => line['step'])
    assert.deepEqual(steps, ['handler', 'onHandlerError'])
  })
}

test('an error while the connection closes is told, and changes neither cause nor code', async (t) => {
  const told: Error[] = []
  const { peer, socket } = await connectOne(t, {
    route: {
      onHandlerError: (_socket, _request, error) => {
        told.push(error)
      },
    },
    handler: (socket) => {
      socket.on('message', () => {
        throw new Error('while closing')
      })
    },
  })
  socket.close(4000)
  await peer.nextOf(OPCODE.close)
  peer.send(frame(OPCODE.text, 'x'), closeFrame(4000))
  const close = await socket.closed
  assert.equal(close.cause, 'server-close')
  assert.deepEqual(close.sent, { code: 4000, reason: '' })
  assert.equal(close.error, undefined)
  assert.equal(told.length, 1)
})

test("without any 'error' listener left a protocol error harms nobody", async (t) => {
  const { peer, socket } = await connectOne(t, {
    handler: (socket) => {
      socket.removeAllListeners('error')
    },
  })
  peer.send(badFrame)
  assert.equal((await socket.closed).cause, 'protocol-error')
})

test("an 'error' that the app itself emits is a handler-error", async (t) => {
  const error = new Error('of the app')
  const told: Error[] = []
  const { peer, socket } = await connectOne(t, {
    route: {
      onHandlerError: (_socket, _request, error) => {
        told.push(error)
      },
    },
    handler: (socket) => {
      socket.removeAllListeners('error')
      setImmediate(() => socket.emit('error', error))
    },
  })
  assert.equal((await peer.nextOf(OPCODE.close))?.payload.readUInt16BE(), 1011)
  peer.send(closeFrame(1011))
  assert.equal((await socket.closed).error, error)
  assert.deepEqual(told, [error])
})

test('a send that cannot be made into a frame is a handler-error', async (t) => {
  const { peer, socket } = await connectOne(t, {
    handler: (socket) => {
      socket.send(Symbol('no data') as unknown as string)
    },
  })
  assert.equal((await peer.nextOf(OPCODE.close))?.payload.readUInt16BE(), 1011)
  peer.send(closeFrame(1011))
  assert.equal((await socket.closed).cause, 'handler-error')
})

test('a listener that was added during the emit of another keeps its order', async (t) => {
  const order: string[] = []
  const { peer, socket } = await connectOne(t, {
    handler: (socket) => {
      socket.on('message', () => order.push('on'))
      socket.prependListener('message', () => order.push('prepended'))
      socket.once('message', () => order.push('once'))
    },
  })
  peer.send(frame(OPCODE.text, 'a'), frame(OPCODE.text, 'b'))
  peer.finish()
  await socket.closed
  assert.deepEqual(order, ['prepended', 'on', 'once', 'prepended', 'on'])
})

test('a send that fails on its way is a handler-error', async (t) => {
  const failure = new Error('of the blob')
  const told: Error[] = []
  class BrokenBlob extends Blob {
    override arrayBuffer(): Promise<ArrayBuffer> {
      return Promise.reject(failure)
    }
  }
  const sent: Array<Error | undefined> = []
  const { peer, socket, events } = await connectOne(t, {
    route: {
      onHandlerError: (_socket, _request, error) => {
        told.push(error)
      },
    },
    handler: (socket) => {
      socket.send(new BrokenBlob(['x']), (error) => sent.push(error))
    },
  })
  const close = await socket.closed
  assert.equal(close.cause, 'handler-error')
  assert.equal(close.error, told[0])
  assert.equal(told.length, 1)
  assert.ok(sent[0] instanceof Error)
  assert.deepEqual(events, ['abort', 'unexpected', 'close', 'release'])
  await peer.ended()
})

const GIVING_UP = [
  { what: "the signal's reason", reject: (signal: AbortSignal) => signal.throwIfAborted() },
  {
    what: 'an AbortError that the signal caused',
    reject: (signal: AbortSignal) => once(new EventEmitter(), 'never', { signal }),
  },
] as const

for (const { what, reject } of GIVING_UP) {
  test(`a handler that gives up with ${what} tells no error`, async (t) => {
    const told: Error[] = []
    const { lines, fastify } = logLines()
    const { peer, socket } = await connectOne(t, {
      fastify,
      route: {
        onClose: () => turns(6),
        onHandlerError: (_socket, _request, error) => {
          told.push(error)
        },
      },
      handler: async ({ scope }) => {
        await once(scope.signal, 'abort')
        await reject(scope.signal)
      },
    })
    peer.send(closeFrame(1000))
    assert.equal((await socket.closed).cause, 'client-close')
    assert.deepEqual(told, [])
    assert.deepEqual(
      lines.filter(({ level }) => level === 50),
      [],
    )
  })
}

test("an AbortError that is none of the signal's is an error like any other", async (t) => {
  const told: Error[] = []
  const { peer, socket } = await connectOne(t, {
    route: {
      onHandlerError: (_socket, _request, error) => {
        told.push(error)
      },
    },
    handler: () => AbortSignal.abort().throwIfAborted(),
  })
  await peer.nextOf(OPCODE.close)
  peer.send(closeFrame(1011))
  assert.equal((await socket.closed).cause, 'handler-error')
  assert.equal(told.length, 1)
})
