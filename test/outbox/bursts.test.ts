// What a turn of the loop sends leaves together, in order, and soon.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { Turns } from '../../lib/time/turns.js'
import { until } from '../support/time/timed.js'
import { openBusyPeer } from '../support/peers/busy-peer.js'
import { turns } from '../support/time/fake-clock.js'
import { connectOver, type Line, rawOf, TCP, TLS, watchWrites } from '../support/servers/outbox.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { DIFFERS_OVER_TLS } from '../support/servers/tls-pass.js'
import { connectOne, serveOne } from '../support/servers/server.js'
import { surviveUncaught } from '../support/time/uncaught.js'
import { numbers, take } from '../support/peers/taken.js'

const { closeFrame, frame } = RawPeer
const LINES: readonly Line[] = [TCP, TLS]
const KiB = 1024

for (const line of LINES) {
  test(`over ${line.over} the first message of a turn is with the peer while that turn goes on`, async (t) => {
    const { port, nextSocket } = await serveOne(t, line.server)
    const peer = await openBusyPeer(t, port, line === TLS)
    const socket = await nextSocket()
    // The turn of the 101 is over.
    await turns(3)
    socket.send('first')
    socket.send('second')
    assert.ok(peer.hasByte())
  })

  test(`over ${line.over} the further messages of a turn leave as one write, when it ends`, async (t) => {
    const { peer, socket } = await connectOver(line, t)
    const writes = watchWrites(socket)
    for (let turn = 0; turn < 3; turn++) {
      for (let i = 0; i < 50; i++) {
        assert.equal(socket.send(String(i)), true)
        assert.equal(writes.length, 2 * turn + 1, 'the first one has left, and no other')
      }
      await new Promise<void>((resolve) => process.nextTick(resolve))
      assert.equal(rawOf(socket).writableCorked, 0, 'nothing is held back for longer')
      assert.deepEqual(await take(peer, 50), numbers(50))
      await turns(2)
      assert.equal(writes.length, 2 * turn + 2)
    }
  })

  test(`over ${line.over} one message a turn leaves at once, each time`, async (t) => {
    const { peer, socket } = await connectOver(line, t)
    const writes = watchWrites(socket)
    for (let turn = 1; turn <= 20; turn++) {
      socket.send('x')
      assert.equal(writes.length, turn)
      assert.equal(rawOf(socket).writableCorked, 0)
      await turns(2)
    }
    assert.equal((await take(peer, 20)).length, 20)
  })

  test(`over ${line.over} ten pings in one packet behind a burst are all answered`, async (t) => {
    const { peer } = await connectOver(line, t, {
      handler: (socket) => {
        socket.on('message', () => {
          for (let i = 0; i < 30; i++) socket.send(String(i).padEnd(1_000))
        })
      },
    })
    const pings = numbers(10).map((payload) => frame(OPCODE.ping, payload))
    peer.send(frame(OPCODE.text, 'burst'), ...pings)
    const got = await take(peer, 40)
    assert.deepEqual(
      got.map((each) => each.trimEnd()),
      [...numbers(30), ...numbers(10).map((payload) => `pong ${payload}`)],
    )
  })

  test(`over ${line.over} automatic pongs keep their place among the answers`, async (t) => {
    const { peer } = await connectOver(line, t, {
      handler: (socket) => {
        socket.on('message', (data) => {
          for (const part of 'abc') socket.send(`${(data as Buffer).toString()}${part}`)
        })
      },
    })
    const packet = numbers(5).flatMap((i) => [frame(OPCODE.text, i), frame(OPCODE.ping, i)])
    peer.send(...packet)
    const expected = numbers(5).flatMap((i) => [`${i}a`, `${i}b`, `${i}c`, `pong ${i}`])
    assert.deepEqual(await take(peer, 20), expected)
  })

  test(`over ${line.over} the close frame, and our echo of one, come after all that the turn sent`, async (t) => {
    const { port, nextSocket } = await serveOne(t, {
      ...line.server,
      handler: (socket) => {
        socket.on('message', () => numbers(20).forEach((i) => socket.send(i)))
      },
    })
    const first = await line.dial(port)
    const socket = await nextSocket()
    numbers(20).forEach((i) => socket.send(i))
    socket.close(4000)
    assert.deepEqual(await take(first, 21), [...numbers(20), 'close 4000'])
    const second = await line.dial(port)
    second.send(frame(OPCODE.text, 'burst'), closeFrame(4001))
    assert.deepEqual(await take(second, 21), [...numbers(20), 'close 4001'])
  })

  for (const perMessageDeflate of [false, true]) {
    test(`over ${line.over}${perMessageDeflate ? ', compressed,' : ''} whatever a turn sends, and whenever, keeps its order`, async (t) => {
      const setup = { options: { websocket: { perMessageDeflate } } }
      const { port, nextSocket } = await serveOne(t, { ...setup, ...line.server })
      const client = new WebSocket(`${line === TLS ? 'wss' : 'ws'}://127.0.0.1:${port}/`, {
        perMessageDeflate,
        rejectUnauthorized: false,
      })
      const got: string[] = []
      client.on('message', (data, isBinary) => {
        const text = (data as Buffer).toString()
        got.push(isBinary ? `binary ${text}` : text)
      })
      client.on('ping', (data) => got.push(`ping ${data.toString()}`))
      client.on('pong', (data) => got.push(`pong ${data.toString()}`))
      client.on('close', (code) => got.push(`close ${code}`))
      const socket = await nextSocket()
      await once(client, 'open')
      const sent: string[] = []
      const sendAll = (when: string): void => {
        socket.send(when)
        socket.send(Buffer.from(when))
        socket.ping(when)
        socket.send(`${when}, `, { fin: false })
        socket.pong(when)
        socket.send('in two parts')
        socket.send(new Blob([when]) as never)
        socket.send(when.padEnd(6 * KiB, '.'))
        sent.push(when, `binary ${when}`, `ping ${when}`, `pong ${when}`, `${when}, in two parts`)
        sent.push(`binary ${when}`, when.padEnd(6 * KiB, '.'))
      }
      for (let turn = 0; turn < 3; turn++) {
        process.nextTick(() => {
          sendAll('a tick')
          process.nextTick(sendAll, 'a tick of a tick')
          void Promise.resolve('a promise of a tick').then(sendAll)
        })
        void Promise.resolve('a promise').then(sendAll)
        queueMicrotask(() => process.nextTick(sendAll, 'a tick of a promise'))
        setImmediate(sendAll, 'an immediate')
        setTimeout(sendAll, 0, 'a timer')
        sendAll('the turn')
        sendAll('the turn, again')
        await turns(3)
        assert.equal(rawOf(socket).writableCorked, 0)
      }
      await until(() => sent.length === 3 * 9 * 7)
      await socket.drained()
      numbers(5).forEach((i) => socket.send(i))
      socket.close(4000)
      await once(client, 'close')
      assert.deepEqual(got, [...sent, ...numbers(5), 'close 4000'])
    })
  }
}

for (const [what, sizes] of Object.entries({
  small: [100],
  larger: [1_000],
  mixed: [100, 1_000],
})) {
  test(
    `of ${what} messages no more than 16 KiB are held back`,
    { skip: DIFFERS_OVER_TLS.told },
    async (t) => {
      const { peer, socket } = await connectOne(t)
      const writes = watchWrites(socket)
      const sent: string[] = []
      for (let bytes = 0; bytes < 195 * KiB; bytes += sent.at(-1)?.length ?? 0) {
        sent.push(String(sent.length).padEnd(sizes[sent.length % sizes.length] ?? 0))
        socket.send(sent.at(-1) ?? '')
        assert.ok(socket.bufferedAmount <= 16 * KiB, `${socket.bufferedAmount}`)
      }
      const inTurn = writes.length
      assert.ok(inTurn >= 12 && inTurn <= 14, `${inTurn} writes`)
      await turns(1)
      assert.equal(writes.length, inTurn + 1)
      for (const bytes of writes) assert.ok(bytes <= 17 * KiB, `${bytes}`)
      // One that is larger by itself is not held at all.
      socket.send('x')
      socket.send(Buffer.alloc(20 * KiB))
      assert.equal(socket.bufferedAmount, 0)
      assert.deepEqual(await take(peer, sent.length), sent)
    },
  )
}

test('a loop over drained() sends bursts as well', async (t) => {
  const { peer, socket } = await connectOne(t)
  const writes = watchWrites(socket)
  for (const text of numbers(40)) {
    assert.equal(await socket.drained(), true)
    socket.send(text)
  }
  assert.deepEqual(await take(peer, 40), numbers(40))
  assert.ok(writes.length <= 3, `${writes.length} writes`)
})

test('a broadcast of several messages costs each connection two writes', async (t) => {
  const { app, port } = await serveOne(t)
  const peers = await Promise.all(Array.from({ length: 30 }, () => RawPeer.open(port)))
  const sockets = [...app.websocketLifecycle.connections]
  const writes = sockets.map((socket) => watchWrites(socket))
  for (const text of numbers(10)) for (const socket of sockets) socket.send(text)
  for (const peer of peers) assert.deepEqual(await take(peer, 10), numbers(10))
  assert.deepEqual(new Set(writes.map((each) => each.length)), new Set([2]))
})

test('a holder that throws when the turn is over keeps no other one from hearing of it', async (t) => {
  const uncaught = surviveUncaught(t)
  const numbered = new Turns()
  const error = new Error('mine')
  const told: string[] = []
  const failing = {
    turnOver: () => {
      told.push('failing')
      throw error
    },
  }
  numbered.hold({ turnOver: () => told.push('first') })
  numbered.hold(failing)
  numbered.hold({ turnOver: () => told.push('last') })
  await turns(2)
  assert.deepEqual(told, ['first', 'failing', 'last'])
  assert.deepEqual(uncaught, [error])
  numbered.thisTurn()
  await turns(2)
  assert.equal(told.length, 3, 'each is told once')
})
