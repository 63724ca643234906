// What is known of the parser of a ws, and how it is guarded.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { WebSocket } from 'ws'
import {
  abandonReceiver,
  bytesArriving,
  guardReceiver,
  hasMoreRead,
  hasParserFailed,
  isParsing,
  isReading,
  type Parser,
  whenParsed,
} from '../../lib/platform/ws-receiver.js'
import { isBetweenMessages } from '../../lib/platform/ws-sender.js'
import { threadPool } from '../support/time/thread-pool.js'
import { until } from '../support/time/timed.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { rawOf, openPair } from '../support/servers/ws-pair.js'

const { deflated } = RawPeer

test('ws is between messages but for fragments, compression and a Blob that is being read', async (t) => {
  const { server, client } = await openPair(t, false)
  assert.equal(isBetweenMessages(server), true)
  server.send('one part', { fin: false })
  assert.equal(isBetweenMessages(server), false)
  server.send('the other')
  assert.equal(isBetweenMessages(server), true)
  const got = once(client, 'message')
  await got
  const bytes = once(client, 'message')
  server.send(new Blob([]) as never)
  assert.equal(isBetweenMessages(server), false)
  await bytes
  assert.equal(isBetweenMessages(server), true)
  const compressing = await openPair(t, true)
  const text = once(compressing.client, 'message')
  compressing.server.send('x'.repeat(1_000_000))
  assert.equal(isBetweenMessages(compressing.server), false)
  await text
  assert.equal(isBetweenMessages(compressing.server), true)
})

for (const [kind, isDeflated] of [
  ['a compressed', true],
  ['a plain', false],
] as const) {
  test(`${kind} message ${isDeflated ? 'is being' : 'was'} parsed when its bytes have been read`, async (t) => {
    const { server, client, raw } = await openPair(t, isDeflated)
    const seen: boolean[] = []
    raw.on('data', () => seen.push(isParsing(server)))
    assert.equal(isParsing(server), false)
    const message = once(server, 'message')
    client.send('hello')
    await message
    assert.deepEqual(seen, [isDeflated])
    await until(() => !isParsing(server))
  })
}

test('what one read brought is handed over message by message, and the last one is known', async (t) => {
  const { server, client, raw } = await openPair(t, false)
  const seen: unknown[] = []
  server.on('message', () => {
    seen.push([isReading(server), hasMoreRead(server)])
    queueMicrotask(() => seen.push(isReading(server)))
  })
  assert.deepEqual([isReading(server), hasMoreRead(server)], [false, false])
  const frame = Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x78])
  raw.emit('data', Buffer.concat([frame, frame, frame]))
  assert.equal(isReading(server), false)
  await Promise.resolve()
  assert.deepEqual(seen, [[true, true], [true, true], [true, false], false, false, false])
  // Half a frame is more, too.
  seen.length = 0
  raw.emit('data', Buffer.concat([frame, frame.subarray(0, 3)]))
  assert.deepEqual(seen, [[true, true]])
  client.terminate()
})

test('ws calls close() itself when its parser tells of an error, before anybody hears of it', async (t) => {
  const { server, client, raw } = await openPair(t, false)
  const failed: unknown[] = []
  const close = server.close.bind(server)
  server.close = (code, reason) => {
    failed.push(hasParserFailed(server), server.readyState)
    close(code, reason)
  }
  raw.emit('data', Buffer.from([0x83, 0x80, 0, 0, 0, 0]))
  assert.deepEqual([failed, hasParserFailed(server)], [[], false])
  await once(server, 'error')
  assert.deepEqual(failed, [true, WebSocket.OPEN])
  client.terminate()
  assert.equal(hasParserFailed({} as WebSocket), false)
})

test('it is known how many bytes of a message have come, control frames left out', async (t) => {
  const { server, client, raw } = await openPair(t, false)
  const arrivingAfter = (...bytes: number[]): number => {
    raw.emit('data', Buffer.from(bytes))
    return bytesArriving(server)
  }
  const [mask, ping] = [
    [0, 0, 0, 0],
    [0x89, 0x82],
  ]
  assert.equal(bytesArriving(server), 0)
  // The first of two fragments.
  assert.equal(arrivingAfter(0x02), 0)
  assert.equal(arrivingAfter(0x84), 0)
  assert.equal(arrivingAfter(...mask.slice(1)), 0)
  assert.equal(arrivingAfter(0), 0)
  assert.equal(arrivingAfter(0x78), 1)
  assert.equal(arrivingAfter(0x78, 0x78, 0x78), 4)
  // A ping between them.
  assert.equal(arrivingAfter(...ping), 4)
  assert.equal(arrivingAfter(...mask, 0x78), 4)
  assert.equal(arrivingAfter(0x78), 4)
  // The second one, with a length of two bytes.
  assert.equal(arrivingAfter(0x80, 0xfe, 0), 4)
  assert.equal(arrivingAfter(126, ...mask), 4)
  assert.equal(arrivingAfter(...Array.from({ length: 125 }, () => 0x78)), 129)
  const message = once(server, 'message')
  assert.equal(arrivingAfter(0x78), 0)
  await message
  client.terminate()
  await once(server, 'close')
  assert.equal(bytesArriving(server), 0)
  assert.equal(bytesArriving({} as WebSocket), 0)
})

test('a message that was compressed is handed over after its read', async (t) => {
  const { server, client } = await openPair(t, true)
  const message = once(server, 'message')
  server.on('message', () => assert.equal(isReading(server), false))
  client.send('x'.repeat(10_000))
  await message
})

/** What ws's parser does when node hands it the next read although it has failed. */
interface Receiver {
  _errored: boolean
  _write(chunk: Buffer, encoding: string, done: () => void): void
}

test('a parser of ws that has failed still throws at the next read: ours has to be guarded', async (t) => {
  const { server, client } = await openPair(t, false)
  const receiver = Reflect.get(server, '_receiver') as Receiver
  const invalid = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe])
  const failed = once(server, 'error')
  receiver._write(invalid, 'buffer', () => {})
  assert.equal(receiver._errored, true)
  assert.throws(() => receiver._write(invalid, 'buffer', () => {}), TypeError)
  let reads = 0
  const parse: Parser['parse'] = (write, parser, ...args) => {
    reads++
    write.apply(parser, args)
  }
  guardReceiver(Object.assign(server, { parse }))
  let isDone = false
  receiver._write(invalid, 'buffer', () => (isDone = true))
  assert.deepEqual([isDone, reads], [true, 0])
  receiver._errored = false
  client.terminate()
  server.terminate()
  await Promise.race([failed, once(server, 'close')])
})

test('a guarded parser asks before each read', async (t) => {
  const { server, client } = await openPair(t, true)
  const reads: number[] = []
  const parse: Parser['parse'] = (write, receiver, ...args) => {
    reads.push((args[0] as Buffer).length)
    write.apply(receiver, args)
  }
  guardReceiver(Object.assign(server, { parse }))
  const message = once(server, 'message')
  client.send('hello')
  assert.equal(String((await message)[0]), 'hello')
  assert.equal(reads.length, 1)
})

const parseAtOnce: Parser['parse'] = (write, receiver, ...args) => write.apply(receiver, args)

test('it can be awaited that ws has parsed what it has got, and only that', async (t) => {
  const pool = threadPool(t)
  const { server, client } = await openPair(t, true)
  guardReceiver(Object.assign(server, { parse: parseAtOnce }))
  assert.equal(whenParsed(server), undefined)
  const heard: string[] = []
  server.on('message', (data: Buffer) => heard.push(data.toString()))
  pool.hold()
  rawOf(client).write(Buffer.concat([deflated('one'), deflated('two')]))
  await until(() => isParsing(server))
  const parsed = whenParsed(server)?.then(() => heard.push('parsed'))
  await pool.release()
  await parsed
  assert.deepEqual(heard, ['one', 'two', 'parsed'])
  assert.equal(whenParsed(server), undefined)
  client.send('three')
  await until(() => heard.length === 4)
})

test('nobody waits for a parser that takes nothing more', async (t) => {
  const pool = threadPool(t)
  const { server, client } = await openPair(t, true)
  pool.hold()
  rawOf(client).write(deflated('one'))
  await until(() => isParsing(server))
  const receiver = Reflect.get(server, '_receiver') as Writable
  receiver.end()
  assert.equal(isParsing(server), true)
  assert.equal(whenParsed(server), undefined)
  const message = once(server, 'message')
  await pool.release()
  await message
})

test('a parser that is abandoned says that the socket is closed, and nothing else from then on', async (t) => {
  const pool = threadPool(t)
  for (const isHeldBack of [false, true]) {
    const pairs = []
    // ws inflates ten at a time: others wait for their turn.
    for (let i = 0; i < (isHeldBack ? 12 : 1); i++) pairs.push(await openPair(t, true))
    pool.hold()
    for (const { server, client, raw } of pairs) {
      client.on('error', () => {})
      const before = raw.bytesRead
      // A frame is compressed by the same threads: these are stored blocks.
      for (const text of ['a', 'b']) writeStored(client, text)
      await until(() => raw.bytesRead > before && isParsing(server))
    }
    const heard: string[] = []
    for (const { server } of pairs) {
      for (const event of ['message', 'error', 'close']) server.on(event, () => heard.push(event))
    }
    for (const { server, client, raw } of pairs) {
      raw.destroy()
      await once(raw, 'close')
      abandonReceiver(server)
      assert.equal(server.readyState, WebSocket.CLOSED)
      client.terminate()
    }
    await pool.release()
    for (let i = 0; i < 20; i++) await turn()
    assert.deepEqual(
      heard,
      pairs.map(() => 'close'),
    )
  }
})

/** A compressed text, without the help of zlib (RFC 7692 §7.2.3.3). */
function writeStored(client: WebSocket, text: string): void {
  const block = Buffer.concat([
    Buffer.from([0, text.length, 0, ~text.length & 0xff, 0xff]),
    Buffer.from(text),
    Buffer.from([0]),
  ])
  Reflect.get(client, '_socket').write(
    Buffer.concat([Buffer.from([0xc1, 0x80 | block.length, 0, 0, 0, 0]), block]),
  )
}
