// Messages of every kind that ws knows, sockets that are none of ours, and streams that are no sockets.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { runInNewContext } from 'node:vm'
import { WebSocket } from 'ws'
import type { RouteLifecycleOptions } from '../../lib/index.js'
import {
  sizeAtMost,
  sizeOf,
  sizeOfReceived,
  toKept,
  toPayload,
} from '../../lib/platform/payload.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, portOf, serveOne } from '../support/servers/server.js'

/** As libraries make them where there is none, or to read from elsewhere. */
class LibrarysBlob {
  readonly size: number
  readonly type = ''
  readonly #tag: string

  constructor(size: number, tag: string) {
    this.size = size
    this.#tag = tag
  }

  get [Symbol.toStringTag](): string {
    return this.#tag
  }

  stream(): ReadableStream {
    return new Blob([Buffer.alloc(this.size)]).stream()
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return new ArrayBuffer(this.size)
  }
}

test('a message has the bytes that it has on the wire, whatever it is made of', () => {
  const sizes: ReadonlyArray<readonly [data: unknown, bytes: number]> = [
    ['grüezi', 7],
    ['', 0],
    [Buffer.alloc(3), 3],
    [new Uint16Array(2), 4],
    [new ArrayBuffer(5), 5],
    [new Blob(['grüezi']), 7],
    [12, 2],
    [undefined, 0],
    [[1, 2, 3], 3],
    [Buffer.from('grüezi').toJSON(), 7],
    [new SharedArrayBuffer(1000), 1000],
    [runInNewContext('new ArrayBuffer(1000)'), 1000],
    [runInNewContext('new Uint16Array(500)'), 1000],
    [{ length: 1000 }, 1000],
    [new LibrarysBlob(1000, 'Blob'), 1000],
    [new LibrarysBlob(1000, 'File'), 1000],
    // What is a little like one has as many bytes as it says it has members.
    [Object.assign(new LibrarysBlob(1000, 'Bulb'), { length: 5 }), 5],
    [{ arrayBuffer: () => {}, length: 6 }, 6],
    [{ arrayBuffer: () => {}, stream: () => {}, length: 7 }, 7],
  ]
  for (const [data, bytes] of sizes) {
    const payload = toPayload(data)
    assert.equal(sizeOf(payload), bytes)
    assert.ok(sizeAtMost(payload) >= bytes)
  }
})

test('what ws cannot send is refused as ws refuses it', () => {
  for (const data of [true, {}, () => {}, Symbol('x'), 1n]) {
    assert.throws(() => toPayload(data), TypeError)
  }
})

test('the callback of what cannot be sent is never called, as in ws', async (t) => {
  const { peer, socket } = await connectOne(t)
  let called = 0
  assert.throws(() => socket.send({} as never, () => called++), TypeError)
  peer.destroy()
  await socket.closed
  assert.equal(called, 0)
})

test('what was received has the bytes that it had on the wire, whatever binaryType makes of it', () => {
  const bytes = Buffer.from('grüezi')
  const parts = [bytes.subarray(0, 3), bytes.subarray(3)]
  for (const data of [bytes, new Uint8Array(bytes).buffer, parts, new Blob(parts), 'grüezi']) {
    assert.equal(sizeOfReceived(data), 7)
  }
})

test('what has to wait does not keep the read that brought it, nor do its parts', () => {
  const part = Buffer.from(new ArrayBuffer(131_072), 14, 5).fill('x')
  const held = [toKept(part), ...(toKept([part, part]) as unknown[])]
  for (const each of held) {
    assert.deepEqual(each, Buffer.from('xxxxx'))
    assert.ok((each as Buffer).buffer.byteLength <= Buffer.poolSize)
  }
  const blob = new Blob([part])
  assert.equal(toKept(blob), blob)
})

for (const binaryType of ['nodebuffer', 'arraybuffer', 'fragments', 'blob'] as const) {
  test(`onMessage and messages() give Buffers where binaryType is ${binaryType}`, async (t) => {
    const heard: unknown[] = []
    const { app } = await serveOne(t, {
      route: {
        onMessage: (socket, _request, message) => {
          heard.push(message)
          socket.send('heard')
        },
      },
      handler: (socket) => {
        Reflect.set(socket, 'binaryType', binaryType)
      },
      routes: (instance) => {
        instance.get('/loop', { websocket: true }, async (socket) => {
          Reflect.set(socket, 'binaryType', binaryType)
          for await (const message of socket.messages()) {
            heard.push(message)
            socket.send('heard')
          }
        })
      },
    })
    for (const path of ['/', '/loop']) {
      const peer = await RawPeer.open(portOf(app), path)
      peer.send(RawPeer.frame(OPCODE.binary, Buffer.from([1, 2, 3])))
      await peer.nextOf(OPCODE.text)
      peer.destroy()
    }
    assert.deepEqual(heard, [Buffer.from([1, 2, 3]), Buffer.from([1, 2, 3])])
  })
}

test('a listener may leave the loop that is about to get the message that it hears', async (t) => {
  const heard: string[] = []
  const { peer, socket, events, app } = await connectOne(t, {
    handler: (opened) => {
      const loop = opened.messages()
      opened.once('message', () => void loop.return?.())
      void loop.next().then(({ done }) => heard.push(`done: ${done}`))
    },
  })
  peer.send(RawPeer.frame(OPCODE.text, 'first'), RawPeer.closeFrame(1000))
  await socket.closed
  assert.deepEqual(heard, ['done: true'])
  assert.equal(app.websocketLifecycle.stats().abandoned, 0)
  assert.equal(events.at(-1), 'release')
})

test('where maxPayload is 0 a message of any size is handled', async (t) => {
  const { peer } = await connectOne(t, {
    options: { websocket: { maxPayload: 0 } },
    route: { onMessage: (socket, _request, message) => socket.send(String(message.length)) },
  })
  peer.send(RawPeer.frame(OPCODE.binary, Buffer.alloc(5_000_000)))
  assert.equal(String((await peer.nextOf(OPCODE.text))?.payload), '5000000')
  peer.destroy()
})

test('over a stream that is no socket pings are answered, and messages handled', async (t) => {
  const { app } = await serveOne(t, {
    route: { onMessage: (socket, _request, message) => socket.send(message) },
  })
  const client = await app.injectWS('/')
  client.ping('one')
  await once(client, 'pong')
  client.send('two')
  const [data] = (await once(client, 'message')) as [Buffer]
  assert.equal(data.toString(), 'two')
  client.terminate()
})

test('where age is not judged a look tells of room that no callback tells of', async (t) => {
  const clock = new FakeClock()
  const { peer, socket } = await connectOne(t, {
    clock,
    options: { outbox: { highWaterMark: 4, maxAge: false } },
  })
  peer.freeze()
  // ws's own method, as a library might call it: nothing of ours hears that it was written.
  const send = (data: Buffer): void => WebSocket.prototype.send.call(socket, data, {})
  while (socket.bufferedAmount === 0) send(Buffer.alloc(1024 * 1024))
  const drained = socket.drained()
  await clock.advance(2_000)
  peer.socket.resume()
  while (socket.bufferedAmount > 0) await new Promise(setImmediate)
  await clock.advance(2_000)
  assert.equal(await drained, true)
  peer.destroy()
})

test('what a validator answers is read as Fastify reads it for a body', async (t) => {
  const answers: unknown[] = [{}, { error: undefined, value: 7 }, { error: null }, null, true]
  const heard: unknown[] = []
  const { peer } = await connectOne(t, {
    before: (app) => app.setValidatorCompiler(() => () => answers.shift() as boolean),
    route: {
      schema: { message: {} },
      onMessage: (socket, _request, message) => {
        heard.push(message)
        socket.send('heard')
      },
    } as RouteLifecycleOptions,
  })
  while (answers.length > 0) {
    peer.send(RawPeer.frame(OPCODE.text, '"raw"'))
    await peer.nextOf(OPCODE.text)
  }
  assert.deepEqual(heard, ['raw', 7, 'raw', 'raw', 'raw'])
  peer.destroy()
})

for (const [schema, answer] of [
  [true, 'heard'],
  [false, 'invalid'],
] as const) {
  test(`the schema ${schema} is one`, async (t) => {
    const { peer } = await connectOne(t, {
      route: {
        schema: { message: schema },
        onMessage: (socket) => socket.send('heard'),
        onInvalidMessage: (socket) => socket.send('invalid'),
      } as RouteLifecycleOptions,
    })
    peer.send(RawPeer.frame(OPCODE.text, '1'))
    assert.equal(String((await peer.nextOf(OPCODE.text))?.payload), answer)
    peer.destroy()
  })
}

test('inherited options of send() are ignored, as in ws', async (t) => {
  const { peer, socket } = await connectOne(t)
  const inherited = Object.create({ binary: true, fin: false, mask: true }) as object
  socket.send('first', inherited)
  socket.send('second', inherited)
  for (const text of ['first', 'second']) {
    assert.deepEqual(await peer.next(), { opcode: OPCODE.text, payload: Buffer.from(text) })
  }
})
