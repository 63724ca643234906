import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { type AddressInfo, connect as connectNet, createServer, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { WebSocket, WebSocketServer } from 'ws'
import {
  bytesHeld,
  bytesTaken,
  hasMoreRead,
  isBetweenMessages,
  isCloseFrameReceived,
  isParsing,
  isQueued,
  isReading,
  isResponding,
  queuedFrames,
} from '../lib/internals.js'
import { cert, key } from './support/tls.js'

/** More than any kernel takes for a peer that does not read. */
const TOO_MUCH = 32 * 1024 * 1024

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

test('a message that was compressed is handed over after its read', async (t) => {
  const { server, client } = await openPair(t, true)
  const message = once(server, 'message')
  server.on('message', () => assert.equal(isReading(server), false))
  client.send('x'.repeat(10_000))
  await message
})

test('of a socket that keeps its internals to itself, or has none yet, nothing is known', () => {
  const payload = Buffer.alloc(0)
  const unborn = new WebSocket(null as never, undefined, {})
  for (const socket of [unborn, {}, { _sender: {} }] as WebSocket[]) {
    assert.equal(isCloseFrameReceived(socket), false)
    assert.equal(isParsing(socket), false)
    assert.equal(isReading(socket), false)
    assert.equal(hasMoreRead(socket), false)
    assert.equal(isBetweenMessages(socket), false)
    assert.equal(queuedFrames(socket), 0)
    assert.equal(isQueued(socket, payload), false)
  }
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
  response.end()
  await once(response, 'finish')
  assert.equal(isResponding(socket), false)
})
