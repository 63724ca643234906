import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { createRequire } from 'node:module'
import { type AddressInfo, connect as connectNet, createServer, type Socket } from 'node:net'
import { Duplex, type Writable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { WebSocket, WebSocketServer } from 'ws'
import {
  bytesHeld,
  bytesTaken,
  isResponding,
  responseOf,
} from '../../lib/platform/node-internals.js'
import {
  abandonReceiver,
  bytesArriving,
  guardReceiver,
  hasMoreRead,
  hasParserFailed,
  isParsing,
  isReading,
  keepParts,
  type Parser,
  whenParsed,
} from '../../lib/platform/ws-receiver.js'
import {
  bufferedByWs,
  dropUnprepared,
  isBetweenMessages,
  isPreparing,
  isQueued,
  queuedFrames,
} from '../../lib/platform/ws-sender.js'
import { ignoresPieces, isCloseFrameReceived } from '../../lib/platform/ws-socket.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { threadPool } from '../support/time/thread-pool.js'
import { cert, key } from '../support/servers/tls.js'

/** More than any kernel takes for a peer that does not read. */
const TOO_MUCH = 32 * 1024 * 1024

const { deflated } = RawPeer

function rawOf(socket: WebSocket): Socket {
  return Reflect.get(socket, '_socket') as Socket
}

/** Lets the loop poll until something holds; the runner's own timeout ends what never does. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn()
}

interface Ends {
  /** The one that writes. */
  readonly near: Socket
  /** The one that reads, or does not. */
  readonly far: Socket
}

async function overTcp(t: TestContext): Promise<Ends> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const far = connectNet((server.address() as AddressInfo).port, '127.0.0.1')
  const [near] = await accepted
  endWith(t, server, near, far)
  return { near, far }
}

async function overTls(t: TestContext): Promise<Ends> {
  const server = createTlsServer({ key, cert }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'secureConnection') as Promise<[Socket]>
  const { port } = server.address() as AddressInfo
  const far = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca: cert })
  const [near] = await accepted
  endWith(t, server, near, far)
  return { near, far }
}

function endWith(t: TestContext, server: { close(): unknown }, ...sockets: Socket[]): void {
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
}

/** What node would be if it kept these to itself. */
class Opaque extends Duplex {
  readonly _handle: object | null | undefined

  constructor(handle: object | null | undefined) {
    super()
    this._handle = handle
  }
}

for (const [transport, open] of [
  ['TCP', overTcp],
  ['TLS', overTls],
] as const) {
  test(`over ${transport}, what the kernel took of one big write grows as the peer reads`, async (t) => {
    const { near, far } = await open(t)
    const start = bytesTaken(near) ?? NaN
    far.pause()
    const written = new Promise((resolve) => near.write(Buffer.alloc(TOO_MUCH), resolve))
    await until(() => bytesHeld(near) > 0)
    const taken = bytesTaken(near) ?? NaN
    assert.ok(taken > start && taken - start < TOO_MUCH)

    // A part of it, and node says nothing of it to anybody.
    let drains = 0
    near.on('drain', () => drains++)
    const held = bytesHeld(near)
    far.resume()
    await until(() => far.bytesRead > TOO_MUCH / 4)
    far.pause()
    await until(() => (bytesTaken(near) ?? NaN) > taken)
    assert.ok(transport === 'TLS' || bytesHeld(near) < held)
    assert.equal(drains, 0)

    far.resume()
    await written
    assert.equal(bytesHeld(near), 0)
    const all = (bytesTaken(near) ?? NaN) - start
    assert.ok(transport === 'TLS' ? all > TOO_MUCH : all === TOO_MUCH)
  })

  test(`over ${transport}, a peer that reads leaves nothing with us`, async (t) => {
    const { near, far } = await open(t)
    far.resume()
    const start = bytesTaken(near) ?? NaN
    await new Promise((resolve) => near.write('hello', resolve))
    assert.equal(bytesHeld(near), 0)
    assert.ok((bytesTaken(near) ?? NaN) - start >= 5)
  })

  test(`over ${transport}, a stream that is gone tells nothing`, async (t) => {
    const { near } = await open(t)
    near.destroy()
    await once(near, 'close')
    assert.equal(bytesTaken(near), undefined)
    assert.equal(bytesHeld(near), 0)
  })
}

test('of a stream that is no socket, or hides its counts, nothing is known', () => {
  for (const handle of [undefined, null, {}, { bytesWritten: 1 }, { _parent: {} }]) {
    const stream = new Opaque(handle)
    assert.equal(bytesTaken(stream), undefined)
    assert.equal(bytesHeld(stream), 0)
  }
})

/** A server-side socket that notes, when its `close()` is called, whether the peer's frame was there. */
class NotingSocket extends WebSocket {
  readonly closes: Array<{ code: number | undefined; isFrameReceived: boolean }> = []

  override close(code?: number, reason?: string | Buffer): void {
    this.closes?.push({ code, isFrameReceived: isCloseFrameReceived(this) })
    super.close(code, reason)
  }
}

interface Pair {
  readonly server: NotingSocket
  readonly raw: Socket
  readonly client: WebSocket
}

/** Both sides of a WebSocket, by ws. */
async function openPair(t: TestContext, perMessageDeflate: boolean): Promise<Pair> {
  const wss = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    WebSocket: NotingSocket,
    perMessageDeflate: perMessageDeflate && { threshold: 0 },
  })
  await once(wss, 'listening')
  const accepted = once(wss, 'connection')
  const client = new WebSocket(`ws://127.0.0.1:${(wss.address() as AddressInfo).port}`, {
    perMessageDeflate: perMessageDeflate && { threshold: 0 },
  })
  const [server, request] = (await accepted) as [NotingSocket, { socket: Socket }]
  if (client.readyState !== WebSocket.OPEN) await once(client, 'open')
  t.after(() => {
    client.terminate()
    server.terminate()
    wss.close()
  })
  return { server, client, raw: request.socket }
}

test("the peer's close frame is known inside the close() with which ws answers it", async (t) => {
  const { server, client } = await openPair(t, false)
  assert.equal(isCloseFrameReceived(server), false)
  client.close(4000)
  await once(server, 'close')
  assert.deepEqual(server.closes[0], { code: 4000, isFrameReceived: true })
  assert.equal(isCloseFrameReceived(server), true)
})

test('inside a close() of the app there is none yet, later the echo', async (t) => {
  const { server } = await openPair(t, false)
  server.close(4001)
  await once(server, 'close')
  assert.deepEqual(server.closes[0], { code: 4001, isFrameReceived: false })
  assert.equal(isCloseFrameReceived(server), true)
})

test('inside the close() with which ws answers a protocol error there is none', async (t) => {
  const { server, client } = await openPair(t, false)
  const failed = once(server, 'error')
  client.on('error', () => {})
  // A frame with a reserved bit set.
  Reflect.get(client, '_socket').write(Buffer.from([0xf1, 0x80, 0, 0, 0, 0]))
  await failed
  assert.deepEqual(server.closes[0], { code: 1002, isFrameReceived: false })
})

test('a frame behind one that is being compressed is queued, and leaves with it', async (t) => {
  const { server, client } = await openPair(t, true)
  const payload = Buffer.from('ping')
  assert.equal(queuedFrames(server), 0)
  server.send('x'.repeat(1_000_000))
  assert.equal(queuedFrames(server), 0)
  server.ping(payload)
  assert.equal(queuedFrames(server), 1)
  assert.equal(isQueued(server, payload), true)
  assert.equal(isQueued(server, Buffer.from('ping')), false, 'it is this very frame that is meant')
  const [received] = (await once(client, 'ping')) as [Buffer]
  assert.deepEqual(received, payload)
  assert.equal(queuedFrames(server), 0)
  assert.equal(isQueued(server, payload), false)
})

test('so is our close frame', async (t) => {
  const { server, client } = await openPair(t, true)
  server.send('x'.repeat(1_000_000))
  server.close(1000)
  assert.equal(queuedFrames(server), 1)
  await once(client, 'close')
  assert.equal(queuedFrames(server), 0)
})

test('ws is between messages but for fragments, compression and a Blob that is being read', async (t) => {
  const { server, client } = await openPair(t, false)
  assert.equal(isBetweenMessages(server), true)
  server.send('one part', { fin: false })
  assert.equal(isBetweenMessages(server), false)
  server.send('the other')
  assert.equal(isBetweenMessages(server), true)
  const got = once(client, 'message')
  await got
  const bytes = once(client, 'message')
  server.send(new Blob([]) as never)
  assert.equal(isBetweenMessages(server), false)
  await bytes
  assert.equal(isBetweenMessages(server), true)
  const compressing = await openPair(t, true)
  const text = once(compressing.client, 'message')
  compressing.server.send('x'.repeat(1_000_000))
  assert.equal(isBetweenMessages(compressing.server), false)
  await text
  assert.equal(isBetweenMessages(compressing.server), true)
})

test('without compression nothing is queued', async (t) => {
  const { server } = await openPair(t, false)
  const payload = Buffer.from('ping')
  server.send('x'.repeat(1_000_000))
  server.ping(payload)
  assert.equal(queuedFrames(server), 0)
  assert.equal(isQueued(server, payload), false)
})

test('what ws has not sent yet is counted as ws counts it, whatever a socket makes of that', async (t) => {
  const { server } = await openPair(t, true)
  assert.equal(bufferedByWs(server), 0)
  server.send('x'.repeat(1_000_000))
  assert.equal(bufferedByWs(server), server.bufferedAmount)
  Object.defineProperty(server, 'bufferedAmount', { value: -1 })
  assert.ok(bufferedByWs(server) > 0)
})

for (const [kind, isDeflated] of [
  ['a compressed', true],
  ['a plain', false],
] as const) {
  test(`${kind} message ${isDeflated ? 'is being' : 'was'} parsed when its bytes have been read`, async (t) => {
    const { server, client, raw } = await openPair(t, isDeflated)
    const seen: boolean[] = []
    raw.on('data', () => seen.push(isParsing(server)))
    assert.equal(isParsing(server), false)
    const message = once(server, 'message')
    client.send('hello')
    await message
    assert.deepEqual(seen, [isDeflated])
    await until(() => !isParsing(server))
  })
}

test('what one read brought is handed over message by message, and the last one is known', async (t) => {
  const { server, client, raw } = await openPair(t, false)
  const seen: unknown[] = []
  server.on('message', () => {
    seen.push([isReading(server), hasMoreRead(server)])
    queueMicrotask(() => seen.push(isReading(server)))
  })
  assert.deepEqual([isReading(server), hasMoreRead(server)], [false, false])
  const frame = Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x78])
  raw.emit('data', Buffer.concat([frame, frame, frame]))
  assert.equal(isReading(server), false)
  await Promise.resolve()
  assert.deepEqual(seen, [[true, true], [true, true], [true, false], false, false, false])
  // Half a frame is more, too.
  seen.length = 0
  raw.emit('data', Buffer.concat([frame, frame.subarray(0, 3)]))
  assert.deepEqual(seen, [[true, true]])
  client.terminate()
})

test('ws calls close() itself when its parser has told of an error, and nobody else has heard of it before', async (t) => {
  const { server, client, raw } = await openPair(t, false)
  const failed: unknown[] = []
  const close = server.close.bind(server)
  server.close = (code, reason) => {
    failed.push(hasParserFailed(server), server.readyState)
    close(code, reason)
  }
  raw.emit('data', Buffer.from([0x83, 0x80, 0, 0, 0, 0]))
  assert.deepEqual([failed, hasParserFailed(server)], [[], false])
  await once(server, 'error')
  assert.deepEqual(failed, [true, WebSocket.OPEN])
  client.terminate()
  assert.equal(hasParserFailed({} as WebSocket), false)
})

test('of a message that is not whole yet it is known how many bytes have come, and control frames are none of it', async (t) => {
  const { server, client, raw } = await openPair(t, false)
  const arrivingAfter = (...bytes: number[]): number => {
    raw.emit('data', Buffer.from(bytes))
    return bytesArriving(server)
  }
  const [mask, ping] = [
    [0, 0, 0, 0],
    [0x89, 0x82],
  ]
  assert.equal(bytesArriving(server), 0)
  // The first of two fragments.
  assert.equal(arrivingAfter(0x02), 0)
  assert.equal(arrivingAfter(0x84), 0)
  assert.equal(arrivingAfter(...mask.slice(1)), 0)
  assert.equal(arrivingAfter(0), 0)
  assert.equal(arrivingAfter(0x78), 1)
  assert.equal(arrivingAfter(0x78, 0x78, 0x78), 4)
  // A ping between them.
  assert.equal(arrivingAfter(...ping), 4)
  assert.equal(arrivingAfter(...mask, 0x78), 4)
  assert.equal(arrivingAfter(0x78), 4)
  // The second one, with a length of two bytes.
  assert.equal(arrivingAfter(0x80, 0xfe, 0), 4)
  assert.equal(arrivingAfter(126, ...mask), 4)
  assert.equal(arrivingAfter(...Array.from({ length: 125 }, () => 0x78)), 129)
  const message = once(server, 'message')
  assert.equal(arrivingAfter(0x78), 0)
  await message
  client.terminate()
  await once(server, 'close')
  assert.equal(bytesArriving(server), 0)
  assert.equal(bytesArriving({} as WebSocket), 0)
})

test('a message that was compressed is handed over after its read', async (t) => {
  const { server, client } = await openPair(t, true)
  const message = once(server, 'message')
  server.on('message', () => assert.equal(isReading(server), false))
  client.send('x'.repeat(10_000))
  await message
})

/** What ws's parser does when node hands it the next read although it has failed. */
interface Receiver {
  _errored: boolean
  _write(chunk: Buffer, encoding: string, done: () => void): void
}

test('a parser of ws that has failed still throws at the next read: ours has to be guarded', async (t) => {
  const { server, client } = await openPair(t, false)
  const receiver = Reflect.get(server, '_receiver') as Receiver
  const invalid = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe])
  const failed = once(server, 'error')
  receiver._write(invalid, 'buffer', () => {})
  assert.equal(receiver._errored, true)
  assert.throws(() => receiver._write(invalid, 'buffer', () => {}), TypeError)
  let reads = 0
  const parse: Parser['parse'] = (write, parser, ...args) => {
    reads++
    write.apply(parser, args)
  }
  guardReceiver(Object.assign(server, { parse }))
  let isDone = false
  receiver._write(invalid, 'buffer', () => (isDone = true))
  assert.deepEqual([isDone, reads], [true, 0])
  receiver._errored = false
  client.terminate()
  server.terminate()
  await Promise.race([failed, once(server, 'close')])
})

test('a guarded parser asks before each read', async (t) => {
  const { server, client } = await openPair(t, true)
  const reads: number[] = []
  const parse: Parser['parse'] = (write, receiver, ...args) => {
    reads.push((args[0] as Buffer).length)
    write.apply(receiver, args)
  }
  guardReceiver(Object.assign(server, { parse }))
  const message = once(server, 'message')
  client.send('hello')
  assert.equal(String((await message)[0]), 'hello')
  assert.equal(reads.length, 1)
})

const parseAtOnce: Parser['parse'] = (write, receiver, ...args) => write.apply(receiver, args)

test('it can be awaited that ws has parsed what it has got, and only that', async (t) => {
  const pool = threadPool(t)
  const { server, client } = await openPair(t, true)
  guardReceiver(Object.assign(server, { parse: parseAtOnce }))
  assert.equal(whenParsed(server), undefined)
  const heard: string[] = []
  server.on('message', (data: Buffer) => heard.push(data.toString()))
  pool.hold()
  rawOf(client).write(Buffer.concat([deflated('one'), deflated('two')]))
  await until(() => isParsing(server))
  const parsed = whenParsed(server)?.then(() => heard.push('parsed'))
  await pool.release()
  await parsed
  assert.deepEqual(heard, ['one', 'two', 'parsed'])
  assert.equal(whenParsed(server), undefined)
  client.send('three')
  await until(() => heard.length === 4)
})

test('nobody waits for a parser that takes nothing more', async (t) => {
  const pool = threadPool(t)
  const { server, client } = await openPair(t, true)
  pool.hold()
  rawOf(client).write(deflated('one'))
  await until(() => isParsing(server))
  const receiver = Reflect.get(server, '_receiver') as Writable
  receiver.end()
  assert.equal(isParsing(server), true)
  assert.equal(whenParsed(server), undefined)
  const message = once(server, 'message')
  await pool.release()
  await message
})

test('a parser that is abandoned says that the socket is closed, and nothing else from then on', async (t) => {
  const pool = threadPool(t)
  for (const isHeldBack of [false, true]) {
    const pairs = []
    // ws inflates ten at a time: others wait for their turn.
    for (let i = 0; i < (isHeldBack ? 12 : 1); i++) pairs.push(await openPair(t, true))
    pool.hold()
    for (const { server, client, raw } of pairs) {
      client.on('error', () => {})
      const before = raw.bytesRead
      // A frame is compressed by the same threads: these are stored blocks.
      for (const text of ['a', 'b']) writeStored(client, text)
      await until(() => raw.bytesRead > before && isParsing(server))
    }
    const heard: string[] = []
    for (const { server } of pairs) {
      for (const event of ['message', 'error', 'close']) server.on(event, () => heard.push(event))
    }
    for (const { server, client, raw } of pairs) {
      raw.destroy()
      await once(raw, 'close')
      abandonReceiver(server)
      assert.equal(server.readyState, WebSocket.CLOSED)
      client.terminate()
    }
    await pool.release()
    for (let i = 0; i < 20; i++) await turn()
    assert.deepEqual(
      heard,
      pairs.map(() => 'close'),
    )
  }
})

/** A compressed text, without the help of zlib (RFC 7692 §7.2.3.3). */
function writeStored(client: WebSocket, text: string): void {
  const block = Buffer.concat([
    Buffer.from([0, text.length, 0, ~text.length & 0xff, 0xff]),
    Buffer.from(text),
    Buffer.from([0]),
  ])
  Reflect.get(client, '_socket').write(
    Buffer.concat([Buffer.from([0xc1, 0x80 | block.length, 0, 0, 0, 0]), block]),
  )
}

test('what is not compressed or read yet is let go of, and the next frame leaves at once', async (t) => {
  const pool = threadPool(t)
  const { server, client } = await openPair(t, true)
  const error = new Error('gone')
  const told: unknown[] = []
  const messages: unknown[] = []
  client.on('message', (data) => messages.push(data))
  assert.equal(isPreparing(server), false)
  assert.equal(dropUnprepared(server, error), 0)
  pool.hold()
  server.send('first', (why) => told.push(why?.message))
  server.send('second', (why) => told.push(why?.message))
  server.send('a part', { fin: false })
  server.send('third')
  server.ping('not compressed')
  assert.equal(isPreparing(server), true)
  assert.equal(dropUnprepared(server, error), 3)
  assert.equal(isPreparing(server), false)
  assert.equal(server.bufferedAmount, 0)
  const got = once(client, 'ping')
  server.ping('now')
  assert.equal(String((await got)[0]), 'now')
  assert.deepEqual(told, ['gone'])
  await pool.release()
  await until(() => told.length === 2)
  assert.deepEqual(messages, [])
})

test('of a socket that keeps its internals to itself, or has none yet, nothing is known', () => {
  const payload = Buffer.alloc(0)
  const unborn = new WebSocket(null as never, undefined, {})
  for (const socket of [unborn, {}, { _sender: {} }] as WebSocket[]) {
    assert.equal(isCloseFrameReceived(socket), false)
    assert.equal(isParsing(socket), false)
    assert.equal(whenParsed(socket), undefined)
    assert.equal(isReading(socket), false)
    assert.equal(hasMoreRead(socket), false)
    assert.equal(isBetweenMessages(socket), false)
    assert.equal(queuedFrames(socket), 0)
    assert.equal(isQueued(socket, payload), false)
    assert.equal(isPreparing(socket), false)
    assert.equal(dropUnprepared(socket, new Error('gone')), 0)
    assert.doesNotThrow(() => {
      keepParts(socket)
      guardReceiver(Object.assign(socket, { parse: () => {} }))
      abandonReceiver(socket)
    })
  }
  assert.equal(
    dropUnprepared({ _sender: { _state: 1 } } as unknown as WebSocket, new Error('gone')),
    0,
  )
})

test('node: a response belongs to its socket until its end is written', async (t) => {
  const server = createHttpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const far = connectNet(port, '127.0.0.1')
  endWith(t, server, far)
  far.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  const [{ socket }, response] = (await once(server, 'request')) as [
    IncomingMessage,
    ServerResponse,
  ]
  assert.equal(isResponding(socket), true)
  assert.equal(responseOf(socket), response)
  response.end()
  await once(response, 'finish')
  assert.equal(isResponding(socket), false)
})

test('whether a ws knows limits for the pieces of a message is seen in its source', () => {
  const require = createRequire(import.meta.url)
  for (const [found, isLax] of [
    [require('ws'), false],
    [require('ws-8.22'), false],
    [require('ws-8.18'), true],
  ] as Array<[{ prototype: WebSocket; Server: typeof WebSocketServer }, boolean]>) {
    assert.equal(ignoresPieces(found.prototype), isLax)
    assert.equal(ignoresPieces(new found.Server({ noServer: true })), isLax)
  }
  // As of code that was compiled ahead, or wrapped.
  assert.equal(ignoresPieces({ setSocket: () => {} } as never), false)
})
