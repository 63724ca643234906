// What a clock waits for before it moves on: all that is on its way in this process.
import assert from 'node:assert/strict'
import { channel } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { connect as connectTls, createServer as createTlsServer, TLSSocket } from 'node:tls'
import { Worker } from 'node:worker_threads'
import { stallEventLoop } from '../../lib/testing/index.js'
import { cert, key } from '../support/servers/tls.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { delivered, expectNoEndOf } from '../support/time/delivered.js'

async function pair(t: TestContext): Promise<[near: Socket, far: Socket]> {
  const server = createServer({ allowHalfOpen: true })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [far] = (await once(server, 'connection')) as [Socket]
  t.after(() => {
    near.destroy()
    far.destroy()
    server.close()
  })
  return [near, far]
}

/** Writes on and on. */
function flood(socket: Socket): void {
  const write = (): void => {
    if (!socket.destroyed) socket.write('more', () => setImmediate(write))
  }
  write()
}

test('who is connecting is waited for, and so is an end', async (t) => {
  const [near, far] = await pair(t)
  // From a callback of a socket on, the loop does not poll before it looks.
  near.write('x')
  await once(far, 'data')
  const other = connect(Number(near.remotePort), '127.0.0.1')
  t.after(() => other.destroy())
  await delivered()
  assert.equal(other.readyState, 'open')
  far.resume()
  near.write('y')
  await once(far, 'data')
  near.end()
  await delivered()
  assert.ok(far.readableEnded && !far.destroyed)
  await delivered()
})

test('who connects, and is turned away, is waited for', async (t) => {
  const server = createServer()
  server.maxConnections = 1
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const first = connect(port, '127.0.0.1')
  await once(server, 'connection')
  const second = connect(port, '127.0.0.1')
  second.on('error', () => {})
  second.resume()
  t.after(() => {
    first.destroy()
    server.close()
  })
  await delivered()
  assert.ok(second.destroyed)
})

test('of whoever is in another thread nothing is known, and nothing is awaited', async (t) => {
  const worker = new Worker(
    `const server = require('node:net').createServer(() => {})
     server.listen(0, '127.0.0.1', () => require('node:worker_threads').parentPort.postMessage(server.address().port))`,
    { eval: true, execArgv: [] },
  )
  const [port] = (await once(worker, 'message')) as [number]
  const socket = connect(port, '127.0.0.1')
  t.after(() => {
    socket.destroy()
    return worker.terminate()
  })
  socket.resume()
  await once(socket, 'connect')
  await delivered()
  assert.equal(socket.bytesRead, 0)
})

/** A connection that is over before anybody has looked. @returns its ports */
async function connectUnseen(): Promise<{ port: number; localPort: number }> {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const before = connect(port, '127.0.0.1')
  const [far] = (await once(server, 'connection')) as [Socket]
  const localPort = far.remotePort as number
  far.resetAndDestroy()
  await once(before, 'error')
  await once(server.close(), 'close')
  return { port, localPort }
}

/** A connection with the ports of one before. Whoever accepts it is not seen from here. */
async function connectAgain(t: TestContext): Promise<Socket> {
  const { port, localPort } = await connectUnseen()
  const worker = new Worker(
    `const server = require('node:net').createServer(() => {})
     const { parentPort } = require('node:worker_threads')
     server.on('error', () => parentPort.postMessage('taken'))
     server.listen(${port}, '127.0.0.1', () => parentPort.postMessage('listens'))`,
    { eval: true, execArgv: [] },
  )
  t.after(() => worker.terminate())
  const [told] = (await once(worker, 'message')) as [string]
  const socket = connect({ port, host: '127.0.0.1', localPort })
  t.after(() => socket.destroy())
  const isConnected = await once(socket, 'connect').then(
    () => true,
    () => false,
  )
  // Another process may have got one of the ports meanwhile.
  return told === 'listens' && isConnected ? socket : connectAgain(t)
}

test('a connection is not taken for one of before that had the same ports', async (t) => {
  const socket = await connectAgain(t)
  socket.resume()
  await assert.rejects(delivered(), /got a connection that is not accepted/)
})

test('a socket of TLS itself, of which later Nodes tell, is left out', async () => {
  const socket = new TLSSocket(new Socket())
  channel('net.client.socket').publish({ socket })
  await delivered()
  socket.destroy()
})

test('beneath TLS nobody knows what has come, but it comes', async (t) => {
  const server = createTlsServer({ cert, key }, (socket) => socket.pipe(socket))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const socket = connectTls({ port, host: '127.0.0.1', ca: cert })
  t.after(() => {
    socket.destroy()
    server.close()
  })
  await once(socket, 'secureConnect')
  let text = ''
  socket.on('data', (data) => {
    text += String(data)
  })
  socket.write('hello')
  await delivered()
  assert.equal(text, 'hello')
})

test('much arrives before it goes on', async (t) => {
  const [near, far] = await pair(t)
  let count = 0
  far.on('data', ({ length }) => {
    count += length
  })
  near.write(Buffer.alloc(10_000_000))
  await delivered()
  assert.equal(count, 10_000_000)
})

test('who holds back what it sends, with a cork, is not waited for', async (t) => {
  const [near, far] = await pair(t)
  far.resume()
  near.cork()
  near.write('held back')
  await delivered()
  assert.equal(far.bytesRead, 0)
  near.uncork()
  await delivered()
  assert.equal(far.bytesRead, 9)
})

test('who never stops is an error, which says what it is', async (t) => {
  const [near, far] = await pair(t)
  far.resume()
  flood(near)
  await assert.rejects(new FakeClock().advance(1), {
    message: /^Expected all that was sent on loopback to arrive within 5000 ms, got /,
  })
})

test('a loop that stands still for long is nobody’s fault: what is awaited may still come', async (t) => {
  const [near, far] = await pair(t)
  far.resume()
  const clock = new FakeClock()
  const stoodStill = new Promise<void>((resolve) => {
    const standStill = (): void => {
      near.write('x')
      stallEventLoop(5_100)
      resolve()
    }
    clock.setTimeout(() => setImmediate(standStill), 1)
  })
  await clock.until(stoodStill.then(() => turns(20)))
  assert.equal(far.bytesRead, 1)
})

test('who is known never to stop is not waited for', async (t) => {
  const [near, far] = await pair(t)
  far.resume()
  expectNoEndOf(near)
  flood(near)
  await delivered()
})
