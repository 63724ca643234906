// The bounds of what was received and is not yet handled, and the pauses of reading that they cause.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { InboxOptions, Message } from '../../lib/index.js'
import { roundTrip, texts } from '../support/peers/exchange.js'
import { turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { rawOf } from '../support/servers/outbox.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, type OneRoute } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'
import { ONE_READ, stalled } from '../support/servers/stalled.js'
import { STUCK } from '../support/models/stuck.js'

const { frame } = RawPeer

for (const [who, setup] of Object.entries(STUCK)) {
  test(`${who}: 26 MB are not read, TCP pushes back, nothing is lost`, async (t) => {
    const stuck = gate()
    let handled = 0
    const connected = await connectOne(
      t,
      setup(stuck, (size) => (handled += size)),
    )
    const { app, peer, socket } = connected
    const raw = rawOf(socket)
    const before = raw.bytesRead
    const message = frame(OPCODE.binary, Buffer.alloc(64_000))
    for (let i = 0; i < 406; i++) peer.socket.write(message)
    await until(() => socket.isPaused)
    const read = (await stalled(raw)) - before
    // Full at a megabyte; one read on top, and one more that node itself has buffered.
    assert.ok(read >= 1024 * 1024 && read <= 1024 * 1024 + 4 * ONE_READ, `${read}`)
    // What is neither read nor in the two buffers of the kernel waits with the sender.
    assert.ok(peer.socket.writableLength > 5_000_000, `${peer.socket.writableLength}`)
    stuck.open()
    await until(() => handled === 406 * 64_000)
    assert.equal(socket.isPaused, false)
    assert.equal(peer.socket.writableLength, 0)
    assert.equal(app.websocketLifecycle.stats().dropped, 0)
  })

  test(`${who}: 600 kB of empty messages are not read: they count`, async (t) => {
    const stuck = gate()
    let handled = 0
    const { app, peer, socket } = await connectOne(
      t,
      setup(stuck, () => handled++),
    )
    const raw = rawOf(socket)
    const before = raw.bytesRead
    peer.socket.write(Buffer.alloc(600_000, frame(OPCODE.text)))
    await until(() => socket.isPaused)
    const read = (await stalled(raw)) - before
    assert.ok(read <= 4 * ONE_READ, `${read}`)
    stuck.open()
    await until(() => handled === 100_000)
    assert.equal(app.websocketLifecycle.stats().dropped, 0)
  })
}

/** A text message of 100 bytes. */
const sized = (name: string): Buffer => frame(OPCODE.text, name.padEnd(100))

type Handle = (message: Message) => Promise<void>

const BOUNDS: ReadonlyArray<{
  readonly bound: string
  readonly inbox: InboxOptions
}> = [
  { bound: 'maxMessages', inbox: { maxMessages: 4 } },
  { bound: 'maxBytes', inbox: { maxBytes: 400 } },
]

const READERS: Readonly<Record<string, (handle: Handle) => OneRoute>> = {
  onMessage: (handle) => ({
    route: { onMessage: async (_socket, _request, message) => handle(message) },
  }),
  'messages()': (handle) => ({
    handler: async (socket) => {
      for await (const message of socket.messages()) await handle(message)
    },
  }),
}

const bounded = BOUNDS.flatMap(({ bound, inbox }) =>
  Object.entries(READERS).map(([reader, setup]) => ({ bound, inbox, reader, setup })),
)

for (const { bound, inbox, reader, setup } of bounded) {
  test(`at \`${bound}\`, those in ${reader} among them, reading pauses; half empty, it resumes`, async (t) => {
    const waiting: Array<() => void> = []
    const got: string[] = []
    const { route, handler } = setup(async (message) => {
      got.push(String(message).trim())
      await new Promise<void>((resolve) => waiting.push(resolve))
    })
    const { peer, socket } = await connectOne(t, {
      route: { ...route, inbox },
      ...(handler && { handler }),
    })
    peer.send(sized('1'), sized('2'), sized('3'))
    await roundTrip(peer)
    assert.equal(socket.isPaused, false)
    peer.send(sized('4'))
    await until(() => socket.isPaused)
    peer.send(sized('5'))
    await handleOne()
    assert.deepEqual([got, socket.isPaused], [['1', '2'], true])
    await handleOne()
    assert.deepEqual([got, socket.isPaused], [['1', '2', '3'], false])
    await roundTrip(peer)
    for (let i = 0; i < 3; i++) await handleOne()
    assert.deepEqual(got, ['1', '2', '3', '4', '5'])

    async function handleOne(): Promise<void> {
      waiting.shift()?.()
      await turns(1)
    }
  })
}

test('a message that is larger than the whole inbox is handled, and reading goes on after it', async (t) => {
  const handled = gate()
  const got: number[] = []
  const { peer, socket } = await connectOne(t, {
    route: {
      inbox: { maxBytes: 10 },
      onMessage: async (_socket, _request, message) => {
        got.push(message.length)
        await handled.opened
      },
    },
  })
  peer.send(frame(OPCODE.text, 'x'.repeat(5_000)))
  await until(() => socket.isPaused)
  handled.open()
  await until(() => !socket.isPaused)
  peer.send(...texts('next'))
  await roundTrip(peer)
  assert.deepEqual(got, [5_000, 4])
})
