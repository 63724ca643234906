// How many bytes the kernel took of a stream.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect as connectNet, createServer, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { bytesHeld, bytesTaken } from '../../lib/platform/node-internals.js'
import { cert, key } from '../support/servers/tls.js'
import { until } from '../support/time/timed.js'
import { endServer } from '../support/servers/end-server.js'

/** More than any kernel takes for a peer that does not read. */
const TOO_MUCH = 32 * 1024 * 1024

interface Ends {
  /** The one that writes. */
  readonly near: Socket
  /** The one that reads, or does not. */
  readonly far: Socket
}

async function overTcp(t: TestContext): Promise<Ends> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const far = connectNet((server.address() as AddressInfo).port, '127.0.0.1')
  const [near] = await accepted
  endServer(t, server, near, far)
  return { near, far }
}

async function overTls(t: TestContext): Promise<Ends> {
  const server = createTlsServer({ key, cert }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'secureConnection') as Promise<[Socket]>
  const { port } = server.address() as AddressInfo
  const far = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca: cert })
  const [near] = await accepted
  endServer(t, server, near, far)
  return { near, far }
}

/** What node would be if it kept these to itself. */
class Opaque extends Duplex {
  readonly _handle: object | null | undefined

  constructor(handle: object | null | undefined) {
    super()
    this._handle = handle
  }
}

for (const [transport, open] of [
  ['TCP', overTcp],
  ['TLS', overTls],
] as const) {
  test(`over ${transport}, what the kernel took of one big write grows as the peer reads`, async (t) => {
    const { near, far } = await open(t)
    const start = bytesTaken(near) ?? NaN
    far.pause()
    const written = new Promise((resolve) => near.write(Buffer.alloc(TOO_MUCH), resolve))
    await until(() => bytesHeld(near) > 0)
    const taken = bytesTaken(near) ?? NaN
    assert.ok(taken > start && taken - start < TOO_MUCH)

    // A part of it, and node says nothing of it to anybody.
    let drains = 0
    near.on('drain', () => drains++)
    const held = bytesHeld(near)
    far.resume()
    await until(() => far.bytesRead > TOO_MUCH / 4)
    far.pause()
    await until(() => (bytesTaken(near) ?? NaN) > taken)
    assert.ok(transport === 'TLS' || bytesHeld(near) < held)
    assert.equal(drains, 0)

    far.resume()
    await written
    assert.equal(bytesHeld(near), 0)
    const all = (bytesTaken(near) ?? NaN) - start
    assert.ok(transport === 'TLS' ? all > TOO_MUCH : all === TOO_MUCH)
  })

  test(`over ${transport}, a peer that reads leaves nothing with us`, async (t) => {
    const { near, far } = await open(t)
    far.resume()
    const start = bytesTaken(near) ?? NaN
    await new Promise((resolve) => near.write('hello', resolve))
    assert.equal(bytesHeld(near), 0)
    assert.ok((bytesTaken(near) ?? NaN) - start >= 5)
  })

  test(`over ${transport}, a stream that is gone tells nothing`, async (t) => {
    const { near } = await open(t)
    near.destroy()
    await once(near, 'close')
    assert.equal(bytesTaken(near), undefined)
    assert.equal(bytesHeld(near), 0)
  })
}

test('of a stream that is no socket, or hides its counts, nothing is known', () => {
  for (const handle of [undefined, null, {}, { bytesWritten: 1 }, { _parent: {} }]) {
    const stream = new Opaque(handle)
    assert.equal(bytesTaken(stream), undefined)
    assert.equal(bytesHeld(stream), 0)
  }
})
