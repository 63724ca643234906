// What `close.bytesSent` counts: what the kernel took, and not what still waited with us.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { connect } from 'node:tls'
import type { FastifyServerOptions } from 'fastify'
import { bytesTaken } from '../../lib/platform/node-internals.js'
import { turns } from '../support/time/fake-clock.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { type Connected, connectOne, type OneRoute, serveOne } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'
import { cert, key } from '../support/servers/tls.js'
import { DIFFERS_OVER_TLS } from '../support/servers/tls-pass.js'

/** More than any kernel takes for a peer that does not read. */
const LARGE = 32 * 1024 * 1024
const patient: OneRoute = { options: { keepalive: false, outbox: { maxAge: false } } }

interface Resettable extends Connected {
  /** The peer's TCP connection. */
  readonly tcp: Socket
}

async function overTcp(t: TestContext): Promise<Resettable> {
  const connected = await connectOne(t, patient)
  return { ...connected, tcp: connected.peer.socket }
}

async function overTls(t: TestContext): Promise<Resettable> {
  const https = { https: { key, cert } } as FastifyServerOptions
  const observed = await serveOne(t, { ...patient, fastify: https })
  const tcp = connectTcp(observed.port, '127.0.0.1')
  const stream = connect({ socket: tcp, ca: cert, servername: 'localhost' })
  tcp.on('error', () => {})
  t.after(() => stream.destroy())
  await once(stream, 'secureConnect')
  const peer = await RawPeer.over(stream, observed.port)
  return { ...observed, peer, socket: await observed.nextSocket(), tcp }
}

const TRANSPORTS: Readonly<Record<string, (t: TestContext) => Promise<Resettable>>> = {
  TCP: overTcp,
  TLS: overTls,
}

const ENDS: Readonly<Record<string, (connected: Resettable) => unknown>> = {
  'our terminate()': ({ socket }) => socket.terminate(),
  'a RST': ({ tcp }) => tcp.resetAndDestroy(),
}

/** What the kernel took from us since `before`, when it takes no more. */
async function filled({ socket }: Connected, before: number): Promise<number> {
  const raw = Reflect.get(socket, '_socket') as Socket
  let taken = 0
  for (let still = 0; still < 50; still++) {
    await turns(1)
    const now = (bytesTaken(raw) ?? NaN) - before
    if (now !== taken) still = 0
    taken = now
  }
  return taken
}

for (const [transport, open] of Object.entries(TRANSPORTS)) {
  for (const [what, end] of Object.entries(ENDS)) {
    test(`over ${transport}, at ${what}, what a peer left unread with us was not sent`, async (t) => {
      const connected = await open(t)
      const { peer, socket } = connected
      peer.freeze()
      const before = bytesTaken(Reflect.get(socket, '_socket') as Socket) ?? NaN
      socket.send(Buffer.alloc(LARGE))
      socket.send('and one more')
      const taken = await filled(connected, before)
      assert.ok(taken > 0 && taken < LARGE, `${taken}`)
      await end(connected)
      const { bytesSent } = await socket.closed
      // The kernels may have gone on between themselves for a moment.
      assert.ok(bytesSent >= taken && bytesSent < LARGE, `${bytesSent}, not ${taken}`)
    })
  }

  test(`over ${transport}, what was sent to its end is counted as it was before it was encrypted`, async (t) => {
    const { peer, socket } = await open(t)
    socket.send('hello')
    socket.send(Buffer.alloc(100_000))
    socket.close(1000, 'bye')
    await peer.nextOf(OPCODE.close)
    peer.send(RawPeer.closeFrame(1000))
    assert.equal((await socket.closed).bytesSent, 7 + 100_010 + 7)
  })
}

test(
  'what our terminate() left to the kernel reaches the peer, to the last counted byte',
  { skip: DIFFERS_OVER_TLS.records },
  async (t) => {
    const connected = await connectOne(t, patient)
    const { peer, socket } = connected
    peer.freeze()
    const handshake = peer.socket.bytesRead
    socket.send(Buffer.alloc(LARGE))
    await filled(connected, 0)
    socket.terminate()
    const { bytesSent } = await socket.closed
    peer.socket.removeAllListeners('data')
    peer.socket.resume()
    await until(() => peer.hasEnded)
    assert.equal(peer.socket.bytesRead - handshake, bytesSent)
  },
)
