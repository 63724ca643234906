// With permessage-deflate a message to many is compressed once for all whom that suits (RFC 7692).
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { WebSocket, type PerMessageDeflateOptions } from 'ws'
import type { Group, LifecycleSocket } from '../../lib/index.js'
import { SharedMessage } from '../../lib/outbox/shared-message.js'
import { windowBitsOf } from '../../lib/platform/ws-deflate.js'
import { OPCODE } from '../support/peers/raw-peer.js'
import { serveCrowd, texts } from '../support/servers/crowd.js'
import { portOf, serve } from '../support/servers/server.js'
import { turns } from '../support/time/fake-clock.js'
import { threadPool } from '../support/time/thread-pool.js'
import { until } from '../support/time/timed.js'

const ALONE = { 'sec-websocket-extensions': 'permessage-deflate; server_no_context_takeover' }
const alone = (bits: number): Record<string, string> => ({
  'sec-websocket-extensions': `${ALONE['sec-websocket-extensions']}; server_max_window_bits=${bits}`,
})
const SERVER: PerMessageDeflateOptions = { threshold: 100 }
const setup = { options: { keepalive: false, websocket: { perMessageDeflate: SERVER } } } as const
const json = JSON.stringify(Array.from({ length: 200 }, (_, id) => ({ id, name: `user ${id}` })))

/** Clients of ws, which read what is compressed, and what they have heard. */
async function listeners(t: TestContext, kinds: Array<PerMessageDeflateOptions | boolean>) {
  const sockets: LifecycleSocket[] = []
  const app = await serve(t, {
    ...setup,
    routes: (instance) => {
      instance.get('/', { websocket: true, groups: () => 'all' }, (socket) => {
        sockets.push(socket)
      })
    },
  })
  const heard: string[][] = []
  for (const perMessageDeflate of kinds) {
    const ws = new WebSocket(`ws://127.0.0.1:${portOf(app)}/`, { perMessageDeflate })
    const texts: string[] = []
    ws.on('message', (data: Buffer, isBinary) =>
      texts.push(`${isBinary ? '#' : ''}${String(data)}`),
    )
    await once(ws, 'open')
    heard.push(texts)
    t.after(() => ws.terminate())
  }
  await until(() => sockets.length === kinds.length)
  return { group: app.websocketLifecycle.group('all'), heard, sockets }
}

test('clients of all kinds read the same, whatever they have agreed on', async (t) => {
  const { group, heard, sockets } = await listeners(t, [
    false,
    true,
    { serverNoContextTakeover: true },
    { serverNoContextTakeover: true, serverMaxWindowBits: 9 },
    { serverNoContextTakeover: true, serverMaxWindowBits: 15 },
  ])
  assert.deepEqual(sockets.map(windowBitsOf), [0, 0, 15, 9, 15])
  const sent: string[] = []
  const tell = (text: string, options: Parameters<Group['send']>[1] = {}): void => {
    group.send(text, options)
    sent.push(options.binary ? `#${text}` : text)
  }
  for (const text of ['', 'short', json, 'x'.repeat(100), `${json}!`]) tell(text)
  tell(json, { compress: false })
  tell(json, { binary: true })
  // The thread pool compresses it; the others wait behind it.
  tell(json.repeat(20))
  tell('after')
  sockets[2]?.send('single')
  await until(() => heard.every((texts) => texts.includes('after')))
  await until(() => heard[2]?.includes('single') === true)
  for (const [index, texts] of heard.entries()) {
    const wanted = index === 2 ? [...sent, 'single'] : sent
    assert.deepEqual(texts, wanted, `kind ${index}`)
  }
})

test('it is compressed once for each window size, and the frames are the same bytes', async (t) => {
  const { group, open, peers } = await serveCrowd(t, 3, setup, ALONE)
  await open(alone(10))
  await open({})
  const raw = peers.map(({ socket }) => once(socket, 'data') as Promise<[Buffer]>)
  group.send(json)
  const [first, second, third, small, plain] = (await Promise.all(raw)).map(([data]) => data)
  assert.ok(first && second && third && small && plain)
  assert.equal(first[0], 0xc1)
  assert.ok(first.equals(second) && first.equals(third))
  assert.equal(small[0], 0xc1)
  assert.equal(plain[0], 0x81)
  assert.ok(first.length < json.length / 3 && plain.length > json.length)
})

test('a Blob is read, and compressed, by ws for each', async (t) => {
  const { group, heard } = await listeners(t, [{ serverNoContextTakeover: true }, false])
  for (const text of ['few', 'x'.repeat(500), 'y'.repeat(40_000)]) {
    assert.deepEqual(group.send(new Blob([text])), { sent: 2, dropped: 0 })
  }
  group.send('after')
  await until(() => heard.every((texts) => texts.length === 4))
  for (const texts of heard) {
    assert.deepEqual(
      texts.map(({ length }) => length),
      [4, 501, 40_001, 5],
    )
  }
})

test('for one window size there is one frame, made once', async (t) => {
  const { sockets } = await serveCrowd(t, 2, setup, ALONE)
  const [one, other] = sockets
  assert.ok(one && other)
  const message = new SharedMessage(json, {})
  const frame = message.frameFor(one, 15)
  assert.equal(message.frameFor(other, 15), frame)
  assert.notEqual(message.frameFor(other, 0), frame)
  assert.equal(message.frameFor(one, 0), message.frameFor(other, 0))
  const long = new SharedMessage(json.repeat(20), {})
  assert.equal(long.frameFor(one, 15), undefined)
  long.foresee(one, 15)
  long.foresee(other, 15)
  assert.equal(long.isPreparing(15), true)
  await new Promise<void>((resolve) => long.whenReady(resolve))
  assert.notEqual(long.frameFor(one, 15), undefined)
  assert.equal(long.frameFor(one, 15), long.frameFor(other, 15))
})

test('what the thread pool compresses is compressed once too, and keeps the loop free', async (t) => {
  const { group, peers } = await serveCrowd(t, 3, setup, ALONE)
  const pool = threadPool(t)
  pool.hold()
  const text = randomBytes(30_000).toString('hex')
  assert.deepEqual(group.send(text), { sent: 3, dropped: 0 })
  group.send('behind it')
  await turns()
  const raw = peers.map(({ socket }) => once(socket, 'data') as Promise<[Buffer]>)
  await pool.release()
  const [first, second] = (await Promise.all(raw)).map(([data]) => data)
  assert.ok(first && second && first.subarray(0, 1_000).equals(second.subarray(0, 1_000)))
})

test('who is sent something alone meanwhile gets it behind the long one, which ws compresses', async (t) => {
  const { group, heard, sockets } = await listeners(t, [
    { serverNoContextTakeover: true },
    { serverNoContextTakeover: true },
  ])
  const pool = threadPool(t)
  pool.hold()
  const text = json.repeat(20)
  group.send(text)
  sockets[0]?.send('alone')
  await turns()
  assert.deepEqual(heard, [[], []])
  await pool.release()
  await until(() => heard[0]?.length === 2 && heard[1]?.length === 1)
  assert.deepEqual(heard, [[text, 'alone'], [text]])
})

test('a single message that ws still compresses is not overtaken', async (t) => {
  const { group, heard, sockets } = await listeners(t, [{ serverNoContextTakeover: true }])
  sockets[0]?.send(json)
  group.send('a')
  group.send(`${json}b`)
  await until(() => heard[0]?.length === 3)
  assert.deepEqual(heard[0], [json, 'a', `${json}b`])
})

test('a member that ends while its message is being compressed is no matter to the others', async (t) => {
  const { group, heard, sockets } = await listeners(t, [
    { serverNoContextTakeover: true },
    { serverNoContextTakeover: true },
  ])
  const pool = threadPool(t)
  pool.hold()
  const text = json.repeat(20)
  group.send(text)
  sockets[0]?.terminate()
  await sockets[0]?.closed
  await pool.release()
  await until(() => heard[1]?.length === 1)
  assert.deepEqual(heard, [[], [text]])
})

for (const bytes of [1, 40_000]) {
  test(`options that zlib refuses end each connection, as without a group: ${bytes} B`, async (t) => {
    const perMessageDeflate = { threshold: 0, zlibDeflateOptions: { level: 99 } }
    const options = { keepalive: false, websocket: { perMessageDeflate } } as const
    const { closes, group, peers, sockets } = await serveCrowd(t, 2, { options }, ALONE)
    assert.deepEqual(group.send('x'.repeat(bytes)), { sent: 2, dropped: 0 })
    await until(() => group.size === 0)
    for (const peer of peers) peer.destroy()
    await Promise.all(sockets.map(async ({ closed }) => closed))
    const causes = closes.map(({ cause }) => cause)
    assert.deepEqual(causes, ['handler-error', 'handler-error'])
  })
}

test('a peer that reads frame by frame sees texts as they are where nothing is agreed on', async (t) => {
  const { group, peers } = await serveCrowd(t, 1, setup)
  group.send(json)
  assert.equal((await peers[0]?.next())?.opcode, OPCODE.text)
  group.send(json)
  assert.deepEqual(await texts(peers[0], 1), [json])
})
