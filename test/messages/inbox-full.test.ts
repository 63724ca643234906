// A full inbox beside all else that pauses, closes or waits for the peer.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LifecycleSocket } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { roundTrip, texts } from '../support/peers/exchange.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'

const { closeFrame, frame } = RawPeer

interface Paused {
  readonly peer: RawPeer
  readonly socket: LifecycleSocket
  readonly got: string[]
  /** Lets what waits be handled, now and from now on. */
  readonly handle: () => Promise<void>
}

/** A connection whose inbox has room for two messages, and whose handler waits for `handle`. */
async function connectSmall(t: Parameters<typeof connectOne>[0]): Promise<Paused> {
  const stuck = gate()
  const got: string[] = []
  const { peer, socket } = await connectOne(t, {
    route: {
      inbox: { maxMessages: 2 },
      onMessage: async (_socket, _request, message) => {
        await stuck.opened
        got.push(String(message))
      },
    },
  })
  return {
    peer,
    socket,
    got,
    handle: async () => {
      stuck.open()
      await turns()
    },
  }
}

test('an app that pauses while the inbox is full stays paused when it has room', async (t) => {
  const { peer, socket, got, handle } = await connectSmall(t)
  peer.send(...texts('1', '2'))
  await until(() => socket.isPaused)
  socket.pause()
  peer.send(...texts('3'))
  await handle()
  assert.deepEqual([got, socket.isPaused], [['1', '2'], true])
  socket.resume()
  await roundTrip(peer)
  assert.deepEqual([got, socket.isPaused], [['1', '2', '3'], false])
})

test('an app that resumes while the inbox is full does not make it read', async (t) => {
  const { peer, socket, got, handle } = await connectSmall(t)
  socket.on('message', () => socket.pause())
  peer.send(...texts('1', '2'))
  await until(() => socket.isPaused)
  socket.removeAllListeners('message')
  peer.send(...texts('3'))
  socket.resume()
  await turns(20)
  assert.equal(socket.isPaused, true)
  assert.equal(socket.readyState, socket.OPEN)
  await handle()
  assert.equal(socket.isPaused, false)
  await roundTrip(peer)
  assert.deepEqual(got, ['1', '2', '3'])
})

test('while the app has paused, what waits in the inbox is handled', async (t) => {
  const { peer, socket, got, handle } = await connectSmall(t)
  peer.send(...texts('1'))
  await roundTrip(peer)
  socket.pause()
  await handle()
  assert.deepEqual([got, socket.isPaused], [['1'], true])
  socket.resume()
  peer.send(...texts('2'))
  await roundTrip(peer)
  assert.deepEqual(got, ['1', '2'])
})

test('our close() of a full inbox reads on until the close frame; all is dropped and counted', async (t) => {
  const { peer, socket, got, handle } = await connectSmall(t)
  peer.send(...texts('1', '2'))
  await until(() => socket.isPaused)
  // Far more than the kernel takes: the close frame cannot overtake it.
  const message = frame(OPCODE.binary, Buffer.alloc(64_000))
  for (let i = 0; i < 406; i++) peer.socket.write(message)
  socket.close(4000, 'enough')
  assert.equal(socket.isPaused, false)
  await within(peer.nextOf(OPCODE.close), 'our close frame')
  peer.send(closeFrame(4000, 'enough'))
  await until(() => socket.readyState === socket.CLOSED)
  await handle()
  const close = await socket.closed
  assert.deepEqual([close.cause, close.clean], ['server-close', true])
  assert.deepEqual(close.received, { code: 4000, reason: 'enough' })
  assert.equal(close.messagesReceived, 408)
  assert.deepEqual(got, ['1'])
  assert.equal(socket.request.server.websocketLifecycle.stats().dropped, 407)
})

test('behind the close frame of a time limit messages are handled while the inbox has room', async (t) => {
  const { peer, socket, got, handle } = await connectSmall(t)
  peer.send(...texts('1'))
  await roundTrip(peer)
  socket.expireAt(Date.now() - 1)
  await peer.nextOf(OPCODE.close)
  peer.send(...texts('2', '3', '4'), closeFrame(1000))
  await until(() => socket.readyState === socket.CLOSED)
  await handle()
  await socket.closed
  assert.deepEqual(got, ['1', '2'])
  assert.equal(socket.request.server.websocketLifecycle.stats().dropped, 2)
})

test('keepalive pings, but speaks no verdict, while the inbox pauses reading; then it does', async (t) => {
  const clock = new FakeClock()
  const stuck = gate()
  const { peer, socket } = await connectOne(t, {
    clock,
    route: {
      keepalive: { interval: 1_000, timeout: 500 },
      inbox: { maxMessages: 1 },
      onMessage: () => stuck.opened,
    },
  })
  peer.send(...texts('1'))
  await until(() => socket.isPaused)
  // It answers no ping; had it answered, nobody would have read it.
  await clock.advance(60_000)
  assert.equal(socket.readyState, socket.OPEN)
  const pings: unknown[] = []
  void (async () => {
    while ((await peer.nextOf(OPCODE.ping)) !== undefined) pings.push('ping')
  })()
  await until(() => pings.length > 50)
  assert.ok(pings.length > 50, `${pings.length}`)
  stuck.open()
  await until(() => !socket.isPaused)
  await clock.advance(400)
  assert.equal(socket.readyState, socket.OPEN)
  await clock.advance(1_700)
  assert.equal((await socket.closed).cause, 'heartbeat-timeout')
})
