// What waits keeps its own bytes, and not all of the read of the socket that brought it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { LifecycleSocket } from '../../lib/index.js'
import { gate } from '../support/time/gate.js'
import { rawOf } from '../support/servers/outbox.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne } from '../support/servers/server.js'

const { frame } = RawPeer
const KiB = 1024

/** More than one read, of which nothing is kept. */
const PONGS = Buffer.concat(Array.from({ length: 12_000 }, () => frame(OPCODE.pong)))

/** Sends frames, each among pongs that fill its read; resolves when all were read. */
async function sendAmongPongs(
  peer: RawPeer,
  socket: LifecycleSocket,
  frames: readonly Buffer[],
): Promise<void> {
  const raw = rawOf(socket)
  let expected = raw.bytesRead
  for (const each of frames) {
    expected += each.length + PONGS.length
    peer.send(Buffer.concat([PONGS.subarray(0, 30_000), each, PONGS.subarray(30_000)]))
    while (raw.bytesRead < expected) await turn()
  }
}

/** How much memory some bytes keep, each buffer counted once. */
function kept(parts: readonly Uint8Array[]): number {
  const buffers = new Set(parts.map(({ buffer }) => buffer))
  return [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0)
}

test('parts of an unfinished message keep no reads', async (t) => {
  const { peer, socket } = await connectOne(t)
  const parts = Array.from({ length: 64 }, (_, i) =>
    frame(i === 0 ? OPCODE.binary : OPCODE.continuation, `${i % 10}`, false),
  )
  await sendAmongPongs(peer, socket, parts)
  const { _fragments: waiting } = Reflect.get(socket, '_receiver') as { _fragments: Buffer[] }
  assert.equal(waiting.length, parts.length)
  assert.ok(kept(waiting) <= 64 * KiB, `${kept(waiting)}`)
  const message = new Promise<Buffer>((resolve) => socket.once('message', resolve))
  peer.send(frame(OPCODE.continuation, 'end'))
  const expected = Array.from({ length: 64 }, (_, i) => i % 10).join('')
  assert.equal((await message).toString(), `${expected}end`)
})

test('a part that is most of its read is not copied', async (t) => {
  const { peer, socket } = await connectOne(t)
  const large = Buffer.alloc(1024 * KiB - 10, 'x')
  peer.send(frame(OPCODE.binary, large, false), frame(OPCODE.ping))
  await peer.nextOf(OPCODE.pong)
  const { _fragments: waiting } = Reflect.get(socket, '_receiver') as { _fragments: Buffer[] }
  assert.ok(kept(waiting) < 2 * large.length)
})

test('messages that wait in the inbox keep no reads', async (t) => {
  const stuck = gate()
  const heard: Array<string | Buffer> = []
  const { peer, socket } = await connectOne(t, {
    route: {
      inbox: { maxMessages: 1_000 },
      onMessage: async (_socket, _request, message) => {
        heard.push(message)
        await stuck.opened
      },
    },
  })
  const messages = Array.from({ length: 50 }, (_, i) => frame(OPCODE.binary, `${i}`))
  await sendAmongPongs(peer, socket, messages)
  stuck.open()
  while (heard.length < 50) await turn()
  // The first one never waited.
  assert.ok(kept(heard.slice(1) as Buffer[]) <= 64 * KiB)
  assert.deepEqual(
    heard.map(String),
    Array.from({ length: 50 }, (_, i) => `${i}`),
  )
})
