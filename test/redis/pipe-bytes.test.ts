// All bytes of a forwarded upgrade arrive as they were sent, in both directions.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { test } from 'node:test'
import { RawStream } from '../support/peers/raw-stream.js'
import { join, requestTo, serveFront, serveOwner, SWITCH } from '../support/servers/piping.js'
import { delivered } from '../support/time/delivered.js'
import { turns } from '../support/time/fake-clock.js'
import { until } from '../support/time/timed.js'

const LARGE = 5 * 1024 * 1024
const MORE_THAN_KERNELS_TAKE = 64 * 1024 * 1024

test('the request has its headers as they came, and those of a proxy', async (t) => {
  const owner = await serveOwner(t)
  const front = await serveFront(t, { A: owner.address })
  const client = await RawStream.dial(front.port)
  const headers =
    'X-Twice: 1\r\nx-forwarded-for: 9.9.9.9\r\nx-tWICE: 2\r\nSec-WebSocket-Protocol: wsl.1, wsl.r.1.0.A.secret\r\nX-Latin: \u00e4\u00ff\r\n'
  client.socket.write(requestTo(front.port, 'A.secret', headers), 'latin1')
  const call = await owner.called()
  const [first, ...rest] = requestTo(front.port, 'A.secret', headers).split('\r\n')
  assert.deepEqual(call.text.split('\r\n'), [
    first,
    'X-Wsl-Forwarded: 1',
    'X-Forwarded-For: 9.9.9.9, 127.0.0.1',
    'X-Forwarded-Proto: http',
    ...rest.filter((line) => !line.startsWith('x-forwarded-for')),
  ])
  call.socket.write(SWITCH)
  await client.came(SWITCH)
  client.socket.destroy()
})

test('a client with very many headers cannot have those dropped that are ours', async (t) => {
  const owner = createServer()
  const upgraded = once(owner, 'upgrade')
  owner.listen(0, '127.0.0.1')
  await once(owner, 'listening')
  t.after(() => owner.close())
  const { port } = owner.address() as AddressInfo
  const front = await serveFront(t, { A: `http://127.0.0.1:${port}` })
  const client = await RawStream.dial(front.port)
  const request = requestTo(front.port, 'A.secret', 'X-Forwarded-For: 9.9.9.9\r\n')
  client.socket.write(request.replace(/\r\n\r\n$/, `\r\n${'a:\r\n'.repeat(2_500)}\r\n`))
  const [message, raw] = (await upgraded) as [IncomingMessage, Duplex]
  assert.equal(message.headers['x-forwarded-for'], '9.9.9.9, 127.0.0.1')
  assert.equal(message.headers['x-wsl-forwarded'], '1')
  raw.destroy()
})

test('what comes with the request, and with the answer, arrives, and in order', async (t) => {
  const owner = await serveOwner(t)
  const front = await serveFront(t, { A: owner.address })
  const client = await RawStream.dial(front.port)
  client.socket.write(`${requestTo(front.port, 'A.secret')}first`)
  const call = await owner.called()
  client.socket.write('second')
  await turns()
  const request = call.text
  assert.ok(request.endsWith('\r\n\r\n'), 'The owner gets nothing else before it has answered')
  call.socket.write(`${SWITCH}welcome`)
  await client.came(`${SWITCH}welcome`)
  await call.came(`${request}firstsecond`)
  client.socket.write('third')
  await call.came('secondthird')
  assert.equal(client.text, `${SWITCH}welcome`)
  assert.equal(front.clock.pending, 0, 'An established pipe costs no timer')
  client.socket.destroy()
})

test('an answer may come in pieces', async (t) => {
  const owner = await serveOwner(t)
  const front = await serveFront(t, { A: owner.address })
  const client = await RawStream.dial(front.port)
  client.socket.write(requestTo(front.port, 'A.secret'))
  const call = await owner.called()
  for (let at = 0; at < SWITCH.length; at++) {
    call.socket.write(SWITCH.slice(at, at + 1))
    await client.came(at + 1)
  }
  assert.equal(client.text, SWITCH)
  client.socket.destroy()
})

test('5 MiB each way arrive', async (t) => {
  const owner = await serveOwner(t)
  const front = await serveFront(t, { A: owner.address })
  const { client, call } = await join(front, owner)
  const up = randomBytes(LARGE)
  const down = randomBytes(LARGE)
  const ofRequest = call.length
  client.socket.write(up)
  call.socket.write(down)
  await call.came(ofRequest + LARGE)
  await client.came(SWITCH.length + LARGE)
  assert.deepEqual(call.bytes.subarray(ofRequest), up)
  assert.deepEqual(client.bytes.subarray(SWITCH.length), down)
  client.socket.destroy()
})

for (const who of ['client', 'call'] as const) {
  test(`a ${who} that reads nothing stops the other one, and then gets all`, async (t) => {
    const owner = await serveOwner(t)
    const front = await serveFront(t, { A: owner.address })
    const both = await join(front, owner)
    const reader = both[who]
    const sender = both[who === 'client' ? 'call' : 'client']
    const before = reader.length
    reader.socket.pause()
    sender.socket.write(Buffer.alloc(MORE_THAN_KERNELS_TAKE))
    await delivered()
    assert.ok(sender.socket.writableLength > 0, 'It is stopped')
    assert.ok(Number(front.raws[0]?.writableLength) < 2 ** 18, 'Little is held on the way')
    reader.socket.resume()
    await reader.came(before + MORE_THAN_KERNELS_TAKE)
    sender.socket.destroy()
  })
}

test('any other answer is passed on whole', async (t) => {
  const owner = await serveOwner(t)
  const front = await serveFront(t, { A: owner.address })
  const answers = [
    'HTTP/1.1 401 Who are you\r\nWWW-Authenticate: Basic\r\nset-cookie: a\r\nset-cookie: b\r\nContent-Length: 2\r\n\r\nno',
    `HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\ncontent-length: 300000\r\n\r\n${'x'.repeat(300_000)}`,
    'HTTP/1.1 403 Forbidden\r\ntransfer-encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n',
    'HTTP/1.0 400 Bad Request\r\n\r\nuntil the end',
  ]
  for (const answer of answers) {
    const client = await RawStream.dial(front.port)
    client.socket.write(requestTo(front.port, 'A.secret'))
    const call = await owner.called()
    call.socket.end(answer)
    await client.ended('end')
    assert.equal(client.text, answer)
    client.socket.end()
    await client.ended('close')
    await call.ended('close')
  }
  await until(() => front.pipe.size === 0)
  assert.deepEqual([front.back, front.warnings, front.clock.pending], [[], [], 0])
})
