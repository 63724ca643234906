// Messages that a loop over socket.messages() reads: what it gets, and when.
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import type { Message } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { roundTrip, texts } from '../support/peers/exchange.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { logLines } from '../support/servers/log-lines.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'
import { collect } from '../support/servers/collect.js'

const { closeFrame, frame } = RawPeer

test('a loop gets each message in order: text as a string, binary as a Buffer', async (t) => {
  const got: unknown[] = []
  const { peer, socket } = await connectOne(t, { handler: (socket) => collect(socket, got) })
  peer.send(...texts('1', 'grüezi 🦊'), frame(OPCODE.binary, Buffer.from([0, 255])))
  await roundTrip(peer)
  peer.send(...texts('', '4'), closeFrame(1000))
  await socket.closed
  assert.deepEqual(got, ['1', 'grüezi 🦊', Buffer.from([0, 255]), '', '4', 'ended'])
})

test('a loop is handed the next message when it asks for it, and no sooner', async (t) => {
  const events: string[] = []
  const handled = [gate(), gate(), gate()] as const
  let taken = 0
  const { peer } = await connectOne(t, {
    handler: async (socket) => {
      for await (const message of socket.messages()) {
        events.push(`got ${String(message)}`)
        await handled[taken++]?.opened
      }
    },
  })
  peer.send(...texts('1', '2', '3'))
  await roundTrip(peer)
  assert.deepEqual(events, ['got 1'])
  handled[0].open()
  await turns(1)
  assert.deepEqual(events, ['got 1', 'got 2'])
  handled[1].open()
  await turns(1)
  assert.deepEqual(events, ['got 1', 'got 2', 'got 3'])
  handled[2].open()
})

test('messages() beside onMessage is FST_ERR_WSL_TWO_READERS, which says that one must go', async (t) => {
  const thrown: unknown[] = []
  const got: Message[] = []
  const { peer } = await connectOne(t, {
    route: { onMessage: (_socket, _request, message) => void got.push(message) },
    handler: (socket) => {
      try {
        socket.messages()
      } catch (error) {
        thrown.push(error)
      }
    },
  })
  const [error] = thrown
  assert.ok(error instanceof Error)
  assert.equal(Reflect.get(error, 'code'), 'FST_ERR_WSL_TWO_READERS')
  assert.match(error.message, /Route \/ .*remove its onMessage or the call of socket\.messages\(\)/)
  peer.send(...texts('1'))
  await roundTrip(peer)
  assert.deepEqual(got, ['1'])
})

test('two loops at once are FST_ERR_WSL_TWO_READERS, and the first goes on', async (t) => {
  const got: unknown[] = []
  const { peer, socket } = await connectOne(t, { handler: (socket) => collect(socket, got) })
  assert.throws(() => socket.messages(), { code: 'FST_ERR_WSL_TWO_READERS' })
  peer.send(...texts('1'), closeFrame(1000))
  await socket.closed
  assert.deepEqual(got, ['1', 'ended'])
})

test('several next() at once get one message each, in order; at the end all are told', async (t) => {
  const { peer, socket } = await connectOne(t, { handler: () => {} })
  const loop = socket.messages()
  const results = Promise.all([loop.next(), loop.next(), loop.next(), loop.next()])
  peer.send(...texts('1', '2', '3'), closeFrame(1000))
  const done = { done: true, value: undefined }
  assert.deepEqual(await within(results, 'all answers'), [
    { done: false, value: '1' },
    { done: false, value: '2' },
    { done: false, value: '3' },
    done,
  ])
  assert.deepEqual(await Promise.all([loop.next(), loop.next(), loop.next()]), [done, done, done])
  assert.deepEqual(await loop.return?.(), done)
  assert.equal((await socket.closed).cause, 'client-close')
})

test('workers that share a loop have one message each, and its end waits for all of them', async (t) => {
  const work = gate()
  const events: string[] = []
  const { peer, socket } = await connectOne(t, {
    handler: async (socket) => {
      const loop = socket.messages()
      await Promise.all([1, 2, 3].map(() => worker(loop)))
    },
  })
  peer.send(...texts('1', '2', '3', '4', '5'), closeFrame(1000))
  await until(() => socket.readyState === socket.CLOSED)
  assert.deepEqual(events.splice(0), ['began 1', 'began 2', 'began 3'])
  work.open()
  await socket.closed
  assert.deepEqual(
    events.filter((event) => event.startsWith('began')),
    ['began 4', 'began 5'],
  )
  assert.deepEqual(events.slice(-1), ['ended 5'])

  async function worker(loop: AsyncIterableIterator<Message>): Promise<void> {
    for (let next = await loop.next(); next.done !== true; next = await loop.next()) {
      events.push(`began ${String(next.value)}`)
      await work.opened
      await turns(1)
      events.push(`ended ${String(next.value)}`)
    }
  }
})

test('plain listeners see each message just before the loop gets it', async (t) => {
  const events: string[] = []
  const { peer } = await connectOne(t, {
    handler: async (socket) => {
      socket.on('message', (data: Buffer) => events.push(`heard ${data.toString()}`))
      for await (const message of socket.messages()) {
        events.push(`got ${String(message)}`)
        await turns(2)
      }
    },
  })
  peer.send(...texts('1', '2'))
  await roundTrip(peer)
  await turns()
  peer.send(...texts('3'))
  await roundTrip(peer)
  assert.deepEqual(events, ['heard 1', 'got 1', 'heard 2', 'got 2', 'heard 3', 'got 3'])
})

test('a loop that begins late gets all that has waited, before what comes', async (t) => {
  const loaded = gate()
  const got: unknown[] = []
  const { peer, socket } = await connectOne(t, {
    handler: async (socket) => {
      await loaded.opened
      await collect(socket, got)
    },
  })
  peer.send(...texts('1', '2'))
  await roundTrip(peer)
  loaded.open()
  peer.send(...texts('3'))
  await roundTrip(peer)
  peer.send(closeFrame(1000))
  await socket.closed
  assert.deepEqual(got, ['1', '2', '3', 'ended'])
})

test('a loop may run beside a handler that has settled', async (t) => {
  const got: unknown[] = []
  const { app, peer, socket } = await connectOne(t, {
    handler: (socket) => void collect(socket, got),
  })
  for (const text of texts('1', '2')) peer.send(text)
  await roundTrip(peer)
  peer.send(closeFrame(1000))
  await socket.closed
  assert.deepEqual(got, ['1', '2', 'ended'])
  assert.equal(app.websocketLifecycle.stats().dropped, 0)
})

test('messages can be read as a stream', async (t) => {
  const { peer, socket } = await connectOne(t, { handler: () => {} })
  const lines = Readable.from(socket.messages()).map((message: Message) => `${String(message)};`)
  const all = lines.toArray()
  peer.send(...texts('1', '2', '3'), closeFrame(1000))
  assert.deepEqual(await within(all, 'the end of the stream'), ['1;', '2;', '3;'])
})

test('a handler that stands in its loop for ever keeps nothing waiting: no warning says so', async (t) => {
  const clock = new FakeClock()
  const { lines, fastify } = logLines()
  const loaded = gate()
  const got: unknown[] = []
  const { peer } = await connectOne(t, {
    clock,
    fastify,
    route: { keepalive: false, cleanupTimeout: 2_000 },
    handler: async (socket) => {
      await loaded.opened
      await collect(socket, got)
    },
  })
  peer.send(...texts('1'))
  await roundTrip(peer)
  await clock.advance(1_000)
  loaded.open()
  await turns()
  assert.deepEqual(got, ['1'])
  await clock.advance(10_000)
  assert.deepEqual(
    lines.filter(({ level }) => level === 40).map(({ msg }) => msg),
    [],
  )
})
