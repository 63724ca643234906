// What our server writes is what ws writes, byte by byte: alone, in bursts, to groups, compressed, with pings between.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import * as fc from 'fast-check'
import { WebSocket, WebSocketServer } from 'ws'
import { Deferred } from '../../lib/platform/deferred.js'
import { bytesOf, closeFrame, frameOf, FrameReader, OPCODE } from '../../lib/testing/frames.js'
import {
  anyBytes,
  anyText,
  type Call,
  calls,
  callsOfGroup,
  makeCalls,
  type Sending,
} from '../support/models/calls.js'
import { fuzz } from '../support/models/fuzz.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { RawStream } from '../support/peers/raw-stream.js'
import { portOf, serve } from '../support/servers/server.js'

const PARAMETERS = [
  ['plain', {}],
  ['compressed with a context', offering('permessage-deflate')],
  ['compressed alone', offering('permessage-deflate; server_no_context_takeover')],
  [
    'compressed alone in a small window',
    offering('permessage-deflate; server_no_context_takeover; server_max_window_bits=9'),
  ],
] as const

function offering(value: string): Record<string, string> {
  return { 'sec-websocket-extensions': value }
}

/** What has come first, second, and so on, for those who wait for it. */
class Arrivals {
  readonly #all: Array<Deferred<Sending>> = []
  #added = 0
  #taken = 0

  add(socket: Sending): void {
    this.#at(this.#added++).resolve(socket)
  }

  async next(): Promise<Sending> {
    return this.#at(this.#taken++).promise
  }

  #at(index: number): Deferred<Sending> {
    return (this.#all[index] ??= new Deferred())
  }
}

interface Server {
  readonly port: number
  readonly arrivals: Arrivals
}

const websocket = { perMessageDeflate: { threshold: 100 } } as const

async function serveBare(t: TestContext): Promise<Server> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...websocket })
  t.after(() => server.close())
  await once(server, 'listening')
  const arrivals = new Arrivals()
  server.on('connection', (socket) => arrivals.add(socket))
  return { port: (server.address() as AddressInfo).port, arrivals }
}

/** @param toGroup whether its only member is told by way of the group */
async function serveOurs(t: TestContext, toGroup: boolean): Promise<Server> {
  const arrivals = new Arrivals()
  const app = await serve(t, {
    options: { keepalive: false, websocket, outbox: { maxBytes: 2 ** 30 } },
    routes: (instance) => {
      instance.get('/', { websocket: true, groups: () => 'all' }, (socket) => {
        const group = instance.websocketLifecycle.group('all')
        const member: Sending = {
          send: (data, options) => group.send(data, options),
          ping: (data) => socket.ping(data),
          pong: (data) => socket.pong(data),
          close: (code) => group.close(code),
        }
        arrivals.add(toGroup ? member : socket)
      })
    },
  })
  return { port: portOf(app), arrivals }
}

/** All that a client gets after its 101. */
async function wireOf(
  { port, arrivals }: Server,
  all: readonly Call[],
  headers: Record<string, string>,
): Promise<Buffer> {
  const stream = await RawStream.dial(port)
  stream.socket.write(RawPeer.handshake(port, '/', headers))
  await stream.came('\r\n\r\n')
  await makeCalls(await arrivals.next(), all)
  stream.socket.write(closeFrame(4000))
  await stream.ended('end')
  stream.socket.end()
  const wire = stream.bytes
  return wire.subarray(wire.indexOf('\r\n\r\n') + 4)
}

for (const [what, headers] of PARAMETERS) {
  for (const toGroup of [false, true]) {
    test(`messages${toGroup ? ' to a group' : ''}, ${what}: the bytes that ws writes`, async (t) => {
      const bare = await serveBare(t)
      const ours = await serveOurs(t, toGroup)
      await fuzz(
        fc.asyncProperty(toGroup ? callsOfGroup : calls, async (all) => {
          const expected = await wireOf(bare, all, headers)
          const actual = await wireOf(ours, all, headers)
          assert.ok(actual.equals(expected), `${actual.length} bytes, not ${expected.length}`)
        }),
        40,
      )
    })
  }
}

test('what the kit of tests writes is what a client of ws writes with the same mask', async (t) => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  t.after(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await fuzz(
    fc.asyncProperty(fc.array(fc.oneof(anyText, anyBytes), { maxLength: 8 }), async (all) => {
      const chunks: Buffer[] = []
      const arrived = once(server, 'connection')
      const client = new WebSocket(`ws://127.0.0.1:${port}`, {
        perMessageDeflate: false,
        generateMask: (mask) => mask.set([1, 2, 3, 4]),
      })
      const [, { socket }] = (await arrived) as [WebSocket, { socket: Socket }]
      // A copy: ws takes the mask off where it stands.
      socket.prependListener('data', (chunk: Buffer) => chunks.push(Buffer.from(chunk)))
      await once(client, 'open')
      for (const data of all) client.send(data)
      client.close(4001, 'é')
      await once(client, 'close')
      const frames = all.map((data) =>
        frameOf(typeof data === 'string' ? OPCODE.text : OPCODE.binary, payloadOf(data)),
      )
      assert.ok(Buffer.concat(chunks).equals(Buffer.concat([...frames, closeFrame(4001, 'é')])))
    }),
    40,
  )
})

test('the kit of tests reads frames of any length from packets of any size', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom(0x01, 0x80, 0x82, 0x8a), anyBytes), { maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 5 }),
      (all, sizes) => {
        const sent = all.map(([first, data]) => ({ first, payload: Buffer.from(payloadOf(data)) }))
        const wire = Buffer.concat(sent.map(({ first, payload }) => bytesOf(first, payload, false)))
        const reader = new FrameReader()
        const read = []
        for (let at = 0, turn = 0; at < wire.length; turn++) {
          const size = Number(sizes[turn % sizes.length])
          read.push(...reader.read(wire.subarray(at, at + size)))
          at += size
        }
        assert.deepEqual(
          read,
          sent.map(({ first, payload }) => ({
            isLast: first >= 0x80,
            opcode: first & 0x0f,
            payload,
          })),
        )
      },
    ),
    { includeErrorInReport: true },
  )
})

function payloadOf(data: Call['data']): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data)
  if (data instanceof ArrayBuffer) return new Uint8Array(data)
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}
