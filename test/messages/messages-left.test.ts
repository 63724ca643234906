// Loops over messages() that end, are left or fail, and those that come after them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LifecycleSocket, Message } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { ENDS, OTHERS_ENDS } from '../support/models/ends.js'
import { roundTrip, texts } from '../support/peers/exchange.js'
import { turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'
import { collect } from '../support/servers/collect.js'

const { closeFrame } = RawPeer

for (const [what, end] of Object.entries(ENDS)) {
  test(`a loop that waits for a message ends after ${what}`, async (t) => {
    const got: unknown[] = []
    const done = gate()
    const connected = await connectOne(t, {
      handler: async (socket) => {
        await collect(socket, got)
        done.open()
      },
    })
    connected.peer.send(...texts('1'))
    await roundTrip(connected.peer)
    await end(connected)
    await within(done.opened, 'the end of the loop')
    assert.deepEqual(got, ['1', 'ended'])
    await connected.socket.closed
  })

  const isOthers = what in OTHERS_ENDS
  const gets = isOthers ? 'what had come before' : 'nothing more'
  test(`a loop that is at work at ${what} gets ${gets}, and ends then`, async (t) => {
    const got: unknown[] = []
    const work = gate()
    const connected = await connectOne(t, {
      handler: async (socket) => {
        for await (const message of socket.messages()) {
          got.push(message)
          await work.opened
        }
        got.push('ended')
      },
    })
    connected.peer.send(...texts('1', '2', '3'))
    await roundTrip(connected.peer)
    await end(connected)
    await until(() => connected.socket.readyState === connected.socket.CLOSED)
    assert.deepEqual(got, ['1'])
    work.open()
    await connected.socket.closed
    assert.deepEqual(got, isOthers ? ['1', '2', '3', 'ended'] : ['1', 'ended'])
    const { dropped } = connected.app.websocketLifecycle.stats()
    assert.equal(dropped, isOthers ? 0 : 2)
  })
}

test('a loop that begins when the connection has ended gets what waits, and ends', async (t) => {
  const loaded = gate()
  const got: unknown[] = []
  const { peer, socket } = await connectOne(t, {
    handler: async (socket) => {
      await loaded.opened
      await collect(socket, got)
    },
  })
  peer.send(...texts('1', '2'), closeFrame(1000))
  await until(() => socket.readyState === socket.CLOSED)
  loaded.open()
  await socket.closed
  await turns()
  assert.deepEqual(got, ['1', '2', 'ended'])
})

test('a loop that begins when all is over ends at once, though nothing had ever come', async (t) => {
  const loaded = gate()
  const got: unknown[] = []
  const done = gate()
  const { peer, socket } = await connectOne(t, {
    handler: async (socket) => {
      await loaded.opened
      await collect(socket, got)
      done.open()
    },
  })
  peer.finish()
  await socket.closed
  loaded.open()
  await within(done.opened, 'the end of the loop')
  assert.deepEqual(got, ['ended'])
})

test('a second loop after the first has ended with the connection ends at once', async (t) => {
  const got: unknown[] = []
  const done = gate()
  const { peer, socket } = await connectOne(t, {
    handler: async (socket) => {
      await collect(socket, got)
      await collect(socket, got)
      done.open()
    },
  })
  peer.send(...texts('1'), closeFrame(1000))
  assert.equal((await socket.closed).cause, 'client-close')
  await within(done.opened, 'the end of the loops')
  assert.deepEqual(got, ['1', 'ended', 'ended'])
})

test('`break` gives the socket back: all that waits and comes goes to plain listeners, in order', async (t) => {
  const got: string[] = []
  const left = gate()
  const { peer } = await connectOne(t, {
    handler: async (socket) => {
      for await (const message of socket.messages()) {
        got.push(`loop ${String(message)}`)
        if (message === '2') break
      }
      left.open()
      await turns()
      socket.on('message', (data: Buffer) => got.push(`listener ${data.toString()}`))
    },
  })
  peer.send(...texts('1', '2', '3', '4'))
  await left.opened
  assert.deepEqual(got, ['loop 1', 'loop 2'])
  peer.send(...texts('5'))
  await roundTrip(peer)
  await turns()
  peer.send(...texts('6'))
  await roundTrip(peer)
  assert.deepEqual(got, ['loop 1', 'loop 2', ...['3', '4', '5', '6'].map((n) => `listener ${n}`)])
})

test('after `break` and the end of the handler what comes is discarded, if nobody listens', async (t) => {
  const { app, peer } = await connectOne(t, {
    handler: async (socket) => {
      for await (const message of socket.messages()) if (message === '2') break
    },
  })
  peer.send(...texts('1', '2', '3', '4'))
  await roundTrip(peer)
  peer.send(...texts('5'))
  await roundTrip(peer)
  assert.equal(app.websocketLifecycle.stats().dropped, 3)
})

/** Takes one message, and leaves the loop. */
async function first(socket: LifecycleSocket): Promise<Message | undefined> {
  for await (const message of socket.messages()) return message
  return undefined
}

test('a loop goes on where the one before was left: nothing is lost or doubled', async (t) => {
  const got: string[] = []
  const { peer, socket } = await connectOne(t, {
    handler: async (socket) => {
      got.push(`first ${String(await first(socket))}`)
      for await (const message of socket.messages()) got.push(`then ${String(message)}`)
    },
  })
  peer.send(...texts('1', '2', '3'), closeFrame(1000))
  await socket.closed
  assert.deepEqual(got, ['first 1', 'then 2', 'then 3'])
})

test('a throw inside a loop is the handler-error of its connection; what waits is dropped', async (t) => {
  const error = new Error('of the loop')
  const got: Message[] = []
  const { app, peer, socket } = await connectOne(t, {
    handler: async (socket) => {
      for await (const message of socket.messages()) {
        got.push(message)
        throw error
      }
    },
  })
  peer.send(...texts('1', '2', '3'))
  const frame = await peer.nextOf(OPCODE.close)
  assert.deepEqual(
    frame?.payload,
    Buffer.concat([Buffer.from([0x03, 0xf3]), Buffer.from('handler-error')]),
  )
  peer.send(...texts('4'), closeFrame(1011))
  const close = await socket.closed
  assert.deepEqual([close.cause, close.error], ['handler-error', error])
  assert.deepEqual(got, ['1'])
  assert.equal(app.websocketLifecycle.stats().dropped, 3)
})

test('a loop that was left says that it is done, also to a next() that waits, and takes nothing', async (t) => {
  const heard: string[] = []
  const { peer, socket } = await connectOne(t, {
    handler: (socket) => {
      socket.on('message', (data: Buffer) => heard.push(data.toString()))
    },
  })
  const loop = socket.messages()
  const waiting = loop.next()
  assert.deepEqual(await loop.return?.(), { done: true, value: undefined })
  assert.deepEqual(await waiting, { done: true, value: undefined })
  assert.deepEqual(await loop.return?.(), { done: true, value: undefined })
  peer.send(...texts('1'))
  await roundTrip(peer)
  assert.deepEqual(await loop.next(), { done: true, value: undefined })
  assert.deepEqual(heard, ['1'])
})

test('leaving a loop that was left before does not end the one that came after it', async (t) => {
  const got: unknown[] = []
  const { peer, socket } = await connectOne(t, { handler: () => {} })
  const old = socket.messages()
  await old.return?.()
  const collecting = collect(socket, got)
  await old.return?.()
  peer.send(...texts('1', '2'), closeFrame(1000))
  await within(collecting, 'the end of the loop')
  assert.deepEqual(got, ['1', '2', 'ended'])
})
