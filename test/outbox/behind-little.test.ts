// One message of any size leaves where nothing waits. Over TLS node tells late what the kernel has taken: a few bytes
// wait in name only.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LifecycleSocket } from '../../lib/index.js'
import { OPCODE } from '../support/peers/raw-peer.js'
import { connectOver, TCP, TLS } from '../support/servers/outbox.js'

/** More than may wait beside it in one turn, with {@link BOUNDS}. */
const LARGE = 6 * 1024 * 1024
const BOUNDS = { maxBytes: 1_024, highWaterMark: 0 } as const

const BEFORE: Readonly<Record<string, (socket: LifecycleSocket) => unknown>> = {
  'the 101': () => {},
  'a small message': (socket) => socket.send('small'),
  'small messages': (socket) => {
    for (let i = 0; i < 10; i++) socket.send('small')
  },
  'a ping': (socket) => socket.ping(),
}

for (const line of [TCP, TLS]) {
  for (const [what, before] of Object.entries(BEFORE)) {
    for (const overflow of ['close', 'drop'] as const) {
      test(`over ${line.over} one message of any size leaves behind ${what}, with ${overflow}`, async (t) => {
        const { peer, socket, closes } = await connectOver(line, t, {
          route: { outbox: { ...BOUNDS, overflow } },
          handler: (socket) => {
            before(socket)
            socket.send(Buffer.alloc(LARGE))
          },
        })
        const frame = await peer.nextOf(OPCODE.binary)
        assert.equal(frame?.payload.length, LARGE, JSON.stringify(closes))
        assert.equal(await socket.drained(), true)
        assert.equal(socket.readyState, socket.OPEN)
      })
    }
  }

  test(`over ${line.over} two of them in one turn are too many`, async (t) => {
    const { socket } = await connectOver(line, t, { route: { outbox: BOUNDS } })
    socket.send(Buffer.alloc(LARGE))
    socket.send(Buffer.alloc(LARGE))
    assert.equal(socket.readyState, socket.CLOSING)
    const { cause } = await socket.closed
    assert.ok(cause === 'handler-error' || cause === 'slow-consumer')
  })
}
