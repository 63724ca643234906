// Answers to messages that came together leave together.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LifecycleSocket, RouteLifecycleOptions } from '../../lib/index.js'
import { turns } from '../support/time/fake-clock.js'
import { connectOver, type Line, rawOf, TCP, TLS, watchWrites } from '../support/servers/outbox.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne } from '../support/servers/server.js'
import { numbers, take } from '../support/peers/taken.js'

const { frame } = RawPeer
const LINES: readonly Line[] = [TCP, TLS]

const READERS: Readonly<Record<string, RouteLifecycleOptions & { handler?: unknown }>> = {
  'an onMessage': { onMessage: (socket, _request, message) => void socket.send(message) },
  'an async onMessage that answers at once': {
    onMessage: async (socket, _request, message) => void socket.send(message),
  },
  'an async onMessage': {
    onMessage: async (socket, _request, message) => {
      for (let i = 0; i < 5; i++) await Promise.resolve()
      socket.send(message)
    },
  },
}

const HANDLERS: Readonly<Record<string, (socket: LifecycleSocket) => unknown>> = {
  'a listener': (socket) => {
    socket.on('message', (data) => socket.send((data as Buffer).toString()))
  },
  'an async listener': (socket) => {
    socket.on('message', async (data) => {
      await Promise.resolve()
      socket.send((data as Buffer).toString())
    })
  },
  'a loop over messages()': async (socket) => {
    for await (const message of socket.messages()) socket.send(await Promise.resolve(message))
  },
}

const ANSWERERS = [
  ...Object.entries(READERS).map(([by, route]) => ({ by, setup: { route } })),
  ...Object.entries(HANDLERS).map(([by, handler]) => ({ by, setup: { handler } })),
]
/** They answer while ws hands over what it has read, and there is more of that. */
const AT_ONCE: ReadonlySet<string> = new Set(['an onMessage', 'a listener'])

for (const { by, setup } of ANSWERERS) {
  for (const line of LINES) {
    const most = AT_ONCE.has(by) ? 1 : 2
    test(`over ${line.over}, ${by} answers 8 messages in up to ${most} write(s)`, async (t) => {
      const { peer, socket } = await connectOver(line, t, setup)
      await turns(1)
      const writes = watchWrites(socket)
      for (let round = 1; round <= 3; round++) {
        peer.send(...numbers(8).map((i) => frame(OPCODE.text, i)))
        assert.deepEqual(await take(peer, 8), numbers(8))
        assert.ok(writes.length <= most * round, `${writes.length} writes in ${round} rounds`)
      }
    })
  }
}

for (const line of LINES) {
  test(`over ${line.over} one answer to a message leaves at once, the second and third together`, async (t) => {
    const { peer, socket } = await connectOver(line, t, {
      handler: (socket) => {
        socket.on('message', (data) => {
          for (const text of (data as Buffer).toString().split('')) socket.send(text)
          corked.push(rawOf(socket).writableCorked)
        })
      },
    })
    const corked: number[] = []
    await turns(1)
    const writes = watchWrites(socket)
    for (const [text, expected] of [
      ['a', 1],
      ['b', 2],
      ['abc', 4],
      ['d', 5],
    ] as const) {
      peer.send(frame(OPCODE.text, text))
      assert.deepEqual(await take(peer, text.length), text.split(''))
      assert.equal(writes.length, expected)
    }
    assert.deepEqual(corked, [0, 0, 1, 0])
  })
}

test('the one answer to a message is one write, without a callback', async (t) => {
  const { peer, socket } = await connectOne(t, {
    handler: (socket) => {
      socket.on('message', (data) => void socket.send(data as Buffer))
    },
  })
  await turns(1)
  const writes = t.mock.method(rawOf(socket), 'write').mock
  for (const text of numbers(3)) {
    peer.send(frame(OPCODE.text, text))
    assert.deepEqual(await take(peer, 1), [text])
  }
  assert.deepEqual(
    writes.calls.map(({ arguments: [, ...others] }) => others),
    [[], [], []],
  )
})
