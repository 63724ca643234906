// Messages that a route's onMessage handles: what it gets, and when.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import type { LifecycleSocket, Message } from '../../lib/index.js'
import { until } from '../support/time/timed.js'
import { roundTrip, texts } from '../support/peers/exchange.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { gate, type Gate, never } from '../support/time/gate.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, portOf, serve } from '../support/servers/server.js'

const { frame } = RawPeer

/** An onMessage whose calls end when the test says so. */
class Calls {
  /** `<message` where a call began, `message>` where it ended. */
  readonly events: string[] = []
  readonly #gates = new Map<string, Gate>()

  readonly onMessage = async (
    _socket: LifecycleSocket,
    _request: unknown,
    message: Message,
  ): Promise<void> => {
    const name = String(message)
    this.events.push(`<${name}`)
    await this.#gate(name).opened
    this.events.push(`${name}>`)
  }

  async finish(...names: string[]): Promise<void> {
    for (const name of names) this.#gate(name).open()
    await turns(1)
  }

  #gate(name: string): Gate {
    const known = this.#gates.get(name)
    if (known !== undefined) return known
    const made = gate()
    this.#gates.set(name, made)
    return made
  }
}

test('a text frame arrives as a string, a binary one as a Buffer: both are sent back in kind', async (t) => {
  const got: Message[] = []
  const { peer } = await connectOne(t, {
    route: {
      onMessage: (socket, _request, message) => {
        got.push(message)
        socket.send(message)
      },
    },
  })
  const sent = [
    { opcode: OPCODE.text, payload: Buffer.from('grüezi 🦊') },
    { opcode: OPCODE.binary, payload: Buffer.from([0, 1, 2, 255]) },
    { opcode: OPCODE.text, payload: Buffer.alloc(0) },
    { opcode: OPCODE.binary, payload: Buffer.alloc(0) },
  ]
  for (const { opcode, payload } of sent) peer.send(frame(opcode, payload))
  for (const each of sent) assert.deepEqual(await peer.next(), each)
  assert.deepEqual(got, ['grüezi 🦊', Buffer.from([0, 1, 2, 255]), '', Buffer.alloc(0)])
})

test('a message in fragments arrives as one', async (t) => {
  const got: Message[] = []
  const { peer } = await connectOne(t, {
    route: { onMessage: (_socket, _request, message) => void got.push(message) },
  })
  // A character is cut in two.
  const [start, end] = [Buffer.from('żeg').subarray(0, 1), Buffer.from('żeg').subarray(1)]
  peer.send(frame(OPCODE.text, start, false), frame(OPCODE.continuation, end))
  await roundTrip(peer)
  assert.deepEqual(got, ['żeg'])
})

test('messages are handled in order, one at a time, and each is awaited', async (t) => {
  const calls = new Calls()
  const { peer } = await connectOne(t, { route: { onMessage: calls.onMessage } })
  peer.send(...texts('1', '2', '3'))
  await roundTrip(peer)
  assert.deepEqual(calls.events, ['<1'])
  // That a later one could end at once changes nothing.
  await calls.finish('3', '2')
  assert.deepEqual(calls.events, ['<1'])
  await calls.finish('1')
  assert.deepEqual(calls.events, ['<1', '1>', '<2', '2>', '<3', '3>'])
})

test('up to `inbox.concurrency` messages are handled at once, and begin in order', async (t) => {
  const calls = new Calls()
  const { peer } = await connectOne(t, {
    route: { onMessage: calls.onMessage, inbox: { concurrency: 3 } },
  })
  peer.send(...texts('1', '2', '3', '4', '5', '6'))
  await roundTrip(peer)
  assert.deepEqual(calls.events, ['<1', '<2', '<3'])
  await calls.finish('2')
  assert.deepEqual(calls.events.splice(0), ['<1', '<2', '<3', '2>', '<4'])
  await calls.finish('4', '1')
  assert.deepEqual(calls.events.splice(0).toSorted(), ['1>', '4>', '<5', '<6'])
  await calls.finish('3', '5', '6')
  assert.deepEqual(calls.events, ['3>', '5>', '6>'])
})

test('more at once than the default of `maxMessages` is possible', async (t) => {
  const calls = new Calls()
  const { peer } = await connectOne(t, {
    clock: new FakeClock(),
    route: { onMessage: calls.onMessage, inbox: { concurrency: 100 } },
  })
  peer.send(...texts(...Array.from({ length: 101 }, (_, i) => String(i))))
  await until(() => calls.events.length >= 100)
  await turns()
  assert.equal(calls.events.length, 100)
  await calls.finish('0')
  assert.deepEqual(calls.events.slice(100), ['0>', '<100'])
})

test('messages that an onMessage without a promise handles are handled as they come', async (t) => {
  const got: Message[] = []
  const { peer } = await connectOne(t, {
    route: { onMessage: (_socket, _request, message) => got.push(message) },
  })
  const sent = Array.from({ length: 500 }, (_, i) => String(i))
  peer.send(...texts(...sent))
  await roundTrip(peer)
  assert.deepEqual(got, sent)
})

test('the first message waits until the handler has settled, and what came is handled in order', async (t) => {
  const loaded = gate()
  const events: string[] = []
  const { peer } = await connectOne(t, {
    handler: async () => {
      await loaded.opened
      events.push('loaded')
    },
    route: { onMessage: (_socket, _request, message) => events.push(String(message)) },
  })
  peer.send(...texts('1', '2'))
  await roundTrip(peer)
  peer.send(...texts('3'))
  await roundTrip(peer)
  assert.deepEqual(events, [])
  loaded.open()
  await turns(1)
  peer.send(...texts('4'))
  await roundTrip(peer)
  assert.deepEqual(events, ['loaded', '1', '2', '3', '4'])
})

test('a message that comes in one packet with the handshake waits for the handler too', async (t) => {
  const got: string[] = []
  const onMessage = (_socket: unknown, _request: unknown, message: Message): void =>
    void got.push(`message ${String(message)}`)
  const app = await serve(t, {
    routes: (instance) => {
      instance.get('/', { websocket: true, onMessage }, async () => {
        got.push('handler')
        await turns()
        got.push('handler has settled')
      })
    },
  })
  const handshake = RawPeer.handshake(portOf(app), '/')
  const peer = await RawPeer.dialWith(portOf(app), handshake, ...texts('early'))
  await peer.answer()
  await until(() => got.length === 3)
  await roundTrip(peer)
  assert.deepEqual(got, ['handler', 'handler has settled', 'message early'])
  peer.destroy()
})

test('onMessage is called with the instance of its route, the socket and its request', async (t) => {
  const calls: Array<{ self: FastifyInstance; socket: LifecycleSocket; request: unknown }> = []
  const sockets: LifecycleSocket[] = []
  const app = await serve(t, {
    routes: (root) => {
      root.register(async (child) => {
        child.decorate('whose', 'of the child')
        child.get(
          '/:id',
          {
            websocket: true,
            onMessage(socket, request) {
              calls.push({ self: this, socket, request })
            },
          },
          (socket) => void sockets.push(socket),
        )
      })
    },
  })
  const peer = await RawPeer.open(portOf(app), '/7')
  peer.send(...texts('who am I?'))
  await roundTrip(peer)
  const [call] = calls
  assert.ok(call)
  assert.equal(Reflect.get(call.self, 'whose'), 'of the child')
  assert.equal(call.socket, sockets[0])
  assert.equal(call.request, sockets[0]?.request)
  assert.deepEqual({ ...(sockets[0]?.request.params as object) }, { id: '7' })
})

test('a message that the app itself emits while it handles another has its turn', async (t) => {
  const got: Message[] = []
  const { peer } = await connectOne(t, {
    route: {
      onMessage: (socket, _request, message) => {
        got.push(message)
        if (message === 'outer') socket.emit('message', Buffer.from('inner'), false)
      },
    },
  })
  peer.send(...texts('outer', 'next'))
  await roundTrip(peer)
  assert.deepEqual(got, ['outer', 'inner', 'next'])
})

test('text that the app itself emits may be a string', async (t) => {
  const got: Message[] = []
  const { socket } = await connectOne(t, {
    route: { onMessage: (_socket, _request, message) => void got.push(message) },
  })
  socket.emit('message', 'a string', false)
  assert.deepEqual(got, ['a string'])
})

test('plain listeners see each message just before its onMessage, as ws gives it', async (t) => {
  const loaded = gate()
  const events: string[] = []
  const { peer } = await connectOne(t, {
    handler: async (socket) => {
      socket.on('message', (data, isBinary) => {
        assert.ok(Buffer.isBuffer(data))
        events.push(`heard ${data.toString()}${isBinary ? ', binary' : ''}`)
      })
      await loaded.opened
    },
    route: {
      onMessage: async (_socket, _request, message) => {
        events.push(`began ${String(message)}`)
        await turns(1)
        events.push(`ended ${String(message)}`)
      },
    },
  })
  peer.send(...texts('1'), frame(OPCODE.binary, '2'))
  await roundTrip(peer)
  assert.deepEqual(events, [])
  loaded.open()
  await turns()
  peer.send(...texts('3'))
  await roundTrip(peer)
  await turns()
  assert.deepEqual(events, [
    'heard 1',
    'began 1',
    'ended 1',
    'heard 2, binary',
    'began 2',
    'ended 2',
    'heard 3',
    'began 3',
    'ended 3',
  ])
})

test('an onMessage that hangs holds up its own connection only', async (t) => {
  const { port } = await connectOne(t, {
    clock: new FakeClock(),
    route: {
      onMessage: async (socket, _request, message) => {
        if (message === 'hang') await never
        socket.send(message)
      },
    },
  })
  const [first, second] = [await RawPeer.open(port), await RawPeer.open(port)]
  first.send(...texts('hang', 'echo'))
  await roundTrip(first)
  second.send(...texts('echo'))
  assert.equal((await second.next())?.payload.toString(), 'echo')
  first.send(frame(OPCODE.ping))
  assert.equal((await first.next())?.opcode, OPCODE.pong)
})

test('what onMessage sends leaves in the order of the messages', async (t) => {
  const { peer } = await connectOne(t, {
    route: {
      onMessage: async (socket, _request, message) => {
        if (Number(message) % 3 === 0) await turns(1)
        else if (Number(message) % 3 === 1) await Promise.resolve()
        socket.send(message)
      },
    },
  })
  const sent = Array.from({ length: 100 }, (_, i) => String(i))
  peer.send(...texts(...sent))
  for (const each of sent) assert.equal((await peer.next())?.payload.toString(), each)
})
