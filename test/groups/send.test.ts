// What a group sends: to whom, in which form, and what each outbox does with it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { serveCrowd, texts } from '../support/servers/crowd.js'
import {
  clog,
  MORE_THAN_A_KERNEL_HOLDS,
  TLS,
  unclog,
  watchWrites,
} from '../support/servers/outbox.js'
import { serveOne } from '../support/servers/server.js'

const KINDS: ReadonlyArray<readonly [kind: string, data: unknown, opcode: number, text: string]> = [
  ['text', 'añb', OPCODE.text, 'añb'],
  ['an empty text', '', OPCODE.text, ''],
  ['a number', 7, OPCODE.text, '7'],
  ['a Buffer', Buffer.from('abc'), OPCODE.binary, 'abc'],
  ['an ArrayBuffer', new Uint8Array([97]).buffer, OPCODE.binary, 'a'],
  ['a DataView', new DataView(new Uint8Array([97, 98, 99]).buffer, 1, 1), OPCODE.binary, 'b'],
  ['a Blob', new Blob(['abc']), OPCODE.binary, 'abc'],
  ['126 bytes', 'x'.repeat(126), OPCODE.text, 'x'.repeat(126)],
  ['65,535 bytes', 'x'.repeat(65_535), OPCODE.text, 'x'.repeat(65_535)],
  ['65,536 bytes', Buffer.alloc(65_536, 'x'), OPCODE.binary, 'x'.repeat(65_536)],
]

test('all members get what bare ws would send, whatever it is', async (t) => {
  const { group, peers } = await serveCrowd(t, 3)
  for (const [kind, data, opcode, text] of KINDS) {
    assert.deepEqual(group.send(data as string), { sent: 3, dropped: 0 }, kind)
    for (const peer of peers) {
      const frame = await peer.next()
      assert.equal(frame?.opcode, opcode, kind)
      assert.ok(frame.payload.equals(Buffer.from(text)), kind)
    }
  }
  group.send('as bytes', { binary: true })
  assert.equal((await peers[0]?.next())?.opcode, OPCODE.binary)
  group.send(Buffer.from('as text'), { binary: false })
  assert.equal((await peers[0]?.next())?.opcode, OPCODE.text)
  assert.throws(
    () => group.send(new Blob(['x']), { binary: false }),
    /a Blob to be sent as a binary/,
  )
})

test('`except` gets nothing; one who is no member makes no difference', async (t) => {
  const { app, group, peers, sockets } = await serveCrowd(t, 3)
  assert.deepEqual(group.send('others', { except: sockets[1] }), { sent: 2, dropped: 0 })
  group.send('all', { except: undefined })
  assert.deepEqual(await texts(peers[1], 1), ['all'])
  assert.deepEqual(await texts(peers[0], 2), ['others', 'all'])
  for (const socket of sockets) app.websocketLifecycle.group('room').delete(socket)
  app.websocketLifecycle.group('other').add(sockets[2] as never)
  const result = app.websocketLifecycle.group('other').send('x', { except: sockets[0] })
  assert.deepEqual(result, { sent: 1, dropped: 0 })
  assert.deepEqual(group.send('nobody'), { sent: 0, dropped: 0 })
})

test('the memory of the app is its own again after send()', async (t) => {
  const { group, peers } = await serveCrowd(t, 2)
  const bytes = Buffer.from('before')
  group.send(bytes)
  bytes.write('after!')
  assert.deepEqual(await texts(peers[1], 1), ['before'])
})

test('a message is one write for each member, and shares one buffer', async (t) => {
  const { group, peers, sockets } = await serveCrowd(t, 2)
  const writes = sockets.map(watchWrites)
  group.send('x'.repeat(4096))
  assert.deepEqual(writes, [[4100], [4100]])
  await texts(peers[0], 1)
})

test('it is counted as any message that is sent', async (t) => {
  const { closes, group, peers, sockets } = await serveCrowd(t, 1)
  group.send('a')
  group.send('b')
  await texts(peers[0], 2)
  sockets[0]?.terminate()
  await sockets[0]?.closed
  assert.equal(closes[0]?.messagesSent, 2)
  assert.equal(closes[0]?.bytesSent, 6)
})

for (const overflow of ['drop', 'close'] as const) {
  test(`overflow '${overflow}' concerns the reader that is stuck, and nobody else`, async (t) => {
    const maxBytes = MORE_THAN_A_KERNEL_HOLDS + 100_000
    const { app, closes, group, peers, sockets } = await serveCrowd(t, 3, {
      options: { keepalive: false },
      route: { outbox: { maxBytes, overflow } },
    })
    const [, slow] = sockets
    const [, stuck] = peers
    assert.ok(slow && stuck)
    stuck.freeze()
    await clog(slow)
    assert.deepEqual(group.send('a'.repeat(90_000)), { sent: 3, dropped: 0 })
    assert.deepEqual(group.send('b'.repeat(90_000)), { sent: 2, dropped: 1 })
    for (const peer of [peers[0], peers[2]]) {
      assert.deepEqual(
        (await texts(peer, 2)).map((text) => text[0]),
        ['a', 'b'],
      )
    }
    assert.equal(app.websocketLifecycle.stats().dropped, overflow === 'drop' ? 1 : 0)
    if (overflow === 'drop') {
      unclog(stuck)
      assert.deepEqual(
        (await texts(stuck, 1)).map((text) => text[0]),
        ['a'],
      )
      assert.equal(group.size, 3)
    } else {
      assert.equal(group.size, 2)
      stuck.destroy()
      await slow.closed
      assert.equal(closes[0]?.cause, 'slow-consumer')
    }
  })
}

test('a reader that catches up is told by drained()', async (t) => {
  const { group, peers, sockets } = await serveCrowd(t, 1, {
    route: { outbox: { maxBytes: 2 * MORE_THAN_A_KERNEL_HOLDS } },
    options: { keepalive: false },
  })
  const [socket] = sockets
  const [peer] = peers
  assert.ok(socket && peer)
  peer.freeze()
  await clog(socket)
  group.send('x'.repeat(100_000))
  const drained = socket.drained()
  unclog(peer)
  assert.equal(await drained, true)
  assert.deepEqual((await texts(peer, 1))[0]?.length, 100_000)
})

test('a message in fragments is finished before what the group sends', async (t) => {
  const { group, peers, sockets } = await serveCrowd(t, 1)
  const [socket] = sockets
  socket?.send('a', { fin: false })
  assert.deepEqual(group.send('whole'), { sent: 1, dropped: 0 })
  assert.deepEqual(group.send('too'), { sent: 1, dropped: 0 })
  socket?.send('b', { fin: false })
  socket?.send('c', { fin: true })
  socket?.send('after')
  assert.deepEqual(await texts(peers[0], 6), ['a', 'b', 'c', 'whole', 'too', 'after'])
})

test('what waits behind fragments counts in the outbox', async (t) => {
  const { group, sockets } = await serveCrowd(t, 1, {
    route: { outbox: { highWaterMark: 1_000, maxBytes: 2_000, overflow: 'drop' } },
  })
  sockets[0]?.send('a', { fin: false })
  const results = Array.from({ length: 8_000 }, () => group.send('x'.repeat(900)))
  assert.ok(results.some(({ dropped }) => dropped === 1))
  assert.deepEqual(results.at(-1), { sent: 0, dropped: 1 })
})

test('it works over TLS', async (t) => {
  const { app, nextSocket, port } = await serveOne(t, {
    ...TLS.server,
    route: { groups: () => 'room' },
  })
  const peers = [await TLS.dial(port), await TLS.dial(port)]
  await nextSocket()
  await nextSocket()
  assert.deepEqual(app.websocketLifecycle.group('room').send('hi'), { sent: 2, dropped: 0 })
  for (const peer of peers) assert.deepEqual(await texts(peer, 1), ['hi'])
})

test('it works with injectWS', async (t) => {
  const { app } = await serveOne(t, { route: { groups: () => 'room' } })
  await app.ready()
  const ws = await app.injectWS('/')
  const heard = new Promise((resolve) => ws.on('message', (data: Buffer) => resolve(String(data))))
  assert.deepEqual(app.websocketLifecycle.group('room').send('hi'), { sent: 1, dropped: 0 })
  assert.equal(await heard, 'hi')
  ws.terminate()
})

test('binaryType is how a member receives; it makes no difference to what it is sent', async (t) => {
  const { group, peers, sockets } = await serveCrowd(t, 3)
  for (const [index, type] of (['nodebuffer', 'arraybuffer', 'blob'] as const).entries()) {
    const socket = sockets[index]
    assert.ok(socket)
    socket.binaryType = type as 'nodebuffer'
    socket.on('message', (data, isBinary) => void group.send(data as Buffer, { binary: isBinary }))
    peers[index]?.send(RawPeer.frame(OPCODE.binary, type))
    for (const peer of peers) {
      const frame = await peer.next()
      assert.deepEqual([frame?.opcode, frame?.payload.toString()], [OPCODE.binary, type])
    }
  }
})

test('messages that are held back leave first, and the group copies nothing', async (t) => {
  const { group, peers, sockets } = await serveCrowd(t, 2)
  const [socket] = sockets
  for (const text of ['1', '2', '3']) socket?.send(text)
  group.send('4')
  socket?.send('5')
  group.send('6')
  assert.deepEqual(await texts(peers[0], 6), ['1', '2', '3', '4', '5', '6'])
  assert.deepEqual(await texts(peers[1], 2), ['4', '6'])
})

test('after the app has ended the stream itself, ws tells of the error', async (t) => {
  const { closes, group, sockets } = await serveCrowd(t, 1)
  const [socket] = sockets
  assert.ok(socket)
  ;(Reflect.get(socket, '_socket') as { end: () => void }).end()
  group.send('late')
  await socket.closed
  assert.equal(closes.length, 1)
})

test('a tool that has replaced a function of ws sees each message', async (t) => {
  const { group, peers, sockets } = await serveCrowd(t, 2)
  const seen: unknown[] = []
  const sender = Reflect.get(sockets[1] ?? {}, '_sender') as Record<
    'send',
    (...args: unknown[]) => void
  >
  const { send } = sender
  sender.send = function (...args) {
    seen.push(String(args[0]))
    send.apply(this, args)
  }
  group.send('x')
  assert.deepEqual(seen, ['x'])
  for (const peer of peers) assert.deepEqual(await texts(peer, 1), ['x'])
})

test('an error that a stream throws belongs to its connection; the others get theirs', async (t) => {
  const { closes, group, peers, sockets } = await serveCrowd(t, 3)
  const raw = Reflect.get(sockets[1] ?? {}, '_socket') as { write?: unknown }
  raw.write = () => {
    delete raw.write
    throw new Error('broken')
  }
  assert.deepEqual(group.send('x'), { sent: 3, dropped: 0 })
  for (const peer of [peers[0], peers[2]]) assert.deepEqual(await texts(peer, 1), ['x'])
  peers[1]?.destroy()
  await sockets[1]?.closed
  assert.equal(closes[0]?.cause, 'handler-error')
  assert.equal(closes[0].error?.message, 'broken')
})

test('close() ends all who are members, each behind what was sent to it', async (t) => {
  const { closes, group, peers, sockets, open } = await serveCrowd(t, 2)
  group.send('bye')
  group.close(4000, 'over')
  const late = await open()
  assert.equal(group.size, 1)
  for (const peer of peers.slice(0, 2)) {
    assert.deepEqual(await texts(peer, 1), ['bye'])
    const frame = await peer.next()
    assert.equal(frame?.opcode, OPCODE.close)
    assert.equal(frame.payload.readUInt16BE(), 4000)
    assert.equal(frame.payload.subarray(2).toString(), 'over')
    peer.destroy()
  }
  await Promise.all(sockets.slice(0, 2).map(async ({ closed }) => closed))
  assert.deepEqual(
    closes.map(({ cause }) => cause),
    ['server-close', 'server-close'],
  )
  group.close()
  assert.equal((await late.next())?.payload.length, 0)
})
