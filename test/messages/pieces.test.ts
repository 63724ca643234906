// Messages in very many pieces: what is too many ends the connection, before it holds a multiple of `maxPayload`.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import type { LifecycleSocket, WebsocketLifecycleOptions } from '../../lib/index.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne } from '../support/servers/server.js'

const { frame } = RawPeer

interface Line {
  readonly peer: RawPeer
  readonly socket: LifecycleSocket
  /** Sends as one segment, and waits until it was read, so that the next one is another read. */
  readonly segment: (bytes: Buffer) => Promise<void>
}

async function connect(
  t: TestContext,
  websocket: NonNullable<WebsocketLifecycleOptions['websocket']> = {},
): Promise<Line> {
  const { peer, socket } = await connectOne(t, { options: { websocket } })
  const raw = socket.request.raw.socket
  const segment = async (bytes: Buffer): Promise<void> => {
    const read = once(raw, 'data')
    peer.send(bytes)
    await read
  }
  return { peer, socket, segment }
}

/** Sends the bytes one by one, as long as the connection is open. */
async function trickle({ socket, segment }: Line, bytes: Buffer): Promise<number> {
  let sent = 0
  for (; sent < bytes.length && socket.readyState === socket.OPEN; sent++) {
    await segment(bytes.subarray(sent, sent + 1))
  }
  return sent
}

async function assertTooMany({ peer, socket }: Line): Promise<void> {
  assert.equal((await peer.nextOf(OPCODE.close))?.payload.readUInt16BE(), 1008)
  const { cause, error } = await socket.closed
  assert.equal(cause, 'protocol-error')
  assert.equal(error && Reflect.get(error, 'code'), 'WS_ERR_TOO_MANY_BUFFERED_PARTS')
}

/** The head of a frame alone: its payload is still to come. */
function headOf(payload: number): Buffer {
  return frame(OPCODE.binary, Buffer.alloc(payload)).subarray(0, -payload)
}

test('a frame in more segments than one for each 64 bytes of maxPayload ends with 1008', async (t) => {
  const line = await connect(t, { maxPayload: 80_000 })
  await line.segment(headOf(80_000))
  assert.equal(await trickle(line, Buffer.alloc(80_000)), 1_251)
  await assertTooMany(line)
})

test('a frame of 1,024 bytes may come byte by byte, whatever maxPayload is', async (t) => {
  const line = await connect(t, { maxPayload: 2_000 })
  const message = once(line.socket, 'message')
  await line.segment(headOf(1_024))
  assert.equal(await trickle(line, Buffer.alloc(1_024)), 1_024)
  assert.equal(((await message) as [Buffer])[0].length, 1_024)
  await line.segment(headOf(2_000))
  assert.equal(await trickle(line, Buffer.alloc(2_000)), 1_025)
  await assertTooMany(line)
})

test('a message of 1 MiB may come in segments of 536 bytes, the smallest that TCP has', async (t) => {
  const { socket, segment } = await connect(t)
  const message = once(socket, 'message')
  const bytes = frame(OPCODE.binary, Buffer.alloc(1_048_576))
  for (let at = 0; at < bytes.length; at += 536) await segment(bytes.subarray(at, at + 536))
  assert.equal(((await message) as [Buffer])[0].length, 1_048_576)
})

for (const { maxPayload, fragments } of [
  { maxPayload: 80_000, fragments: 1_250 },
  { maxPayload: 1_000, fragments: 1_024 },
]) {
  test(`where maxPayload is ${maxPayload} there may be ${fragments} fragments, and no more`, async (t) => {
    const line = await connect(t, { maxPayload })
    const rest = (count: number): Buffer[] =>
      Array.from({ length: count }, () => frame(OPCODE.continuation, '', false))
    const message = once(line.socket, 'message')
    line.peer.send(
      frame(OPCODE.text, 'x', false),
      ...rest(fragments - 2),
      frame(OPCODE.continuation, 'y'),
    )
    assert.equal(String(((await message) as [Buffer])[0]), 'xy')
    line.peer.send(frame(OPCODE.text, 'x', false), ...rest(fragments))
    await assertTooMany(line)
  })
}

test("the app's own limits hold, larger and smaller ones", async (t) => {
  const many = await connect(t, { maxPayload: 2_000, maxBufferedChunks: 1_500 })
  await many.segment(headOf(2_000))
  assert.equal(await trickle(many, Buffer.alloc(2_000)), 1_501)
  await assertTooMany(many)
  const few = await connect(t, { maxBufferedChunks: 3 })
  await few.segment(headOf(10))
  assert.equal(await trickle(few, Buffer.alloc(10)), 4)
  await assertTooMany(few)
})
