// A drain and peers that do not play along.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LifecycleSocket } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { delivered } from '../support/time/delivered.js'
import { gate, never } from '../support/time/gate.js'
import { logLines } from '../support/servers/log-lines.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { portOf, serve } from '../support/servers/server.js'
import { start, openPeer, watch, drained } from '../support/servers/draining.js'

describe('a drain and peers that do not play along', () => {
  test('a frozen peer costs closeTimeout', async (t) => {
    const served = await start(t, { closeTimeout: 700 })
    const peer = await openPeer(served)
    peer.freeze()
    const report = served.app.websocketLifecycle.drain()
    const watched = watch(report)
    await served.clock.advance(690)
    assert.equal(watched.settled, false)
    await served.clock.advance(100)
    const { closed, terminated, duration } = await drained(report)
    assert.deepEqual({ closed, terminated }, { closed: 0, terminated: 1 })
    assert.ok(duration >= 700 && duration <= 790, String(duration))
    const close = await (served.sockets[0] as LifecycleSocket).closed
    assert.equal(close.cause, 'shutdown')
    assert.equal(close.code, 1006)
    assert.equal(close.clean, false)
    assert.equal(close.sent?.code, 1012)
    assert.equal(served.clock.pending, 0)
  })

  test('a frozen peer costs app.close() no more than that, with the real clock', async (t) => {
    const app = await serve(t, {
      options: { closeTimeout: 100 },
      routes: (app) => app.get('/ws', { websocket: true }, () => {}),
    })
    const peer = await RawPeer.open(portOf(app), '/ws')
    peer.freeze()
    await within(app.close(), 'app.close()', 5_000)
    assert.equal(app.websocketLifecycle.stats().closed.shutdown, 1)
  })

  test('a peer that answers keeps no one waiting', async (t) => {
    const served = await start(t)
    const peer = await openPeer(served)
    const report = served.app.websocketLifecycle.drain()
    const frame = await peer.nextOf(OPCODE.close)
    assert.equal(frame?.payload.readUInt16BE(0), 1012)
    peer.send(RawPeer.closeFrame(1012))
    const { closed, duration } = await drained(report)
    assert.deepEqual({ closed, duration }, { closed: 1, duration: 0 })
    await within(peer.ended(), 'the end of the socket')
  })

  test('a peer that never stops talking costs closeTimeout, and nobody hears it', async (t) => {
    let heard = 0
    const served = await start(
      t,
      { closeTimeout: 500 },
      {},
      { handler: (socket) => socket.on('message', () => heard++) },
    )
    const peer = await openPeer(served)
    const report = served.app.websocketLifecycle.drain()
    const watched = watch(report)
    for (let i = 0; i < 100 && !watched.settled; i++) {
      peer.send(RawPeer.frame(OPCODE.text, 'and another thing'))
      await served.clock.advance(10)
    }
    const { terminated, duration } = await drained(report)
    assert.equal(terminated, 1)
    assert.ok(duration >= 500 && duration <= 600, String(duration))
    assert.equal(heard, 0)
    assert.ok(served.app.websocketLifecycle.stats().dropped > 20)
  })

  test('a peer that leaves by itself in the middle is no one to wait for', async (t) => {
    const served = await start(t, {}, { onShutdown: () => never })
    const peer = await openPeer(served)
    const report = served.app.websocketLifecycle.drain()
    await delivered()
    peer.reset()
    const close = await within((served.sockets[0] as LifecycleSocket).closed, 'the end')
    assert.equal(close.cause, 'connection-reset')
    const { closed, terminated, abandoned } = await drained(report)
    assert.deepEqual({ closed, terminated, abandoned }, { closed: 1, terminated: 0, abandoned: [] })
    assert.equal(served.clock.pending, 0)
  })

  test('what a goodbye throws when its peer has left is told to the log', async (t) => {
    const { lines, fastify } = logLines()
    const door = gate()
    const onShutdown = async (): Promise<never> => {
      await door.opened
      throw new Error('nobody there')
    }
    const served = await start(t, {}, { onShutdown }, { fastify })
    const peer = await openPeer(served)
    const report = served.app.websocketLifecycle.drain()
    await delivered()
    peer.reset()
    await drained(report)
    door.open()
    await delivered()
    const told = lines.filter(({ step }) => step === 'onShutdown')
    assert.deepEqual(
      told.map(({ level, msg }) => [level, msg]),
      [[50, 'a callback of a WebSocket connection failed']],
    )
    assert.equal(served.app.websocketLifecycle.stats().abandoned, 0)
  })

  test('a connection that is closing already is not closed again, and keeps its cause', async (t) => {
    const said: string[] = []
    const served = await start(t, { closeTimeout: 400 }, { onShutdown: () => said.push('goodbye') })
    const peer = await openPeer(served)
    const [socket] = served.sockets as [LifecycleSocket]
    socket.close(4000, 'first')
    await served.clock.advance(200)
    const report = served.app.websocketLifecycle.drain()
    await served.clock.advance(300)
    const { terminated, duration } = await drained(report)
    assert.equal(terminated, 1)
    assert.ok(duration >= 200 && duration <= 300, String(duration))
    const close = await socket.closed
    assert.equal(close.cause, 'server-close')
    assert.deepEqual(close.sent, { code: 4000, reason: 'first' })
    assert.deepEqual(said, [])
    const frames = [await peer.next(), await peer.next()]
    assert.deepEqual(
      frames.map((frame) => frame?.opcode),
      [OPCODE.close, undefined],
    )
  })

  test('a connection whose cleanup runs already is waited for', async (t) => {
    const cleaned = gate()
    const served = await start(t, {}, { onClose: () => cleaned.opened })
    const peer = await openPeer(served)
    const [socket] = served.sockets as [LifecycleSocket]
    peer.reset()
    await new Promise((resolve) => socket.once('close', resolve))
    const report = served.app.websocketLifecycle.drain()
    const watched = watch(report)
    await delivered()
    assert.equal(watched.settled, false)
    cleaned.open()
    const { closed, terminated } = await drained(report)
    assert.deepEqual({ closed, terminated }, { closed: 1, terminated: 0 })
  })

  test('a connection of injectWS is drained too, and no clock has to move', async (t) => {
    const served = await start(t, {}, { onShutdown: (socket) => socket.send('goodbye') })
    const client = await served.app.injectWS('/ws')
    const events: string[] = []
    client.on('message', (data: Buffer) => events.push(data.toString()))
    const gone = new Promise((resolve) => client.once('close', resolve))
    const { closed, terminated, duration } = await drained(served.app.websocketLifecycle.drain())
    assert.deepEqual({ closed, terminated, duration }, { closed: 1, terminated: 0, duration: 0 })
    assert.equal(await within(gone, "the client's close"), 1012)
    assert.deepEqual(events, ['goodbye'])
    assert.equal(served.clock.pending, 0)
  })
})
