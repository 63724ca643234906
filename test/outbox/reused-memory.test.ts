// An app may write into its memory again as soon as send() has returned: what was sent is what arrives.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { LifecycleSocket } from '../../lib/index.js'
import { turns } from '../support/time/fake-clock.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, serveOne } from '../support/servers/server.js'
import { DIFFERS_OVER_TLS } from '../support/servers/tls-pass.js'

type Data = Parameters<LifecycleSocket['send']>[0]

/** Each gives the same bytes to `send()` in another dress. */
const DRESSES: Readonly<Record<string, (bytes: Uint8Array<ArrayBuffer>) => unknown>> = {
  Buffer: (bytes) => Buffer.from(bytes.buffer),
  Uint8Array: (bytes) => bytes,
  ArrayBuffer: (bytes) => bytes.buffer,
  DataView: (bytes) => new DataView(bytes.buffer),
  Uint16Array: (bytes) => new Uint16Array(bytes.buffer, 0, bytes.length >> 1),
  SharedArrayBuffer: (bytes) => shared(bytes),
  text: (bytes) => Buffer.from(bytes).toString('latin1'),
}

function shared(bytes: Uint8Array): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(bytes.length)
  new Uint8Array(memory).set(bytes)
  return memory
}

interface Sending {
  readonly to: number
  readonly dress: string
  readonly size: number
  readonly hasCallback: boolean
  readonly isFragment: boolean
  readonly control: 'none' | 'ping' | 'pong'
}

const sending: fc.Arbitrary<Sending> = fc.record({
  to: fc.nat(2),
  dress: fc.constantFrom(...Object.keys(DRESSES)),
  size: fc.oneof(
    fc.nat(20),
    fc.constantFrom(125, 126, 511, 512, 513, 514, 4_096, 8_190, 8_192, 8_194, 16_384, 40_000),
  ),
  hasCallback: fc.boolean(),
  isFragment: fc.boolean(),
  control: fc.constantFrom('none', 'none', 'none', 'ping', 'pong'),
})

/** Memory that is written anew for each message, as a codec does it. */
class Scratch {
  #seed = 0

  /** Sends, and writes something else into the same memory at once. @returns the bytes that were sent */
  send(socket: LifecycleSocket, plan: Sending): Buffer {
    const { dress, hasCallback, isFragment } = plan
    const bytes = new Uint8Array(plan.size & ~1).fill(1 + (this.#seed++ % 100))
    const sent = Buffer.from(bytes)
    const data = DRESSES[dress]?.(bytes) as Data
    const options = isFragment ? { fin: false } : {}
    if (hasCallback) socket.send(data, options, () => {})
    else socket.send(data, options)
    bytes.fill(0xee)
    if (data instanceof SharedArrayBuffer) new Uint8Array(data).fill(0xee)
    if (plan.control !== 'none') {
      const small = Buffer.from('control')
      socket[plan.control](small)
      small.fill(0xee)
    }
    return sent
  }
}

test(
  'what is sent arrives as it was sent, of every kind, size and order',
  { skip: DIFFERS_OVER_TLS.memory },
  async (t) => {
    const { port, nextSocket } = await serveOne(t, {
      route: { outbox: { highWaterMark: 1 << 24 } },
    })
    const peers = [await RawPeer.open(port), await RawPeer.open(port), await RawPeer.open(port)]
    const sockets = [await nextSocket(), await nextSocket(), await nextSocket()]
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(sending, { maxLength: 12 }), { maxLength: 4 }),
        async (plan) => {
          const scratch = new Scratch()
          const expected: Buffer[][] = [[], [], []]
          for (const inOneTurn of plan) {
            for (const each of inOneTurn) {
              const bytes = scratch.send(sockets[each.to] as LifecycleSocket, each)
              expected[each.to]?.push(bytes)
              if (each.control !== 'none') expected[each.to]?.push(Buffer.from('control'))
            }
            await turns(1)
          }
          for (const [i, peer] of peers.entries()) {
            sockets[i]?.send('end')
            for (const bytes of expected[i] ?? []) {
              const next = await peer.next()
              assert.ok(
                next?.payload.equals(bytes),
                `${next?.payload.toString('hex', 0, 8)} of ${next?.payload.length}`,
              )
            }
            assert.equal((await peer.next())?.payload.toString(), 'end')
          }
        },
      ),
      { numRuns: 150, endOnFailure: true },
    )
  },
)

test(
  'a state that is sent to one user after the other reaches each as it was then',
  { skip: DIFFERS_OVER_TLS.memory },
  async (t) => {
    const { port, nextSocket } = await serveOne(t)
    for (const size of [4, 600, 5_000, 20_000]) {
      const peers = await Promise.all(Array.from({ length: 3 }, () => RawPeer.open(port)))
      const state = Buffer.alloc(size)
      for (let i = 0; i < 3; i++) {
        const socket = await nextSocket()
        socket.send('first')
        socket.send(state.fill(i + 1))
      }
      const got: Array<number | undefined> = []
      for (const peer of peers) {
        await peer.next()
        got.push((await peer.next())?.payload[0])
        peer.destroy()
      }
      assert.deepEqual(new Set(got), new Set([1, 2, 3]))
    }
  },
)

test('answers to messages of one read may come from one scratch array', async (t) => {
  const scratch = new Uint8Array(2_000)
  const { peer } = await connectOne(t, {
    route: {
      onMessage: (socket, _request, message) => {
        scratch.fill(Number(message))
        socket.send(scratch)
      },
    },
  })
  const numbers = [1, 2, 3, 4, 5, 6, 7, 8]
  peer.send(...numbers.map((number) => RawPeer.frame(OPCODE.text, `${number}`)))
  const got: Array<number | undefined> = []
  for (const _ of numbers) got.push((await peer.next())?.payload[1_999])
  assert.deepEqual(got, numbers)
})
