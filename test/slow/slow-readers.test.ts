/**
 * Readers in real time, against the defaults: for minutes the kernel shows no progress of one that is
 * slow, and it must not be taken for one that has stopped.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setInterval as every } from 'node:timers/promises'
import type { LifecycleSocket } from '../../lib/index.js'
import type { RawPeer } from '../support/peers/raw-peer.js'
import { connectOne } from '../support/servers/server.js'

const CHUNK = Buffer.alloc(16 * 1024)
/** Fifteen times `outbox.maxAge`, what a `closeTimeout` grants to a peer that does not answer, and some for the sweep. */
const BOUND = 15 * 10_000 + 3_000 + 12_000

/** Sends whenever there is room, as long as the connection is open. */
async function keepSending(socket: LifecycleSocket): Promise<void> {
  while (await socket.drained()) socket.send(CHUNK)
}

/** Reads `bytes` once a second, and leaves the rest to the kernel. */
async function readSlowly(peer: RawPeer, bytes: number, seconds: number): Promise<void> {
  const { socket } = peer
  socket.removeAllListeners('data').pause()
  let second = 0
  for await (const _ of every(1_000)) {
    const wanted = Math.min(bytes, socket.readableLength)
    // Without anything to take, this makes node look for more.
    socket.read(wanted)
    if (++second === seconds || socket.destroyed) return
  }
}

describe('slow readers, in real time', { concurrency: true }, () => {
  it('a reader of 16 KiB a second is kept, also where the kernel shows no progress for a minute', async (t) => {
    const { peer, socket } = await connectOne(t, {
      // The answers to its pings would come minutes later.
      options: { keepalive: false },
      handler: keepSending,
    })
    await readSlowly(peer, 16 * 1024, 200)
    assert.equal(socket.readyState, socket.OPEN)
    assert.ok(socket.bufferedAmount > 0, 'there was something to judge')
    peer.destroy()
  })

  for (const bytes of [0, 1]) {
    it(`a reader of ${bytes} bytes a second is cut off`, async (t) => {
      const { peer, socket } = await connectOne(t, {
        options: { keepalive: false },
        handler: keepSending,
      })
      const openedAt = performance.now()
      void readSlowly(peer, bytes, 200)
      const close = await socket.closed
      assert.equal(close.cause, 'slow-consumer')
      assert.ok(performance.now() - openedAt < BOUND, `${performance.now() - openedAt} ms`)
      assert.ok(socket.bufferedAmount < 1024 * 1024, 'memory is bounded')
      peer.destroy()
    })
  }
})
