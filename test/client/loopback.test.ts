// Against real sockets: ws on both ends, over loopback.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import type { Address, ClientOptions } from '../../lib/client/api.js'
import {
  type ClientEvents,
  LifecycleClient,
  type ClientCloseEvent,
  type ClientLostEvent,
} from '../../lib/client/index.js'
import { listenForLinks, SessionPeer } from '../support/peers/link-server.js'

function connect(url: Address, options: ClientOptions = {}): LifecycleClient {
  return new LifecycleClient(url, { WebSocket, backoff: { min: 1, max: 20 }, ...options })
}

async function next<Type extends keyof ClientEvents>(
  client: LifecycleClient,
  type: Type,
): Promise<ClientEvents[Type]> {
  const [event] = await once(client, type)
  return event as ClientEvents[Type]
}

test('a fresh session, its messages both ways, and a normal end', async () => {
  await using peer = await listenForLinks()
  const client = connect(peer.url, { resume: true, protocols: ['chat.v2', 'chat.v1'] })
  const session = new SessionPeer()
  const connection = await peer.next()
  assert.deepEqual(connection.offer.protocols, ['chat.v2', 'chat.v1'])
  const opened = next(client, 'open')
  session.take(connection)
  assert.deepEqual((await opened).first, true)
  assert.equal(client.protocol, 'chat.v2')
  client.send('text')
  client.send('\0text')
  client.send(new Uint8Array([1, 2]))
  const message = next(client, 'message')
  session.send('\0\0hello')
  assert.equal((await message).data, '\0hello')
  const binary = next(client, 'message')
  connection.socket.send(new Uint8Array([3, 4]))
  assert.deepEqual(new Uint8Array((await binary).data as ArrayBuffer), new Uint8Array([3, 4]))
  client.close(4_000, 'bye')
  assert.deepEqual(await connection.close, { code: 4_000, reason: 'bye' })
  assert.deepEqual(session.received, ['text', '\0\0text', 'binary 0102'])
  assert.deepEqual(connection.frames, ['\0a0', 'text', '\0\0text', 'binary 0102', '\0a2'])
})

test('a session goes on over cut connections: nothing lost, nothing twice, in order', async () => {
  await using peer = await listenForLinks()
  const client = connect(peer.url, { resume: true })
  const session = new SessionPeer()
  const heard: unknown[] = []
  client.addEventListener('message', ({ data }) => heard.push(data))
  let resumed = 0
  client.addEventListener('open', (event) => (resumed += Number(event.resumed)))
  for (let round = 0; round < 20; round++) {
    const opened = next(client, 'open')
    session.take(await peer.next())
    await opened
    for (let i = 0; i < 7; i++) {
      client.send(`up ${round * 7 + i}`)
      session.send(`down ${round * 7 + i}`)
    }
    if (round % 2 === 0) await next(client, 'message')
    const lost = next(client, 'lost')
    peer.cut()
    await lost
  }
  const opened = next(client, 'open')
  session.take(await peer.next())
  await opened
  client.send('up last')
  session.send('down last')
  while (session.received.at(-1) !== 'up last' || heard.at(-1) !== 'down last') {
    await new Promise((resolve) => setImmediate(resolve))
  }
  const numbers = Array.from({ length: 140 }, (_, i) => i)
  assert.deepEqual(
    session.received,
    [...numbers, 'last'].map((n) => `up ${n}`),
  )
  assert.deepEqual(
    heard,
    [...numbers, 'last'].map((n) => `down ${n}`),
  )
  assert.equal(resumed, 20)
  client.close()
})

test('4991: a new session, and what the old one has not confirmed is told', async () => {
  await using peer = await listenForLinks()
  const client = connect(peer.url, { resume: true })
  const session = new SessionPeer()
  session.take(await peer.next())
  await next(client, 'open')
  client.send('1')
  peer.cut()
  const stale = await peer.next()
  assert.equal(stale.offer.resume?.token, session.token)
  const lost = next(client, 'lost')
  stale.socket.close(4991)
  assert.equal((await lost).code, 1006)
  const fresh = await peer.next()
  assert.equal(fresh.offer.resume, undefined)
  const opened = next(client, 'open')
  new SessionPeer().take(fresh)
  assert.deepEqual((await opened).undelivered, ['1'])
  client.close()
})

test('a drain: comes back within the time that the server says, and knows what was not handled', async () => {
  await using peer = await listenForLinks()
  const client = connect(peer.url, { resume: true })
  const session = new SessionPeer()
  session.take(await peer.next())
  await next(client, 'open')
  for (let i = 0; i < 15; i++) client.send(`${i}`)
  while (session.received.length < 15) await new Promise((resolve) => setImmediate(resolve))
  const lost = next(client, 'lost')
  session.drain(50)
  const { attempts, code, reason, retryIn } = await lost
  assert.deepEqual({ attempts, code, reason }, { attempts: 0, code: 1012, reason: 'shutdown' })
  assert.ok(retryIn < 50)
  client.send('late')
  const opened = next(client, 'open')
  new SessionPeer().take(await peer.next())
  assert.deepEqual((await opened).undelivered, ['late'])
  client.close()
})

test('a plain server: `lost.error` says `link: false`, and with that it works', async () => {
  await using peer = await listenForLinks(false)
  const client = connect(peer.url)
  const { error } = await next(client, 'lost')
  assert.match(String(error), /link: false/)
  assert.match(String((error as Error).cause), /Server sent no subprotocol/)
  client.close()
  await peer.next()

  const plain = connect(peer.url, { link: false })
  const { socket } = await peer.next()
  const message = next(plain, 'message')
  socket.send('\0hello')
  assert.equal((await message).data, '\0hello')
  const closed: Promise<ClientCloseEvent> = next(plain, 'close')
  socket.close(1008, 'policy')
  assert.equal((await closed).code, 1008)
})

test('a plain server that echoes the first name that it is offered is told by connectTimeout', async () => {
  await using peer = await listenForLinks()
  const client = connect(peer.url, { connectTimeout: 50 })
  const connection = await peer.next()
  const { error } = await next(client, 'lost')
  assert.match(String(error), /within 50 ms/)
  assert.equal((await connection.close).code, 4990)
  client.close()
})

test('a server that says no by HTTP, and one that is not there', async () => {
  await using peer = await listenForLinks()
  peer.server.removeAllListeners('upgrade')
  peer.server.on('upgrade', (_request, socket: Socket) => {
    socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n')
  })
  const client = connect(peer.url)
  const refused: ClientLostEvent = await next(client, 'lost')
  assert.equal(refused.code, 1006)
  assert.match(String((refused.error as Error).cause), /401/)
  client.close()
  const nobody = connect('ws://127.0.0.1:1')
  const { error } = await next(nobody, 'lost')
  assert.match(String((error as Error).cause), /ECONNREFUSED/)
  nobody.close()
})

test('a server that accepts and never answers is given up after connectTimeout', async (t) => {
  const raws: Socket[] = []
  const server = createServer((raw) => raws.push(raw))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => {
    for (const raw of raws) raw.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const client = connect(`ws://127.0.0.1:${port}`, { connectTimeout: 50 })
  const { attempts, error } = await next(client, 'lost')
  assert.equal(attempts, 1)
  assert.match(String(error), /within 50 ms/)
  // ws emits an error for a socket that is closed while it connects: nobody may throw it.
  client.close()
  await new Promise((resolve) => setImmediate(resolve))
})

test('a half-open line: reconnect replaces it, and the session goes on', async () => {
  await using peer = await listenForLinks()
  const client = connect(peer.url, { resume: true })
  const session = new SessionPeer()
  const dead = await peer.next()
  session.take(dead)
  await next(client, 'open')
  dead.socket.pause() // the server believes in it
  client.send('into the void')
  client.reconnect()
  const opened = next(client, 'open')
  session.take(await peer.next())
  assert.equal((await opened).resumed, true)
  while (session.received.length === 0) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(session.received, ['into the void'])
  client.close()
})

test('a client that breaks off on a fault says 1002', async () => {
  await using peer = await listenForLinks()
  const client = connect(peer.url)
  const connection = await peer.next()
  connection.socket.send('\0nonsense'.replace('n', 'a'))
  assert.equal((await connection.close).code, 1002)
  client.close()
})
