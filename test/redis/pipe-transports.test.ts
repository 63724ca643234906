// A pipe between clients and owners over TLS, IPv6 and unix sockets.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join as joinPath } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { RawStream } from '../support/peers/raw-stream.js'
import {
  type Front,
  join,
  requestTo,
  secureServer,
  serveFront,
  serveOwner,
  SWITCH,
} from '../support/servers/piping.js'
import { until } from '../support/time/timed.js'

/** Of the client and of the owner. */
const SECURE = [
  [true, false],
  [false, true],
  [true, true],
] as const

/** The certificate of the tests is signed by nobody else. */
function trustAll(t: TestContext): void {
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
  t.after(() => delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'])
}

async function assertEmpty({ pipe, clock, raws }: Front): Promise<void> {
  await until(() => pipe.size === 0 && raws.every(({ closed }) => closed))
  assert.equal(clock.pending, 0)
}

for (const [client, owner] of SECURE) {
  const over = `${client ? 'TLS' : 'TCP'} to ${owner ? 'TLS' : 'TCP'}`
  const setUp = async (
    t: TestContext,
  ): Promise<{ front: Front } & Awaited<ReturnType<typeof join>>> => {
    trustAll(t)
    const node = await serveOwner(t, owner)
    const server = client ? secureServer() : createServer()
    const front = await serveFront(t, { A: node.address }, server)
    return { front, ...(await join(front, node, client)) }
  }

  test(`${over}: bytes go both ways, and a FIN ends both`, async (t) => {
    const { front, client: peer, call } = await setUp(t)
    assert.ok(call.text.includes(`X-Forwarded-Proto: ${client ? 'https' : 'http'}`))
    if (owner) assert.equal((call.socket as TLSSocket).servername, 'localhost')
    const data = Buffer.alloc(1024 * 1024, '0123456789')
    const before = call.length
    peer.socket.write(data)
    call.socket.write(data)
    await call.came(before + data.length)
    await peer.came(SWITCH.length + data.length)
    assert.deepEqual(call.bytes.subarray(before), data)
    assert.deepEqual(peer.bytes.subarray(SWITCH.length), data)
    call.socket.end()
    await peer.ended('end')
    peer.socket.end()
    await call.ended('close')
    await assertEmpty(front)
  })

  for (const who of ['client', 'call'] as const) {
    test(`${over}: the ${who} is destroyed`, async (t) => {
      const { front, ...both } = await setUp(t)
      const other = both[who === 'client' ? 'call' : 'client']
      both[who].socket.destroy()
      await until(() => other.ends.length > 0)
      other.socket.end()
      await other.ended('close')
      await assertEmpty(front)
    })
  }

  test(`${over}: cut() ends both`, async (t) => {
    const { front, client: peer, call } = await setUp(t)
    front.pipe.cut()
    await until(() => peer.ends.length > 0 && call.ends.length > 0)
    await assertEmpty(front)
    peer.socket.destroy()
    call.socket.destroy()
  })
}

test('a client over TLS that ends has nowhere to be sent to: its owner is left at once', async (t) => {
  const owner = await serveOwner(t)
  const front = await serveFront(t, { A: owner.address }, secureServer())
  const { client, call } = await join(front, owner, true)
  client.socket.end('last')
  await call.ended('end')
  assert.ok(call.text.endsWith('last'))
  await assertEmpty(front)
  call.socket.destroy()
})

test('an owner whose certificate nobody has signed is not reached, and does not see the token', async (t) => {
  const owner = await serveOwner(t, true)
  const front = await serveFront(t, { A: owner.address })
  const client = await RawStream.dial(front.port)
  client.socket.write(requestTo(front.port, 'A.secret'))
  await until(() => front.back.length === 1)
  assert.match(String(front.warnings[0]?.err.message), /self.signed certificate/)
  await until(() => owner.calls.every(({ socket }) => socket.destroyed))
  assert.ok(owner.calls.every(({ length }) => length === 0))
  client.socket.destroy()
})

test('an owner with TLS that shakes no hands is not reached', async (t) => {
  const owner = await serveOwner(t)
  const front = await serveFront(t, { A: `https://localhost:${owner.port}` })
  const client = await RawStream.dial(front.port)
  client.socket.write(requestTo(front.port, 'A.secret'))
  await until(() => owner.calls.some(({ length }) => length > 0))
  await front.clock.advance(2_000)
  assert.equal(front.back.length, 1)
  await until(() => owner.calls.every(({ ends }) => ends.length > 0))
  client.socket.destroy()
  owner.calls[0]?.socket.destroy()
})

test('an owner with TLS, by its IP address', async (t) => {
  trustAll(t)
  const owner = await serveOwner(t, true)
  const front = await serveFront(t, { A: `https://127.0.0.1:${owner.port}` })
  const { client, call } = await join(front, owner)
  assert.equal((call.socket as TLSSocket).servername, false)
  client.socket.end()
  await call.ended('end')
  call.socket.end()
  await client.ended('close')
  await assertEmpty(front)
})

test('an owner with an address of IPv6', async (t) => {
  const owner = await serveOwner(t)
  const front = await serveFront(t, { A: `http://[::ffff:127.0.0.1]:${owner.port}` })
  const { client, call } = await join(front, owner)
  client.socket.write('hello')
  await call.came('hello')
  client.socket.resetAndDestroy()
  await call.ended('close')
  assert.deepEqual(call.ends, ['ECONNRESET', 'close'])
})

test('a client on a unix socket', async (t) => {
  const owner = await serveOwner(t)
  const path = joinPath(tmpdir(), `pipe-${process.pid}.sock`)
  const server = createServer()
  const front = await serveFront(t, { A: owner.address }, server, path)
  for (const end of [
    (client: RawStream, _call: RawStream) => client.socket.destroy(),
    (_client: RawStream, call: RawStream) => call.socket.resetAndDestroy(),
  ]) {
    const client = new RawStream(connect(path))
    client.socket.write(requestTo(0, 'A.secret'))
    const call = await owner.called()
    assert.ok(!call.text.includes('X-Forwarded-For'))
    call.socket.write(SWITCH)
    await client.came(SWITCH)
    end(client, call)
    await until(() => client.ends.length > 0 || call.ends.length > 0)
    call.socket.end()
    await client.ended('close')
    await call.ended('close')
    await assertEmpty(front)
  }
})
