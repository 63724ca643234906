// Where onMessage, or who stands before or beside it, fails or closes: what becomes of the messages.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LifecycleSocket, Message } from '../../lib/index.js'
import { roundTrip, texts } from '../support/peers/exchange.js'
import { turns } from '../support/time/fake-clock.js'
import { FAULTS } from '../support/models/faults.js'
import { gate } from '../support/time/gate.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, portOf, serve } from '../support/servers/server.js'

const { closeFrame } = RawPeer

for (const [how, fault] of Object.entries(FAULTS)) {
  test(`onMessage ${how}: 1011; what waits is dropped`, async (t) => {
    const error = new Error('of the app')
    const told: Error[] = []
    const got: string[] = []
    const { app, port, peer, socket, events } = await connectOne(t, {
      route: {
        onMessage: (socket, _request, message) => {
          got.push(String(message))
          return message === 'echo' ? socket.send(message) : fault(error)
        },
        onHandlerError: (_socket, _request, error) => void told.push(error),
      },
    })
    const bystander = await RawPeer.open(port)
    peer.send(...texts('fails', 'waits', 'waits too'))
    assert.deepEqual(
      (await peer.nextOf(OPCODE.close))?.payload,
      Buffer.concat([Buffer.from([0x03, 0xf3]), Buffer.from('handler-error')]),
    )
    peer.send(...texts('comes late'), closeFrame(1011))
    const close = await socket.closed
    assert.deepEqual([close.cause, close.expected], ['handler-error', false])
    assert.equal(close.error, error)
    assert.deepEqual(told, [error])
    assert.deepEqual(got, ['fails'])
    assert.equal(close.messagesReceived, 4)
    assert.equal(app.websocketLifecycle.stats().dropped, 3)
    assert.deepEqual(events, ['abort', 'unexpected', 'close', 'release'])
    bystander.send(...texts('echo'))
    assert.equal((await bystander.next())?.payload.toString(), 'echo')
  })
}

test('a handler that fails drops the messages that wait for it', async (t) => {
  const loaded = gate()
  const got: Message[] = []
  const { app, peer, socket } = await connectOne(t, {
    handler: async () => {
      await loaded.opened
      throw new Error('not loaded')
    },
    route: { onMessage: (_socket, _request, message) => void got.push(message) },
  })
  peer.send(...texts('1', '2', '3'))
  await roundTrip(peer)
  loaded.open()
  await peer.nextOf(OPCODE.close)
  peer.send(closeFrame(1011))
  assert.equal((await socket.closed).cause, 'handler-error')
  assert.deepEqual(got, [])
  assert.equal(app.websocketLifecycle.stats().dropped, 3)
})

const REFUSALS: Readonly<Record<string, (socket: LifecycleSocket) => void>> = {
  'close()': (socket) => socket.close(4001, 'refused'),
  'terminate()': (socket) => socket.terminate(),
}

for (const [what, refuse] of Object.entries(REFUSALS)) {
  for (const isAsync of [false, true]) {
    test(`a handler that refuses by ${what}${isAsync ? ', later,' : ''} drops all: no onMessage runs`, async (t) => {
      const decided = gate()
      const got: Message[] = []
      const onMessage = (_socket: unknown, _request: unknown, message: Message): void =>
        void got.push(message)
      const app = await serve(t, {
        routes: (instance) => {
          instance.get('/', { websocket: true, onMessage }, (socket) => {
            if (!isAsync) return refuse(socket)
            return decided.opened.then(() => refuse(socket))
          })
        },
      })
      // The first ones are there before the handler is.
      const handshake = RawPeer.handshake(portOf(app), '/')
      const peer = await RawPeer.dialWith(portOf(app), handshake, ...texts('1', '2'))
      await peer.answer()
      await turns()
      const [socket] = app.websocketLifecycle.connections
      decided.open()
      await turns()
      if (!peer.hasEnded) peer.send(...texts('3'), closeFrame(4001, 'refused'))
      await peer.ended()
      if (socket !== undefined) await socket.closed
      assert.deepEqual(got, [])
      const { opened, dropped, closed } = app.websocketLifecycle.stats()
      assert.equal(opened, 1)
      assert.equal(closed['server-close'] + closed['server-terminate'], 1)
      assert.equal(dropped, what === 'close()' ? 3 : 2)
    })
  }
}

test('an onMessage that closes is the last one: what waits or comes is dropped and counted', async (t) => {
  const got: Message[] = []
  const handled = gate()
  const { app, peer, socket } = await connectOne(t, {
    route: {
      onMessage: async (socket, _request, message) => {
        got.push(message)
        if (message === 'last') socket.close(1000)
        await handled.opened
      },
    },
  })
  peer.send(...texts('last', 'one more'))
  await peer.nextOf(OPCODE.close)
  peer.send(...texts('was on its way'), closeFrame(1000))
  handled.open()
  await socket.closed
  assert.deepEqual(got, ['last'])
  assert.equal(app.websocketLifecycle.stats().dropped, 2)
})

test('beside a call that fails, others go on to their end, and their own errors are told', async (t) => {
  const told: string[] = []
  const slow = gate()
  const ends: string[] = []
  const { peer, socket } = await connectOne(t, {
    route: {
      inbox: { concurrency: 3 },
      onMessage: async (_socket, _request, message) => {
        if (message === 'fails') throw new Error('first')
        await slow.opened
        if (message === 'fails later') throw new Error('second')
        ends.push(String(message))
      },
      onHandlerError: (_socket, _request, error) => void told.push(error.message),
    },
  })
  peer.send(...texts('succeeds later', 'fails later', 'fails'))
  await peer.nextOf(OPCODE.close)
  slow.open()
  peer.send(closeFrame(1011))
  const close = await socket.closed
  assert.equal(close.error?.message, 'first')
  assert.deepEqual(told, ['first', 'second'])
  assert.deepEqual(ends, ['succeeds later'])
})

test('a plain listener that throws beside onMessage is a handler-error; nothing more is handled', async (t) => {
  const told: Error[] = []
  const got: Message[] = []
  const error = new Error('of the listener')
  const { app, peer, socket } = await connectOne(t, {
    handler: (socket) => {
      socket.on('message', (data: Buffer) => {
        if (data.toString() === '2') throw error
      })
    },
    route: {
      onMessage: async (_socket, _request, message) => {
        got.push(message)
        await turns(1)
      },
      onHandlerError: (_socket, _request, error) => void told.push(error),
    },
  })
  peer.send(...texts('1', '2', '3', '4'))
  await peer.nextOf(OPCODE.close)
  peer.send(closeFrame(1011))
  const close = await socket.closed
  assert.deepEqual([close.cause, close.error], ['handler-error', error])
  assert.deepEqual(told, [error])
  assert.deepEqual(got, ['1'])
  assert.equal(app.websocketLifecycle.stats().dropped, 3)
})
