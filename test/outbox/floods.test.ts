// Peers that read nothing of a flood: they are cut off, and what waits for them is bounded.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { LifecycleSocket } from '../../lib/index.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { connectOver, type Line, TCP, TLS } from '../support/servers/outbox.js'
import { DEFLATE } from '../support/peers/raw-peer.js'
import { connectOne } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'

const KiB = 1024
const MiB = 1024 * KiB
const keepalive = false
const compressing = { websocket: { perMessageDeflate: true }, keepalive } as const

/** As long as the kernel takes more, so much may wait on top for our own encryption or compression. */
const KERNEL_ROOM = 4 * MiB

interface Flood {
  readonly of: string
  /** The largest message. */
  readonly largest: number
  /** What one turn of the loop sends. */
  readonly send: (socket: LifecycleSocket) => void
  readonly line?: Line
  readonly headers?: Record<string, string>
}

function times(count: number, send: Flood['send']): Flood['send'] {
  return (socket) => {
    for (let i = 0; i < count; i++) send(socket)
  }
}

const FLOODS: readonly Flood[] = [
  { of: 'text', largest: 10_000, send: times(100, (socket) => socket.send('x'.repeat(10_000))) },
  { of: 'Buffers', largest: MiB, send: times(1, (socket) => socket.send(Buffer.alloc(MiB))) },
  { of: 'small messages', largest: 1, send: times(10_000, (socket) => socket.send('x')) },
  { of: 'empty messages', largest: 0, send: times(10_000, (socket) => socket.send('')) },
  { of: 'pings', largest: 125, send: times(1_000, (socket) => socket.ping(Buffer.alloc(125))) },
  { of: 'pongs', largest: 125, send: times(1_000, (socket) => socket.pong(Buffer.alloc(125))) },
  {
    of: 'Blobs',
    largest: 100_000,
    send: times(10, (socket) => socket.send(new Blob([Buffer.alloc(100_000)]) as never)),
  },
  {
    of: 'fragments',
    largest: 10_000,
    send: times(100, (socket) => socket.send(Buffer.alloc(10_000), { fin: false })),
  },
  {
    of: 'random compressed bytes',
    largest: 10_000,
    headers: DEFLATE,
    send: times(100, (socket) => socket.send(randomBytes(10_000))),
  },
  {
    of: 'empty compressed messages',
    largest: 0,
    headers: DEFLATE,
    send: times(10_000, (socket) => socket.send('')),
  },
  {
    of: 'compressed zeros',
    largest: MiB,
    headers: DEFLATE,
    send: times(1, (socket) => socket.send(Buffer.alloc(MiB))),
  },
  {
    of: 'messages over TLS',
    largest: 10_000,
    line: TLS,
    send: times(100, (socket) => socket.send(Buffer.alloc(10_000))),
  },
  {
    of: 'random compressed bytes over TLS',
    largest: 10_000,
    line: TLS,
    headers: DEFLATE,
    send: times(100, (socket) => socket.send(randomBytes(10_000))),
  },
]

for (const { of, send, largest, line = TCP, headers } of FLOODS) {
  test(`a flood of ${of}: cut off when maxBytes and a message wait`, async (t) => {
    const setup = { clock: new FakeClock(), options: compressing }
    const { peer, socket } = await connectOver(line, t, setup, headers)
    peer.freeze()
    const isOurs = headers === DEFLATE || line === TLS
    const bound = MiB + largest + 20 + (isOurs ? KERNEL_ROOM : 0)
    let most = 0
    for (let turn = 0; turn < 300; turn++) {
      send(socket)
      most = Math.max(most, socket.bufferedAmount)
      await turns(1)
    }
    assert.ok(most <= bound, `${most}`)
    assert.equal(socket.readyState, socket.CLOSING)
    socket.terminate()
    // Where it is compression that does not keep up, no peer is to blame for it.
    const cause = headers === DEFLATE ? 'handler-error' : 'slow-consumer'
    assert.equal((await socket.closed).cause, cause)
  })
}

const MEMORY: Readonly<Record<string, Flood['send']>> = {
  'hundreds of megabytes': (socket) => {
    socket.send(Buffer.alloc(MiB / 2, 1))
    socket.send('x'.repeat(MiB / 4))
  },
  'millions of small messages': times(5_000, (socket) => socket.send('x')),
  'millions of empty messages with callbacks': times(5_000, (socket) =>
    socket.send(Buffer.alloc(0), () => {}),
  ),
  'any number of pings': times(5_000, (socket) => socket.ping('x'.repeat(30))),
}

for (const [what, send] of Object.entries(MEMORY)) {
  test(`${what} that nobody reads cost at most a few megabytes`, async (t) => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const { peer, socket } = await connectOne(t, { clock: new FakeClock(), options: { keepalive } })
    peer.freeze()
    collect()
    const before = process.memoryUsage()
    for (let turns = 0, late = 0; late < 20; turns++) {
      if (socket.readyState !== socket.OPEN) late++
      send(socket)
      assert.ok(turns < 1_000, 'it is cut off')
      await turn()
    }
    // The engine gives buffers back beside the program: not all of them at once.
    await until(() => {
      collect()
      const after = process.memoryUsage()
      const grown = after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed
      return grown < 6 * MiB
    })
  })
}
