// The owner of a session does not answer: the upgrade comes back, as if nobody had touched it.
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { createServer } from 'node:http'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import { RawStream } from '../support/peers/raw-stream.js'
import { freePort } from '../../examples/cluster/free-port.js'
import {
  type Front,
  requestTo,
  secureServer,
  serveFront,
  serveOwner,
  SWITCH,
} from '../support/servers/piping.js'
import { turns } from '../support/time/fake-clock.js'
import { until } from '../support/time/timed.js'

/** The upgrade came back with all that the client has sent, and its stream works. */
async function assertUntouched(front: Front, client: RawStream): Promise<void> {
  await until(() => front.back.length === 1)
  const [{ raw, head } = assert.fail()] = front.back
  client.socket.write(' third')
  const stream = new RawStream(raw as never)
  await stream.came(' third'.length)
  await until(() => `${head.toString()}${stream.text}` === 'first second third')
  raw.write('HTTP/1.1 200 here\r\n\r\n')
  await client.came('here')
  assert.equal(client.text, 'HTTP/1.1 200 here\r\n\r\n')
  assert.deepEqual([front.pipe.size, front.clock.pending, front.kept], [0, 0, []])
  client.socket.end()
  await stream.ended('end')
  raw.end()
  await client.ended('close')
  assert.equal(front.back.length, 1)
}

async function dial(front: Front, secure = false): Promise<RawStream> {
  const client = await RawStream.dial(front.port, secure)
  client.socket.write(`${requestTo(front.port, 'A.secret')}first`)
  await until(() => front.raws.length > 0)
  client.socket.write(' second')
  return client
}

for (const secure of [false, true]) {
  test(`the owner refuses the connection; the client came over ${secure ? 'TLS' : 'TCP'}`, async (t) => {
    const nobody = `http://127.0.0.1:${await freePort()}`
    const front = await serveFront(t, { A: nobody }, secure ? secureServer() : createServer())
    await assertUntouched(front, await dial(front, secure))
    assert.match(front.warnings.map(({ err }) => err.message).join(), /^connect ECONNREFUSED/)
  })
}

test('the name of the owner leads nowhere', async (t) => {
  const front = await serveFront(t, { A: 'http://nowhere.invalid:3000' })
  await assertUntouched(front, await dial(front))
  assert.equal(front.warnings.length, 1)
})

test('the owner is silent for 2 s, and then it is told that nobody waits', async (t) => {
  const owner = await serveOwner(t)
  const front = await serveFront(t, { A: owner.address })
  const client = await dial(front)
  const call = await owner.called()
  await front.clock.advance(1_999)
  assert.deepEqual([front.back.length, front.pipe.size], [0, 1])
  await front.clock.advance(1)
  await assertUntouched(front, client)
  await call.ended('ECONNRESET')
  assert.ok(
    call.text.endsWith('\r\n\r\n'),
    'It has heard nothing that the client is served here for',
  )
  assert.match(String(front.warnings[0]?.err.message), /^Expected an answer within 2000 ms/)
})

test('while our loop stands still, no time passes for the owner', async (t) => {
  const owner = await serveOwner(t)
  const front = await serveFront(t, { A: owner.address })
  const client = await dial(front)
  await owner.called()
  front.clock.stall(10_000)
  await front.clock.advance(1_200)
  front.clock.stall(10_000)
  // Each time the stall but for one tick of 200 ms is forgiven.
  await front.clock.advance(399)
  assert.deepEqual([front.back.length, front.pipe.size], [0, 1])
  await front.clock.advance(1)
  assert.equal(front.back.length, 1)
  client.socket.destroy()
})

test('an answer that has come, but was not read yet, counts', async (t) => {
  const owner = await serveOwner(t)
  const front = await serveFront(t, { A: owner.address })
  const client = await dial(front)
  const call = await owner.called()
  await front.clock.advance(1_999)
  call.socket.write(SWITCH)
  // The deadline comes before the next poll.
  front.clock.stall(1)
  await front.clock.advance(0)
  await client.came(SWITCH)
  assert.deepEqual([front.back, front.warnings, front.clock.pending], [[], [], 0])
  client.socket.destroy()
})

test('it is handled here in the async context of its upgrade', async (t) => {
  const contexts = new AsyncLocalStorage<string>()
  const owner = await serveOwner(t)
  const front = await serveFront(t, { A: owner.address })
  const client = await RawStream.dial(front.port)
  client.socket.write(requestTo(front.port, 'here'))
  await until(() => front.kept.length === 1)
  const [upgrade = assert.fail()] = front.kept
  const seen: unknown[] = []
  const note = (): unknown => seen.push(contexts.getStore())
  contexts.run('its own', () => front.pipe.forward(upgrade, 'A.secret', note))
  await owner.called()
  await front.clock.advance(2_000)
  assert.deepEqual(seen, ['its own'])
  client.socket.destroy()
})

for (const [how, end] of [
  ['a FIN', (call: RawStream) => call.socket.end()],
  ['a RST', (call: RawStream) => call.socket.resetAndDestroy()],
] as const) {
  test(`the owner ends with ${how} instead of an answer`, async (t) => {
    const owner = await serveOwner(t)
    const front = await serveFront(t, { A: owner.address })
    const client = await dial(front)
    const call = await owner.called()
    end(call)
    await assertUntouched(front, client)
    await call.ended('close')
    assert.equal(front.warnings.length, 1)
  })
}

test('the pipe is cut while the owner is asked', async (t) => {
  const owner = await serveOwner(t)
  const front = await serveFront(t, { A: owner.address })
  const client = await dial(front)
  const call = await owner.called()
  front.pipe.cut()
  await assertUntouched(front, client)
  await call.ended('ECONNRESET')
  assert.deepEqual(front.warnings, [], 'The owner is not to blame')
})

test('an outage is one line in the log, for each owner', async (t) => {
  const owner = await serveOwner(t)
  const nobody = `http://127.0.0.1:${await freePort()}`
  const front = await serveFront(t, { A: nobody, B: nobody })
  const ask = async (token: string): Promise<void> => {
    const count = front.back.length
    const client = await RawStream.dial(front.port)
    client.socket.write(requestTo(front.port, token))
    await until(() => front.back.length > count)
    client.socket.destroy()
  }
  const warned = (): string[] => front.warnings.map(({ node, address }) => `${node} ${address}`)
  for (const token of ['A.secret', 'A.other', 'B.secret', 'A.secret']) await ask(token)
  assert.deepEqual(warned(), [`A ${nobody}`, `B ${nobody}`])
  assert.doesNotMatch(JSON.stringify(front.warnings), /secret|other/)

  front.node.others.set('A', { address: owner.address })
  const client = await RawStream.dial(front.port)
  client.socket.write(requestTo(front.port, 'A.secret'))
  const call = await owner.called()
  call.socket.end('HTTP/1.1 503 later\r\n\r\n')
  await client.ended('end')
  client.socket.end()
  front.node.others.set('A', { address: nobody })
  await ask('A.secret')
  assert.equal(warned().length, 3, 'It had answered, so this is another outage')

  front.node.others.delete('B')
  front.node.others.set('C', { address: nobody })
  await ask('C.secret')
  front.node.others.set('B', { address: nobody })
  await ask('B.secret')
  assert.deepEqual(warned().slice(3), [`C ${nobody}`, `B ${nobody}`])
})

test('a client that leaves meanwhile is not served here, and the owner is told', async (t) => {
  const owner = await serveOwner(t)
  const front = await serveFront(t, { A: owner.address })
  for (const leave of [
    (client: RawStream) => client.socket.resetAndDestroy(),
    (client: RawStream) => client.socket.end(),
    (client: RawStream) => client.socket.destroy(),
  ]) {
    const client = await RawStream.dial(front.port)
    client.socket.write(requestTo(front.port, 'A.secret'))
    const call = await owner.called()
    leave(client)
    await call.ended('ECONNRESET')
    await until(() => front.raws.every(({ closed }) => closed))
    await client.ended('close')
  }
  await front.clock.advance(2_000)
  assert.deepEqual([front.back, front.warnings, front.clock.pending], [[], [], 0])
  assert.equal(front.pipe.size, 0)
})

test('what is not for another node, or cannot be given to it, stays here', async (t) => {
  const owner = await serveOwner(t)
  const front = await serveFront(t, {
    A: owner.address,
    silent: undefined,
    odd: 'ftp://127.0.0.1:1',
  })
  const tokens = ['secret', 'B.secret', '.secret', '', 'silent.secret', 'odd.secret', 'A.secret']
  for (const [count, token] of tokens.entries()) {
    const client = await RawStream.dial(front.port)
    const isSecond = token === 'A.secret'
    client.socket.write(
      requestTo(front.port, token, isSecond ? 'X-WSL-Forwarded: whatever\r\n' : ''),
    )
    await until(() => front.kept.length > count)
    client.socket.destroy()
  }
  const [upgrade = assert.fail()] = front.kept
  const forward = (change: object): boolean =>
    front.pipe.forward({ ...upgrade, ...change }, 'A.secret', () => assert.fail())
  assert.equal(forward({ raw: new Duplex() }), false, 'A stream in memory')
  upgrade.raw.destroy()
  assert.equal(forward({}), false, 'A stream that is gone')
  front.pipe.cut()
  const client = await RawStream.dial(front.port)
  client.socket.write(requestTo(front.port, 'A.secret'))
  await until(() => front.kept.length > tokens.length)
  client.socket.destroy()
  assert.deepEqual([front.back, owner.calls, front.pipe.size], [[], [], 0])
})

test('nothing is written into the answer of an earlier request', async (t) => {
  const owner = await serveOwner(t)
  const server = createServer((_request, response) => {
    void turns().then(() => response.end('slow'))
  })
  const front = await serveFront(t, { A: owner.address }, server)
  const client = await RawStream.dial(front.port)
  client.socket.write(`GET / HTTP/1.1\r\nhost: a\r\n\r\n${requestTo(front.port, 'A.secret')}`)
  await until(() => front.kept.length === 1)
  await client.came('slow')
  client.socket.destroy()
  assert.deepEqual(owner.calls, [])
})
