import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import type { LifecycleSocket, RouteLifecycleOptions } from '../lib/index.js'
import { openBusyPeer } from './support/busy-peer.js'
import { FakeClock, turns } from './support/fake-clock.js'
import { connectOver, type Line, rawOf, TCP, TLS, watchWrites } from './support/outbox.js'
import { type Frame, OPCODE, RawPeer } from './support/raw-peer.js'
import { connectOne, serveOne } from './support/server.js'

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

test('no more than 16 KiB are held back', async (t) => {
  const { peer, socket } = await connectOne(t)
  const writes = watchWrites(socket)
  const raw = rawOf(socket)
  for (let i = 0; i < 200; i++) {
    socket.send(String(i).padEnd(1_000))
    assert.ok(raw.writableLength <= 16 * KiB, `${raw.writableLength}`)
  }
  const inTurn = writes.length
  assert.ok(inTurn >= 11 && inTurn <= 13, `${inTurn} writes`)
  await turns(1)
  assert.equal(writes.length, inTurn + 1)
  for (const bytes of writes) assert.ok(bytes <= 17 * KiB, `${bytes}`)
  // One that is larger by itself is not held at all.
  socket.send('x')
  socket.send(Buffer.alloc(20 * KiB))
  assert.equal(raw.writableLength, 0)
  assert.deepEqual(
    (await take(peer, 200)).map((each) => each.trimEnd()),
    numbers(200),
  )
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
    socket.scope.signal.addEventListener('abort', () => (heldAtAbort = raw.writableLength))
    numbers(20).forEach((i) => socket.send(i))
    assert.ok(raw.writableCorked > 0 && raw.writableLength > 0)
    end(socket, peer)
    assert.equal(raw.writableCorked, 0)
    assert.equal(raw.writableLength, 0)
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

test('the one answer to a message is written without a callback, as on bare ws', async (t) => {
  const { peer } = await connectOne(t, {
    handler: (socket) => {
      socket.on('message', (data) => void socket.send(data as Buffer))
    },
  })
  await turns(1)
  const sends = t.mock.method(WebSocket.prototype, 'send').mock
  for (const text of numbers(3)) {
    peer.send(frame(OPCODE.text, text))
    assert.deepEqual(await take(peer, 1), [text])
  }
  assert.deepEqual(
    sends.calls.map((call) => Reflect.get(call.arguments, 2) as unknown),
    [undefined, undefined, undefined],
  )
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
