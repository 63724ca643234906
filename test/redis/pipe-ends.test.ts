// However one side of an established pipe ends: the other one learns it, and nothing is left.
import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createServer } from 'node:http'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { RawStream } from '../support/peers/raw-stream.js'
import {
  type Front,
  join,
  type Joined,
  type Owner,
  serveFront,
  serveOwner,
  SWITCH,
} from '../support/servers/piping.js'
import { delivered } from '../support/time/delivered.js'
import { turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { until } from '../support/time/timed.js'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const ENDING_LIMIT = 30_000
/** More than kernels take, in bytes. */
const MUCH = 64 * 1024 * 1024

interface Sides {
  /** The side that begins. */
  readonly first: RawStream
  readonly second: RawStream
}

type Who = 'client' | 'owner'

const WHO: readonly Who[] = ['client', 'owner']

function sides({ client, call }: Joined, who: Who): Sides {
  return who === 'client' ? { first: client, second: call } : { first: call, second: client }
}

async function setUp(
  t: Parameters<typeof serveOwner>[0],
): Promise<{ owner: Owner; front: Front; joined: Joined }> {
  const owner = await serveOwner(t)
  const front = await serveFront(t, { A: owner.address })
  return { owner, front, joined: await join(front, owner) }
}

async function assertGone({ pipe, clock, raws }: Front): Promise<void> {
  await until(() => pipe.size === 0 && raws.every(({ closed }) => closed))
  assert.equal(clock.pending, 0)
}

for (const who of WHO) {
  test(`a reset of the ${who} resets the other side`, async (t) => {
    const { front, joined } = await setUp(t)
    const { first, second } = sides(joined, who)
    first.socket.write('last')
    await second.came('last')
    first.socket.resetAndDestroy()
    await second.ended('close')
    assert.deepEqual(second.ends, ['ECONNRESET', 'close'])
    await assertGone(front)
  })

  test(`a FIN of the ${who} becomes a FIN, after all that was sent before`, async (t) => {
    const { front, joined } = await setUp(t)
    const { first, second } = sides(joined, who)
    const last = Buffer.alloc(1024 * 1024, 'x')
    const before = second.length
    first.socket.end(last)
    await second.ended('end')
    assert.equal(second.length - before, last.length)
    assert.deepEqual(first.ends, [])
    second.socket.end('bye')
    await first.came('bye')
    await first.ended('close')
    await second.ended('close')
    assert.deepEqual(
      [first.ends, second.ends],
      [
        ['end', 'close'],
        ['end', 'close'],
      ],
    )
    await assertGone(front)
  })

  test(`a FIN of the ${who} that nobody answers resets both sides after 30 s`, async (t) => {
    const { front, joined } = await setUp(t)
    const { first, second } = sides(joined, who)
    first.socket.end()
    await second.ended('end')
    await front.clock.advance(ENDING_LIMIT - 1)
    second.socket.write('late')
    await first.came('late')
    assert.equal(front.pipe.size, 1)
    await front.clock.advance(1)
    await first.ended('close')
    assert.deepEqual(first.ends, ['ECONNRESET', 'close'])
    await assertGone(front)
    second.socket.destroy()
  })

  test(`a FIN of the ${who}, and then a reset of the other side`, async (t) => {
    const { front, joined } = await setUp(t)
    const { first, second } = sides(joined, who)
    first.socket.end()
    await second.ended('end')
    second.socket.resetAndDestroy()
    await first.ended('close')
    assert.deepEqual(first.ends, ['ECONNRESET', 'close'])
    await assertGone(front)
  })

  test(`a FIN of the ${who}, which is gone when the other side sends more`, async (t) => {
    const { front, joined } = await setUp(t)
    const { first, second } = sides(joined, who)
    first.socket.end()
    await second.ended('end')
    first.socket.destroy()
    await first.ended('close')
    while (second.ends.length === 1) {
      second.socket.write('more')
      await delivered()
    }
    await second.ended('close')
    assert.equal(second.ends.length, 3, 'A FIN, an error, and the close')
    await assertGone(front)
  })

  test(`a FIN of the ${who} behind bytes that nobody reads ends too`, async (t) => {
    const { front, joined } = await setUp(t)
    const { first, second } = sides(joined, who)
    second.socket.pause()
    first.socket.write(Buffer.alloc(MUCH))
    second.socket.end()
    await first.ended('end')
    await front.clock.advance(ENDING_LIMIT)
    await assertGone(front)
    await first.ended('close')
    second.socket.destroy()
  })

  test(`the ${who} is reset while it reads nothing and is sent more and more`, async (t) => {
    const { front, joined } = await setUp(t)
    const { first, second } = sides(joined, who)
    first.socket.pause()
    second.socket.write(Buffer.alloc(MUCH))
    await delivered()
    first.socket.resetAndDestroy()
    await second.ended('close')
    await assertGone(front)
  })
}

test('both have ended, and the last bytes of the owner still wait for the client', async (t) => {
  const { front, joined } = await setUp(t)
  const { client, call } = joined
  const [raw = assert.fail()] = front.raws
  const free = gate()
  const write = raw._write.bind(raw)
  raw._write = (chunk, encoding, done) => void free.opened.then(() => write(chunk, encoding, done))
  client.socket.end()
  await call.ended('end')
  call.socket.end('last')
  await call.ended('close')
  await turns()
  assert.deepEqual([front.pipe.size, client.ends], [1, []])
  free.open()
  await client.ended('close')
  assert.deepEqual([client.text, client.ends], [`${SWITCH}last`, ['end', 'close']])
  await assertGone(front)
})

test('a stream that this server destroys resets the owner', async (t) => {
  const { front, joined } = await setUp(t)
  front.raws[0]?.destroy()
  await joined.call.ended('close')
  assert.deepEqual(joined.call.ends, ['ECONNRESET', 'close'])
  await assertGone(front)
})

test('cut() ends all pipes at once, and none begins after it', async (t) => {
  const { owner, front, joined } = await setUp(t)
  const all = [joined, await join(front, owner), await join(front, owner)]
  assert.equal(front.pipe.size, 3)
  front.pipe.cut()
  for (const { client, call } of all) {
    await client.ended('end')
    await call.ended('end')
    client.socket.end()
    call.socket.end()
  }
  await assertGone(front)
  await Promise.all(all.flatMap(({ client, call }) => [client.ended('close'), call.ended('close')]))
})

test('limits of the server and of node do not end a pipe', async (t) => {
  const limit = 60_000
  const server = createServer({
    connectionsCheckingInterval: 10,
    requestTimeout: limit,
    headersTimeout: limit,
  })
  server.keepAliveTimeout = limit
  server.setTimeout(limit)
  const owner = await serveOwner(t)
  const front = await serveFront(t, { A: owner.address }, server)
  const { client, call } = await join(front, owner)
  const [raw] = front.raws as Socket[]
  assert.equal(raw?.timeout, 0)
  // Only now: on a busy machine a request may take longer to come.
  server.requestTimeout = 20
  server.headersTimeout = 20
  server.keepAliveTimeout = 20
  // Node looks at all that it has, and finds this one.
  const slow = await RawStream.dial(front.port)
  slow.socket.write('GET / HTTP/1.1\r\n')
  await slow.came('408')
  slow.socket.destroy()
  client.socket.write('still here')
  await call.came('still here')
  client.socket.destroy()
})

test('packets leave at once, and the kernel watches an owner that may lose its power', async (t) => {
  const calls: unknown[] = []
  for (const name of ['setNoDelay', 'setKeepAlive'] as const) {
    const method = Reflect.get(Socket.prototype, name) as (...args: unknown[]) => Socket
    const noting = function noting(this: Socket, ...args: unknown[]): Socket {
      calls.push([this.remotePort, name, ...args])
      return Reflect.apply(method, this, args)
    }
    t.mock.method(Socket.prototype, name, noting)
  }
  const { owner, joined } = await setUp(t)
  assert.deepEqual(calls, [
    [joined.client.socket.localPort, 'setNoDelay', true],
    [owner.port, 'setNoDelay', true],
    [owner.port, 'setKeepAlive', true, 30_000],
  ])
})

test('1,000 upgrades come and go in every way, and no stream is left', async (t) => {
  const owner = await serveOwner(t)
  const front = await serveFront(t, { A: owner.address })
  const kept: Array<WeakRef<object>> = []
  const keep = (made: unknown): void => {
    kept.push(new WeakRef((made as { socket: Socket }).socket))
  }
  for (const end of ['client', 'server']) subscribe(`net.${end}.socket`, keep)
  t.after(() => {
    for (const end of ['client', 'server']) unsubscribe(`net.${end}.socket`, keep)
  })
  const goodbyes: ReadonlyArray<(joined: Joined) => void> = [
    ({ client }) => client.socket.resetAndDestroy(),
    ({ call }) => call.socket.resetAndDestroy(),
    ({ client, call }) => void [client.socket.end(), call.socket.end()],
    ({ client }) => client.socket.destroy(),
    ({ call }) => call.socket.destroy(),
  ]
  // In a function of its own: what is left in a frame that waits counts as kept.
  const comeAndGo = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) {
      const joined = await join(front, owner)
      goodbyes[i % goodbyes.length]?.(joined)
      if (i % 5 > 2) void [joined.client.socket.end(), joined.call.socket.end()]
    }
    await until(() => front.pipe.size === 0)
    front.raws.length = 0
    owner.calls.length = 0
  }
  for (let i = 0; i < 50; i++) await comeAndGo()
  assert.ok(kept.length >= 4_000, 'Both ends of both connections')
  assert.equal(front.clock.pending, 0)
  await until(() => {
    collect()
    return kept.every((one) => one.deref() === undefined)
  })
})
