// Whether the server is still there: probes, verdicts, and what a wake is worth.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClientOptions } from '../../lib/client/api.js'
import { type Observed, clientIn } from '../support/peers/lifecycle-client.js'
import { ClientWorld, settled } from '../support/time/client-world.js'

const PROBE = '\0p'

async function open(options?: ClientOptions): Promise<Observed & { readonly world: ClientWorld }> {
  const world = new ClientWorld()
  const observed = clientIn(world, options)
  await settled()
  world.socket.welcome()
  return Object.assign(observed, { world })
}

const HOUR = 3_600_000

test('there is one interval while it is open, and none else', async () => {
  const { client, world } = await open()
  assert.deepEqual(world.periods, [5_000])
  world.socket.end(1012)
  assert.deepEqual(world.periods, [])
  client.close()
})

test('a silent line: a probe after 30 s, the verdict 10 s later, and another attempt at once', async () => {
  const { client, told, world } = await open()
  await world.advance(29_999)
  assert.deepEqual(world.socket.sent, [])
  await world.advance(1)
  assert.deepEqual(world.socket.sent, [PROBE])
  await world.advance(9_999)
  assert.equal(client.state, 'open')
  await world.advance(1)
  assert.deepEqual(world.sockets[0]?.closes, [{ code: 4990, reason: undefined, heard: 0 }])
  const [, lost] = told
  const expected = { type: 'lost', code: 1006, reason: '', attempts: 0, retryIn: 0 }
  assert.deepEqual(lost, { ...expected, error: lost?.['error'] })
  assert.match(String(lost?.['error']), /Expected an answer to a probe/)
  assert.equal(world.sockets.length, 2)
})

test('any frame is a sign of life, and with traffic there is no probe', async () => {
  const { client, world } = await open()
  for (let i = 0; i < 30; i++) {
    await world.advance(29_000)
    world.socket.say(['m', '\0a0', '\0z', new ArrayBuffer(0)][i % 4] ?? '')
  }
  assert.deepEqual(world.socket.sent, [])
  await world.advance(39_000)
  assert.deepEqual(world.socket.sent, [PROBE])
  world.socket.say('\0a0')
  await world.advance(25_000)
  assert.equal(client.state, 'open')
})

test('a silent line is found within 50 s, whenever it fell silent', async () => {
  for (let spoken = 0; spoken <= 10_000; spoken += 500) {
    const { client, world } = await open()
    await world.advance(spoken)
    world.socket.say('m')
    await world.advance(39_999)
    assert.equal(client.state, 'open')
    const [socket] = world.sockets
    await world.advance(10_001)
    assert.equal(socket?.heard, 0)
  }
})

test('a late look probes, and does not judge', async () => {
  const { client, count, world } = await open()
  await world.advance(30_000)
  assert.deepEqual(world.socket.sent, [PROBE])
  // The deadline of that probe passes in a sleep. The answer waits behind the timer.
  world.sleep(HOUR)
  await world.advance(0)
  assert.deepEqual(world.socket.sent, [PROBE, PROBE])
  assert.equal(client.state, 'open')
  world.socket.say('\0a0', '\0a0')
  await world.advance(20_000)
  assert.equal(count('lost'), 0)
})

test('a dead line is found within 7 s after a sleep', async () => {
  for (const wakes of [false, true]) {
    const { count, world } = await open()
    await world.advance(12_345)
    world.sleep(HOUR)
    if (wakes) world.wake()
    await world.advance(6_999)
    assert.equal(count('lost'), 1)
  }
})

test('a clock that was set back, or forth, is like a sleep', async () => {
  for (const jump of [-HOUR, HOUR]) {
    const { client, count, world } = await open()
    await world.advance(5_000)
    world.setClock(jump)
    await world.advance(5_000)
    assert.deepEqual(world.socket.sent, [PROBE])
    world.socket.say('\0a0')
    await world.advance(25_000)
    assert.equal(client.state, 'open')
    world.socket.say('\0a0')
    await world.advance(HOUR)
    assert.ok(count('lost') > 0)
  }
})

test('timers that run once a minute only delay the verdict', async () => {
  const { client, world } = await open()
  for (let i = 0; i < 10; i++) {
    world.sleep(60_000)
    await world.advance(0)
    assert.equal(world.socket.sent.length, i + 1)
    world.socket.say('\0a0')
  }
  for (let i = 0; i < 3; i++) {
    assert.equal(client.state, 'open')
    world.sleep(60_000)
    await world.advance(0)
  }
  assert.notEqual(client.state, 'open')
})

test('the network being back, or the page visible, probes with 2 s; again only after an answer', async () => {
  const { count, world } = await open()
  await world.advance(1_000)
  world.wake()
  world.wake()
  assert.deepEqual(world.socket.sent, [PROBE])
  world.socket.say('\0a0')
  world.wake()
  assert.deepEqual(world.socket.sent, [PROBE, PROBE])
  await world.advance(1_999)
  world.wake() // puts off nothing
  await world.advance(2_001)
  assert.equal(count('lost'), 1)
  assert.equal(world.sockets[0]?.sent.length, 2)
})

test('a wake shortens the time of a probe that is under way', async () => {
  const { count, world } = await open()
  await world.advance(30_000)
  world.wake()
  assert.deepEqual(world.socket.sent, [PROBE, PROBE])
  await world.advance(5_000)
  assert.equal(count('lost'), 1)
})

test('liveness can have other times, or be off', async () => {
  const { count, world } = await open({ liveness: { interval: 10_000, timeout: 5_000 } })
  await world.advance(14_999)
  assert.equal(count('lost'), 0)
  await world.advance(1)
  assert.equal(count('lost'), 1)

  const quiet = await open({ liveness: false })
  quiet.world.wake()
  await quiet.world.advance(HOUR)
  assert.deepEqual(quiet.world.socket.sent, [])
  assert.equal(quiet.client.state, 'open')
})
