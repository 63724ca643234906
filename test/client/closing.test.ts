// The end for good: in each state, once, and nothing is left.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClientMessageEvent, ClientState } from '../../lib/client/api.js'
import { clientIn } from '../support/peers/lifecycle-client.js'
import { ClientWorld, settled } from '../support/time/client-world.js'

/** How a client gets into each state. */
const ways: Record<Exclude<ClientState, 'closed'> | 'asking', (world: ClientWorld) => void> = {
  asking: () => {},
  connecting: (world) => world.socket.open(),
  open: (world) => world.socket.welcome({}),
  waiting: (world) => world.socket.fail(),
}

for (const [state, bring] of Object.entries(ways)) {
  for (const isAborted of [false, true]) {
    test(`${isAborted ? 'an abort' : 'close()'} while ${state}`, async () => {
      const world = new ClientWorld()
      const stop = new AbortController()
      const { client, told } = clientIn(world, { resume: true, signal: stop.signal })
      if (state !== 'asking') await settled()
      bring(world)
      client.send('kept')
      told.length = 0
      if (isAborted) stop.abort()
      else client.close(4_000, 'bye')
      const [code, reason] = isAborted ? [1000, ''] : [4_000, 'bye']
      assert.equal(client.state, 'closed')
      assert.deepEqual(told, [{ type: 'close', code, reason, undelivered: ['kept'] }])
      assert.equal(world.pending, 0)
      if (state !== 'asking') {
        const heard = world.sockets.map((socket) => socket.heard)
        assert.deepEqual(heard, [0])
        const expected = state === 'waiting' ? 1000 : code
        assert.equal(world.socket.closes.at(-1)?.code, expected)
      }

      client.close()
      client.reconnect()
      stop.abort()
      for (const socket of world.sockets) socket.welcome({}).say('m').end(1012)
      await world.advance(100_000)
      assert.equal(told.length, 1)
      assert.equal(world.sockets.length, state === 'asking' ? 0 : 1)
      assert.equal(client.send('late'), false)
      assert.equal(client.bufferedAmount, 0)
      assert.equal(client.protocol, '')
    })
  }
}

test('a signal that has aborted before: closed, and a listener hears of it', async () => {
  const world = new ClientWorld()
  const { client, told } = clientIn(world, { signal: AbortSignal.abort() }, () => assert.fail())
  assert.equal(client.state, 'connecting')
  await settled()
  assert.deepEqual(told, [{ type: 'close', code: 1000, reason: '', undelivered: [] }])
  assert.equal(world.pending, 0)
  assert.equal(world.sockets.length, 0)
})

test('closes in a listener of each event', async () => {
  for (const type of ['open', 'message', 'lost'] as const) {
    const world = new ClientWorld()
    const { client, told } = clientIn(world, { resume: true })
    client.send('1')
    client.addEventListener(type, () => client.close())
    await settled()
    world.socket.welcome({}).say('m').end(1012)
    assert.equal(told.at(-1)?.type, 'close')
    assert.deepEqual(told.at(-1)?.['undelivered'], ['1'])
    assert.equal(world.pending, 0)
    assert.equal(world.sockets.length, 1)
  }
})

test('leaves no timer if a listener closes it while the socket is closing', async () => {
  const world = new ClientWorld()
  const { client } = clientIn(world)
  await settled()
  client.addEventListener('message', () => client.close())
  world.socket.welcome({}).readyState = 2
  world.socket.say('m')
  assert.equal(world.pending, 0)
})

test('reconnects in a listener of each event', async () => {
  for (const type of ['open', 'message', 'lost'] as const) {
    const world = new ClientWorld()
    const { client, count } = clientIn(world, { resume: true })
    client.addEventListener(type, () => client.reconnect(), { once: true })
    await settled()
    const first = world.socket
    first.welcome({}).say('m').end(1012)
    await world.advance(0)
    assert.equal(count('lost'), 1, type)
    assert.equal(world.sockets.length, 2)
    assert.equal(first.heard, 0)
    client.close()
  }
})

test('listeners can be objects, once, and taken off', async () => {
  const world = new ClientWorld()
  const { client } = clientIn(world)
  const heard: unknown[] = []
  const listener = {
    handleEvent: ({ data }: ClientMessageEvent) => heard.push(['object', data]),
  }
  client.addEventListener('message', listener)
  client.addEventListener('message', ({ data }) => heard.push(['once', data]), {
    once: true,
  })
  await settled()
  world.socket.welcome().say('1')
  client.removeEventListener('message', listener)
  world.socket.say('2')
  assert.deepEqual(heard, [
    ['object', '1'],
    ['once', '1'],
  ])
  client.close()
})

test('takes the codes that a page may send, without those of the link', () => {
  for (const code of [999, 1001, 1005, 1006, 1012, 2999, 4990, 4991, 4999, 5000, NaN]) {
    const { client } = clientIn(new ClientWorld())
    assert.throws(() => client.close(code), {
      name: 'TypeError',
      message: `Expected \`code\` to be 1000 or from 3000 to 4989, got ${code}`,
    })
    client.close(3000)
    assert.equal(client.state, 'closed')
  }
})

test('takes a reason of at most 123 bytes', async () => {
  const world = new ClientWorld()
  const { client } = clientIn(world)
  await settled()
  const message = 'Expected `reason` to be a text of at most 123 bytes, got string'
  assert.throws(() => client.close(1000, 'é'.repeat(62)), { name: 'TypeError', message })
  assert.throws(() => client.close(1000, 5 as never), { name: 'TypeError' })
  client.close(1000, 'é'.repeat(61))
  assert.equal(world.socket.closes[0]?.reason, 'é'.repeat(61))
})
