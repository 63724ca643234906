import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { WebSocket } from 'ws'
import { Turns } from '../../lib/time/turns.js'
import type { LifecycleSocket, RouteLifecycleOptions } from '../../lib/index.js'
import { openBusyPeer } from '../support/peers/busy-peer.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import {
  clog,
  connectOver,
  type Line,
  MORE_THAN_A_KERNEL_HOLDS,
  rawOf,
  TCP,
  TLS,
  watchWrites,
} from '../support/servers/outbox.js'
import { DEFLATE, type Frame, OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, serveOne } from '../support/servers/server.js'
import { surviveUncaught } from '../support/time/uncaught.js'

const { closeFrame, frame } = RawPeer
const LINES: readonly Line[] = [TCP, TLS]
const KiB = 1024

/** The next frames of a peer, as texts. */
async function take(peer: RawPeer, count: number): Promise<string[]> {
  const taken: string[] = []
  while (taken.length < count) {
    const each = await peer.next()
    if (each === undefined) break
    taken.push(told(each))
  }
  return taken
}

function told({ opcode, payload }: Frame): string {
  if (opcode === OPCODE.ping) return `ping ${payload.toString()}`
  if (opcode === OPCODE.pong) return `pong ${payload.toString()}`
  return opcode === OPCODE.close ? `close ${payload.readUInt16BE()}` : payload.toString()
}

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i))
}

for (const line of LINES) {
  test(`over ${line.over} the first message of a turn is with the peer while that turn goes on`, async (t) => {
    const { port, nextSocket } = await serveOne(t, line.server)
    const peer = await openBusyPeer(t, port, line === TLS)
    const socket = await nextSocket()
    // The turn of the 101 is over.
    await turns(3)
    socket.send('first')
    socket.send('second')
    assert.ok(peer.hasByte())
  })

  test(`over ${line.over} the further messages of a turn leave as one write, when it ends`, async (t) => {
    const { peer, socket } = await connectOver(line, t)
    const writes = watchWrites(socket)
    for (let turn = 0; turn < 3; turn++) {
      for (let i = 0; i < 50; i++) {
        assert.equal(socket.send(String(i)), true)
        assert.equal(writes.length, 2 * turn + 1, 'the first one has left, and no other')
      }
      await new Promise<void>((resolve) => process.nextTick(resolve))
      assert.equal(rawOf(socket).writableCorked, 0, 'nothing is held back for longer')
      assert.deepEqual(await take(peer, 50), numbers(50))
      await turns(2)
      assert.equal(writes.length, 2 * turn + 2)
    }
  })

  test(`over ${line.over} one message a turn leaves at once, each time`, async (t) => {
    const { peer, socket } = await connectOver(line, t)
    const writes = watchWrites(socket)
    for (let turn = 1; turn <= 20; turn++) {
      socket.send('x')
      assert.equal(writes.length, turn)
      assert.equal(rawOf(socket).writableCorked, 0)
      await turns(2)
    }
    assert.equal((await take(peer, 20)).length, 20)
  })

  test(`over ${line.over} ten pings in one packet behind a burst are all answered`, async (t) => {
    const { peer } = await connectOver(line, t, {
      handler: (socket) => {
        socket.on('message', () => {
          for (let i = 0; i < 30; i++) socket.send(String(i).padEnd(1_000))
        })
      },
    })
    const pings = numbers(10).map((payload) => frame(OPCODE.ping, payload))
    peer.send(frame(OPCODE.text, 'burst'), ...pings)
    const got = await take(peer, 40)
    assert.deepEqual(
      got.map((each) => each.trimEnd()),
      [...numbers(30), ...numbers(10).map((payload) => `pong ${payload}`)],
    )
  })

  test(`over ${line.over} automatic pongs keep their place among the answers`, async (t) => {
    const { peer } = await connectOver(line, t, {
      handler: (socket) => {
        socket.on('message', (data) => {
          for (const part of 'abc') socket.send(`${(data as Buffer).toString()}${part}`)
        })
      },
    })
    const packet = numbers(5).flatMap((i) => [frame(OPCODE.text, i), frame(OPCODE.ping, i)])
    peer.send(...packet)
    const expected = numbers(5).flatMap((i) => [`${i}a`, `${i}b`, `${i}c`, `pong ${i}`])
    assert.deepEqual(await take(peer, 20), expected)
  })

  test(`over ${line.over} the close frame, and our echo of one, come after all that the turn sent`, async (t) => {
    const { port, nextSocket } = await serveOne(t, {
      ...line.server,
      handler: (socket) => {
        socket.on('message', () => numbers(20).forEach((i) => socket.send(i)))
      },
    })
    const first = await line.dial(port)
    const socket = await nextSocket()
    numbers(20).forEach((i) => socket.send(i))
    socket.close(4000)
    assert.deepEqual(await take(first, 21), [...numbers(20), 'close 4000'])
    const second = await line.dial(port)
    second.send(frame(OPCODE.text, 'burst'), closeFrame(4001))
    assert.deepEqual(await take(second, 21), [...numbers(20), 'close 4001'])
  })

  for (const perMessageDeflate of [false, true]) {
    test(`over ${line.over}${perMessageDeflate ? ', compressed,' : ''} whatever a turn sends, and whenever, keeps its order`, async (t) => {
      const setup = { options: { websocket: { perMessageDeflate } } }
      const { port, nextSocket } = await serveOne(t, { ...setup, ...line.server })
      const client = new WebSocket(`${line === TLS ? 'wss' : 'ws'}://127.0.0.1:${port}/`, {
        perMessageDeflate,
        rejectUnauthorized: false,
      })
      const got: string[] = []
      client.on('message', (data, isBinary) => {
        const text = (data as Buffer).toString()
        got.push(isBinary ? `binary ${text}` : text)
      })
      client.on('ping', (data) => got.push(`ping ${data.toString()}`))
      client.on('pong', (data) => got.push(`pong ${data.toString()}`))
      client.on('close', (code) => got.push(`close ${code}`))
      const socket = await nextSocket()
      await once(client, 'open')
      const sent: string[] = []
      const sendAll = (when: string): void => {
        socket.send(when)
        socket.send(Buffer.from(when))
        socket.ping(when)
        socket.send(`${when}, `, { fin: false })
        socket.pong(when)
        socket.send('in two parts')
        socket.send(new Blob([when]) as never)
        socket.send(when.padEnd(6 * KiB, '.'))
        sent.push(when, `binary ${when}`, `ping ${when}`, `pong ${when}`, `${when}, in two parts`)
        sent.push(`binary ${when}`, when.padEnd(6 * KiB, '.'))
      }
      for (let turn = 0; turn < 3; turn++) {
        process.nextTick(() => {
          sendAll('a tick')
          process.nextTick(sendAll, 'a tick of a tick')
          void Promise.resolve('a promise of a tick').then(sendAll)
        })
        void Promise.resolve('a promise').then(sendAll)
        queueMicrotask(() => process.nextTick(sendAll, 'a tick of a promise'))
        setImmediate(sendAll, 'an immediate')
        setTimeout(sendAll, 0, 'a timer')
        sendAll('the turn')
        sendAll('the turn, again')
        await turns(3)
        assert.equal(rawOf(socket).writableCorked, 0)
      }
      while (sent.length < 3 * 9 * 7) await turns(1)
      await socket.drained()
      numbers(5).forEach((i) => socket.send(i))
      socket.close(4000)
      await once(client, 'close')
      assert.deepEqual(got, [...sent, ...numbers(5), 'close 4000'])
    })
  }
}

for (const [what, sizes] of Object.entries({
  small: [100],
  larger: [1_000],
  mixed: [100, 1_000],
})) {
  test(`of ${what} messages no more than 16 KiB are held back`, async (t) => {
    const { peer, socket } = await connectOne(t)
    const writes = watchWrites(socket)
    const sent: string[] = []
    for (let bytes = 0; bytes < 195 * KiB; bytes += sent.at(-1)?.length ?? 0) {
      sent.push(String(sent.length).padEnd(sizes[sent.length % sizes.length] ?? 0))
      socket.send(sent.at(-1) ?? '')
      assert.ok(socket.bufferedAmount <= 16 * KiB, `${socket.bufferedAmount}`)
    }
    const inTurn = writes.length
    assert.ok(inTurn >= 12 && inTurn <= 14, `${inTurn} writes`)
    await turns(1)
    assert.equal(writes.length, inTurn + 1)
    for (const bytes of writes) assert.ok(bytes <= 17 * KiB, `${bytes}`)
    // One that is larger by itself is not held at all.
    socket.send('x')
    socket.send(Buffer.alloc(20 * KiB))
    assert.equal(socket.bufferedAmount, 0)
    assert.deepEqual(await take(peer, sent.length), sent)
  })
}

test('what is held back is counted as buffered, as it would be with the stream', async (t) => {
  const { peer, socket } = await connectOne(t)
  await turns(3)
  const header = 2
  socket.send('first')
  assert.equal(socket.bufferedAmount, 0)
  socket.send('text')
  assert.equal(socket.bufferedAmount, header + 4)
  socket.send(Buffer.from('bytes'))
  assert.equal(socket.bufferedAmount, header + 4 + header + 5)
  socket.send('with a callback', () => {})
  assert.equal(socket.bufferedAmount, header + 4 + header + 5 + header + 15)
  await turns(1)
  assert.equal(socket.bufferedAmount, 0)
  assert.deepEqual(await take(peer, 4), ['first', 'text', 'bytes', 'with a callback'])
})

test('connections that send by turns, in one turn of the loop, get what is theirs, in order', async (t) => {
  const { port, nextSocket } = await serveOne(t)
  const peers: RawPeer[] = []
  const sockets: LifecycleSocket[] = []
  for (let i = 0; i < 3; i++) {
    peers.push(await RawPeer.open(port))
    sockets.push(await nextSocket())
  }
  const message = fc.record({
    to: fc.nat({ max: 2 }),
    text: fc.string({ unit: 'binary', maxLength: 700 }),
    isBinary: fc.boolean(),
  })
  const turn = fc.array(message, { maxLength: 100 })
  await fc.assert(
    fc.asyncProperty(turn, async (messages) => {
      const expected: string[][] = [[], [], []]
      for (const { to, text, isBinary } of messages) {
        sockets[to]?.send(isBinary ? Buffer.from(text) : text)
        expected[to]?.push(text)
      }
      for (const [i, texts] of expected.entries()) {
        assert.deepEqual(await take(peers[i] as RawPeer, texts.length), texts)
      }
    }),
  )
})

test('a message that is to be masked is masked behind others, too', async (t) => {
  const { port, nextSocket } = await serveOne(t)
  const peer = await RawPeer.open(port)
  const socket = await nextSocket()
  const got = once(peer.socket, 'data')
  for (const text of ['a', 'b']) socket.send(text)
  socket.send('c', { mask: true })
  socket.send('d')
  const chunks = [((await got) as [Buffer])[0]]
  peer.socket.on('data', (chunk) => chunks.push(chunk))
  const wire = (): Buffer => Buffer.concat(chunks)
  while (wire().length < 3 + 3 + 7 + 3) await once(peer.socket, 'data')
  assert.deepEqual(
    [1, 4, 7, 14].map((at) => wire()[at]),
    [1, 1, 0x81, 1],
  )
})

test('where messages are compressed, those of a burst are, too', async (t) => {
  const { port, nextSocket } = await serveOne(t, {
    options: { websocket: { perMessageDeflate: true } },
  })
  const peer = await RawPeer.open(port, '/', DEFLATE)
  const socket = await nextSocket()
  for (let i = 0; i < 20; i++) socket.send('x'.repeat(100))
  for (let i = 0; i < 20; i++) assert.equal((await peer.next())?.opcode, OPCODE.text)
  socket.terminate()
  const { bytesSent } = await socket.closed
  assert.ok(bytesSent < 20 * 50, `${bytesSent}`)
})

test('where an app ends the stream beneath a burst, what was held back is lost, and harms nobody', async (t) => {
  const { port, nextSocket } = await serveOne(t)
  const peers = [await RawPeer.open(port)]
  const ended = await nextSocket()
  peers.push(await RawPeer.open(port))
  const destroyed = await nextSocket()
  peers.push(await RawPeer.open(port))
  const socket = await nextSocket()
  await turns(3)
  numbers(5).forEach((i) => ended.send(i))
  rawOf(ended).end()
  numbers(5).forEach((i) => destroyed.send(i))
  rawOf(destroyed).destroy()
  numbers(5).forEach((i) => socket.send(i))
  for (const [i, count] of [1, 1, 5].entries()) {
    assert.deepEqual(await take(peers[i] as RawPeer, count), numbers(count))
  }
  assert.equal(ended.bufferedAmount, 0)
  peers[0]?.finish()
  assert.equal((await ended.closed).cause, 'connection-lost')
  assert.equal((await destroyed.closed).cause, 'connection-lost')
  assert.equal(socket.readyState, WebSocket.OPEN)
})

interface Last {
  readonly how: string
  readonly end: (socket: LifecycleSocket, peer: RawPeer) => unknown
  readonly code?: number
}

const LASTS: readonly Last[] = [
  { how: 'close()', end: (socket) => socket.close(4000), code: 4000 },
  { how: 'terminate()', end: (socket) => socket.terminate() },
  {
    how: 'an error',
    code: 1011,
    end: (socket) => socket.emit('error', new Error('on purpose')),
  },
]

for (const { how, end, code } of LASTS) {
  test(`${how} lets go what is held back, and the peer gets it`, async (t) => {
    const { peer, socket } = await connectOne(t)
    const raw = rawOf(socket)
    let heldAtAbort = -1
    const held = (): number => socket.bufferedAmount + raw.writableLength
    socket.scope.signal.addEventListener('abort', () => (heldAtAbort = held()))
    numbers(20).forEach((i) => socket.send(i))
    assert.ok(raw.writableCorked > 0 && held() > 0)
    end(socket, peer)
    assert.equal(raw.writableCorked, 0)
    assert.equal(held(), 0)
    await Promise.resolve()
    await Promise.resolve()
    assert.equal(heldAtAbort, 0)
    const goodbye = code === undefined ? [] : [`close ${code}`]
    assert.deepEqual(await take(peer, 20 + goodbye.length), [...numbers(20), ...goodbye])
  })
}

test('a listener that throws behind a burst leaves nothing held back', async (t) => {
  const { peer, socket } = await connectOne(t, {
    handler: (socket) => {
      socket.on('message', () => {
        numbers(10).forEach((i) => socket.send(i))
        throw new Error('on purpose')
      })
    },
  })
  peer.send(frame(OPCODE.text, 'burst'))
  assert.deepEqual(await take(peer, 11), [...numbers(10), 'close 1011'])
  assert.equal(rawOf(socket).writableCorked, 0)
})

const READERS: Readonly<Record<string, RouteLifecycleOptions & { handler?: unknown }>> = {
  'an onMessage': { onMessage: (socket, _request, message) => void socket.send(message) },
  'an async onMessage that answers at once': {
    onMessage: async (socket, _request, message) => void socket.send(message),
  },
  'an async onMessage': {
    onMessage: async (socket, _request, message) => {
      for (let i = 0; i < 5; i++) await Promise.resolve()
      socket.send(message)
    },
  },
}

const HANDLERS: Readonly<Record<string, (socket: LifecycleSocket) => unknown>> = {
  'a listener': (socket) => {
    socket.on('message', (data) => socket.send((data as Buffer).toString()))
  },
  'an async listener': (socket) => {
    socket.on('message', async (data) => {
      await Promise.resolve()
      socket.send((data as Buffer).toString())
    })
  },
  'a loop over messages()': async (socket) => {
    for await (const message of socket.messages()) socket.send(await Promise.resolve(message))
  },
}

const ANSWERERS = [
  ...Object.entries(READERS).map(([by, route]) => ({ by, setup: { route } })),
  ...Object.entries(HANDLERS).map(([by, handler]) => ({ by, setup: { handler } })),
]
/** They answer while ws hands over what it has read, and there is more of that. */
const AT_ONCE: ReadonlySet<string> = new Set(['an onMessage', 'a listener'])

for (const { by, setup } of ANSWERERS) {
  for (const line of LINES) {
    const most = AT_ONCE.has(by) ? 1 : 2
    test(`over ${line.over} eight messages in one packet are answered by ${by} in ${most} write(s) at most`, async (t) => {
      const { peer, socket } = await connectOver(line, t, setup)
      await turns(1)
      const writes = watchWrites(socket)
      for (let round = 1; round <= 3; round++) {
        peer.send(...numbers(8).map((i) => frame(OPCODE.text, i)))
        assert.deepEqual(await take(peer, 8), numbers(8))
        assert.ok(writes.length <= most * round, `${writes.length} writes in ${round} rounds`)
      }
    })
  }
}

for (const line of LINES) {
  test(`over ${line.over} the one answer to a message leaves at once, the second and third together`, async (t) => {
    const { peer, socket } = await connectOver(line, t, {
      handler: (socket) => {
        socket.on('message', (data) => {
          for (const text of (data as Buffer).toString().split('')) socket.send(text)
          corked.push(rawOf(socket).writableCorked)
        })
      },
    })
    const corked: number[] = []
    await turns(1)
    const writes = watchWrites(socket)
    for (const [text, expected] of [
      ['a', 1],
      ['b', 2],
      ['abc', 4],
      ['d', 5],
    ] as const) {
      peer.send(frame(OPCODE.text, text))
      assert.deepEqual(await take(peer, text.length), text.split(''))
      assert.equal(writes.length, expected)
    }
    assert.deepEqual(corked, [0, 0, 1, 0])
  })
}

test('the one answer to a message is one write, without a callback', async (t) => {
  const { peer, socket } = await connectOne(t, {
    handler: (socket) => {
      socket.on('message', (data) => void socket.send(data as Buffer))
    },
  })
  await turns(1)
  const writes = t.mock.method(rawOf(socket), 'write').mock
  for (const text of numbers(3)) {
    peer.send(frame(OPCODE.text, text))
    assert.deepEqual(await take(peer, 1), [text])
  }
  assert.deepEqual(
    writes.calls.map(({ arguments: [, ...others] }) => others),
    [[], [], []],
  )
})

test('what is sent after an app has ended the stream itself ends the connection, as in ws', async (t) => {
  const { socket } = await connectOne(t)
  await turns(3)
  rawOf(socket).end()
  socket.send('late')
  assert.equal((await socket.closed).cause, 'connection-reset')
})

test('behind what the peer has not taken yet, messages are handed over as they are, without a copy', async (t) => {
  const bytes = 2 * MORE_THAN_A_KERNEL_HOLDS
  const { peer, socket } = await connectOne(t, {
    route: { outbox: { highWaterMark: bytes, maxBytes: bytes } },
  })
  peer.freeze()
  await turns(3)
  const writes = t.mock.method(rawOf(socket), 'write').mock
  const sendThree = async (): Promise<boolean[]> => {
    writes.resetCalls()
    const messages = numbers(3).map((text) => Buffer.from(text))
    for (const message of messages) socket.send(message)
    await turns(3)
    const written = new Set<unknown>(writes.calls.map(({ arguments: [chunk] }) => chunk))
    return messages.map((message) => written.has(message))
  }
  assert.deepEqual(await sendThree(), [false, false, false])
  await clog(socket)
  assert.deepEqual(await sendThree(), [true, true, true])
  socket.terminate()
})

test('a loop over drained() sends bursts as well', async (t) => {
  const { peer, socket } = await connectOne(t)
  const writes = watchWrites(socket)
  for (const text of numbers(40)) {
    assert.equal(await socket.drained(), true)
    socket.send(text)
  }
  assert.deepEqual(await take(peer, 40), numbers(40))
  assert.ok(writes.length <= 3, `${writes.length} writes`)
})

test('a broadcast of several messages costs each connection two writes', async (t) => {
  const { app, port } = await serveOne(t)
  const peers = await Promise.all(Array.from({ length: 30 }, () => RawPeer.open(port)))
  const sockets = [...app.websocketLifecycle.connections]
  const writes = sockets.map((socket) => watchWrites(socket))
  for (const text of numbers(10)) for (const socket of sockets) socket.send(text)
  for (const peer of peers) assert.deepEqual(await take(peer, 10), numbers(10))
  assert.deepEqual(new Set(writes.map((each) => each.length)), new Set([2]))
})

test('on a stream that is no socket nothing is held back', async (t) => {
  const { app, nextSocket } = await serveOne(t)
  const client = await app.injectWS('/')
  const got: string[] = []
  client.on('message', (data: Buffer) => got.push(data.toString()))
  const socket = await nextSocket()
  for (const text of numbers(100)) {
    assert.equal(socket.send(text), true)
    assert.equal(Reflect.get(rawOf(socket), '_corked'), 0)
  }
  assert.equal(await socket.drained(), true)
  socket.close(4000)
  const [code] = (await once(client, 'close')) as [number]
  assert.equal(code, 4000)
  assert.deepEqual(got, numbers(100))
  await socket.closed
})

function countListeners(socket: LifecycleSocket): number {
  const raw = rawOf(socket)
  return [socket, raw]
    .flatMap((emitter) => emitter.eventNames().map((name) => emitter.listenerCount(name)))
    .reduce((sum, count) => sum + count, 0)
}

test('messages add neither listeners nor timers', async (t) => {
  const clock = new FakeClock()
  const { peer, socket } = await connectOne(t, { clock })
  socket.send('x')
  await turns(1)
  const before = [countListeners(socket), clock.pending]
  for (let i = 0; i < 1_000; i++) {
    socket.send('x')
    if (i % 100 === 0) await turns(1)
    assert.deepEqual([countListeners(socket), clock.pending], before)
  }
  peer.freeze()
  for (let i = 0; i < 200; i++) {
    socket.send(Buffer.alloc(64 * KiB))
    void socket.drained()
    if (i % 10 === 0) await turns(1)
  }
  // A stream that waits for its peer has node's own listeners at most.
  if (socket.readyState === socket.OPEN) {
    assert.deepEqual([countListeners(socket), clock.pending], before)
  }
})

test('a holder that throws when the turn is over keeps no other one from hearing of it', async (t) => {
  const uncaught = surviveUncaught(t)
  const numbered = new Turns()
  const error = new Error('mine')
  const told: string[] = []
  const failing = {
    turnOver: () => {
      told.push('failing')
      throw error
    },
  }
  numbered.hold({ turnOver: () => told.push('first') })
  numbered.hold(failing)
  numbered.hold({ turnOver: () => told.push('last') })
  await turns(2)
  assert.deepEqual(told, ['first', 'failing', 'last'])
  assert.deepEqual(uncaught, [error])
  numbered.thisTurn()
  await turns(2)
  assert.equal(told.length, 3, 'each is told once')
})
