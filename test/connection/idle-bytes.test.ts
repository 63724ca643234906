// What moves of a message that is not whole yet keeps a connection from being idle, in both directions.
import assert from 'node:assert/strict'
import { connect } from 'node:tls'
import { describe, test, type TestContext } from 'node:test'
import type { FastifyServerOptions } from 'fastify'
import type { LifecycleSocket } from '../../lib/index.js'
import { delivered } from '../support/time/delivered.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { type Connected, connectOne, type OneRoute, serveOne } from '../support/servers/server.js'
import { SlowReader } from '../support/peers/slow-reader.js'
import { lastTaken } from '../support/time/still.js'
import { assertBetween, lasted } from '../support/time/timed.js'
import { cert, key } from '../support/servers/tls.js'

const { frame } = RawPeer

const idleTimeout = 1_000
/** A tenth of the shortest timeout. */
const TICK = 100
const LATEST = idleTimeout * 1.1 + 2 * TICK
/** How far apart the parts of a message come: whoever counts whole messages alone ends it soon. */
const PAUSE = 700
const MEGABYTE = 1024 * 1024
/** More than any kernel takes for a peer that does not read. */
const LARGE = 30 * MEGABYTE

interface Timed extends Connected {
  readonly clock: FakeClock
}

type Open = (t: TestContext, setup?: OneRoute) => Promise<Timed>

function timed(setup: OneRoute): OneRoute & { readonly clock: FakeClock } {
  const options = {
    keepalive: false,
    idleTimeout,
    websocket: { maxPayload: 2 * LARGE },
    outbox: { maxBytes: 2 * LARGE, maxAge: false },
    ...setup.options,
  } as const
  return { ...setup, clock: new FakeClock(), options }
}

async function overTcp(t: TestContext, setup: OneRoute = {}): Promise<Timed> {
  const timedSetup = timed(setup)
  return { ...(await connectOne(t, timedSetup)), clock: timedSetup.clock }
}

async function overTls(t: TestContext, setup: OneRoute = {}): Promise<Timed> {
  const https = { https: { key, cert } } as FastifyServerOptions
  const timedSetup = timed({ ...setup, fastify: https })
  const observed = await serveOne(t, timedSetup)
  const stream = connect({ port: observed.port, host: '127.0.0.1', ca: cert })
  t.after(() => stream.destroy())
  const peer = await RawPeer.over(stream, observed.port)
  return { ...observed, peer, socket: await observed.nextSocket(), clock: timedSetup.clock }
}

const TRANSPORTS: Readonly<Record<string, Open>> = { TCP: overTcp, TLS: overTls }

/** So much of one frame of `bytes`, as a client sends it, with a mask of zeros. */
function beginningOf(bytes: number, sent: number): Buffer {
  const header = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
  header.writeUInt32BE(bytes, 6)
  return Buffer.concat([header, Buffer.alloc(sent)])
}

for (const [transport, open] of Object.entries(TRANSPORTS)) {
  describe(`idleTimeout over ${transport}`, () => {
    test('lets a message of 30 MB come that takes many times as long', async (t) => {
      const { clock, peer, socket } = await open(t, {
        handler: (socket) => socket.on('message', (data: Buffer) => socket.send(`${data.length}`)),
      })
      peer.send(beginningOf(LARGE, 0))
      for (let sent = 0; sent < LARGE; sent += MEGABYTE) {
        peer.send(Buffer.alloc(MEGABYTE))
        await clock.advance(PAUSE)
        assert.equal(socket.readyState, socket.OPEN, `after ${sent} bytes`)
      }
      assert.equal((await peer.next())?.payload.toString(), String(LARGE))
    })

    test('lets the bytes of one frame come one by one', async (t) => {
      const { clock, peer, socket } = await open(t)
      peer.send(beginningOf(100, 1))
      for (let sent = 1; sent < 20; sent++) {
        peer.send(Buffer.alloc(1))
        await clock.advance(PAUSE)
        assert.equal(socket.readyState, socket.OPEN, `after ${sent} bytes`)
      }
    })

    test('ends a peer that stops within a message, whatever pings it sends between its fragments', async (t) => {
      const { clock, peer, socket } = await open(t)
      peer.send(frame(OPCODE.binary, Buffer.alloc(MEGABYTE), false))
      await delivered()
      const from = clock.now()
      while (socket.readyState === socket.OPEN && clock.now() - from < 10_000) {
        peer.send(frame(OPCODE.ping, 'still here'))
        await clock.advance(50)
      }
      assertBetween(clock.now() - from, idleTimeout - TICK, LATEST + 50)
      assert.equal((await peer.nextOf(OPCODE.close))?.payload.readUInt16BE(), 3008)
    })

    test('ends a peer that stops within a frame', async (t) => {
      const { clock, peer, socket } = await open(t)
      peer.send(beginningOf(LARGE, MEGABYTE))
      await delivered()
      assertBetween(await lasted(clock, socket), idleTimeout - TICK, LATEST)
    })

    test('lets a message of 30 MB go that its reader takes in many times as long', async (t) => {
      const { clock, peer, socket } = await open(t)
      const reader = new SlowReader(peer)
      socket.send(Buffer.alloc(LARGE))
      while (socket.bufferedAmount > 0) {
        // The kernel tells of room only when a third of its buffer is free again.
        await reader.read(3 * MEGABYTE)
        await clock.advance(PAUSE)
        assert.equal(socket.readyState, socket.OPEN, `after ${reader.count} bytes`)
      }
      assert.ok(reader.count > LARGE / 2, `${reader.count} bytes read`)
    })

    test('ends a reader that stops within a message, whatever pings wait behind it', async (t) => {
      const { clock, peer, socket } = await open(t)
      const reader = new SlowReader(peer)
      socket.send(Buffer.alloc(LARGE))
      await reader.read(3 * MEGABYTE)
      await clock.advance(PAUSE)
      const from = lastTaken(clock, socket)
      while (socket.readyState === socket.OPEN && clock.now() - from() < 10_000) {
        socket.ping()
        peer.send(frame(OPCODE.ping, 'still here'))
        await clock.advance(50)
      }
      assertBetween(clock.now() - from(), idleTimeout - PAUSE - TICK, LATEST + 50)
    })

    for (const [what, talk] of [
      ["the peer's pings, and our pongs", ({ peer }: Timed) => peer.send(frame(OPCODE.ping, 'p'))],
      ['half a ping', ({ peer }: Timed) => peer.send(halfAPing(peer))],
      ["the peer's pongs", ({ peer }: Timed) => peer.send(frame(OPCODE.pong, 'unasked'))],
      ["the app's pings", ({ socket }: Timed) => socket.ping('p'.repeat(125))],
      [
        'fragments without a byte',
        ({ peer }: Timed) => peer.send(frame(continuation(peer), '', false)),
      ],
    ] as const) {
      test(`does not count ${what}`, async (t) => {
        const connected = await open(t, {
          options: { keepalive: { interval: 100, timeout: false } },
        })
        const { clock, socket } = connected
        const from = clock.now()
        while (socket.readyState === socket.OPEN && clock.now() - from < 10_000) {
          talk(connected)
          await clock.advance(50)
        }
        assertBetween(clock.now() - from, idleTimeout, LATEST + 50)
      })
    }
  })
}

const halves = new WeakMap<RawPeer, number>()

/** The next half of pings that never end. */
function halfAPing(peer: RawPeer): Buffer {
  const count = (halves.get(peer) ?? 0) + 1
  halves.set(peer, count)
  const ping = frame(OPCODE.ping, '0123456789')
  return count % 2 === 1 ? ping.subarray(0, 9) : ping.subarray(9)
}

const begun = new WeakSet<RawPeer>()

/** The opcode of the next fragment of a message that never ends. */
function continuation(peer: RawPeer): number {
  const opcode = begun.has(peer) ? OPCODE.continuation : OPCODE.text
  begun.add(peer)
  return opcode
}

/** One connection over a stream that counts no bytes. */
async function injected(t: TestContext): Promise<{
  readonly clock: FakeClock
  readonly socket: LifecycleSocket
  readonly client: Awaited<ReturnType<Timed['app']['injectWS']>>
}> {
  const setup = timed({})
  const { app, nextSocket } = await serveOne(t, setup)
  const client = await app.injectWS('/')
  t.after(() => client.terminate())
  return { clock: setup.clock, socket: await nextSocket(), client }
}

describe('idleTimeout', () => {
  test('counts fragments of a message that is not whole, from the peer', async (t) => {
    const { clock, peer, socket } = await overTcp(t)
    for (let elapsed = 0; elapsed < 10_000; elapsed += PAUSE) {
      peer.send(frame(continuation(peer), 'part', false))
      await clock.advance(PAUSE)
    }
    assert.equal(socket.readyState, socket.OPEN)
    assertBetween(PAUSE + (await lasted(clock, socket)), idleTimeout - TICK, LATEST)
  })

  for (const [direction, sender] of [
    ['from the peer', 'client'],
    ['to the peer', 'socket'],
  ] as const) {
    test(`counts them ${direction} also on a stream that is no socket`, async (t) => {
      const both = await injected(t)
      const { clock, socket } = both
      for (let elapsed = 0; elapsed < 10_000; elapsed += PAUSE) {
        both[sender].send('part', { fin: false })
        await clock.advance(PAUSE)
      }
      assert.equal(socket.readyState, socket.OPEN)
      assertBetween(PAUSE + (await lasted(clock, socket)), idleTimeout - TICK, LATEST)
    })
  }

  test('waits for a message that we ourselves still read or compress, and begins after that', async (t) => {
    const { clock, socket } = await overTcp(t)
    const read = gate()
    class SlowBlob extends Blob {
      override async arrayBuffer(): Promise<ArrayBuffer> {
        await read.opened
        return super.arrayBuffer()
      }
    }
    socket.send(new SlowBlob(['x']) as never)
    await clock.advance(20_000)
    assert.equal(socket.readyState, socket.OPEN)
    read.open()
    await delivered()
    assertBetween(await lasted(clock, socket), idleTimeout - TICK, LATEST)
  })
})
