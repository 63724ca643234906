// A session that goes on: what is kept, confirmed, sent again, and told as undelivered.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClientOptions } from '../../lib/client/api.js'
import { type Observed, clientIn } from '../support/peers/lifecycle-client.js'
import { PageWebSocket } from '../support/peers/fake-websocket.js'
import { ClientWorld, settled } from '../support/time/client-world.js'

interface Session extends Observed {
  readonly world: ClientWorld
  /** Loses the connection, and lets the next attempt begin. */
  readonly lose: (code?: number) => Promise<void>
}

async function openSession(
  options: ClientOptions = {},
  world = new ClientWorld(),
): Promise<Session> {
  const observed = clientIn(world, { resume: true, ...options })
  await settled()
  world.socket.welcome({})
  return Object.assign(observed, {
    world,
    async lose(code = 1006) {
      world.socket.end(code)
      world.wake()
      await settled()
    },
  })
}

test('confirms the welcome at once', async () => {
  const { world } = await openSession()
  assert.deepEqual(world.socket.sent, ['\0a0'])
})

test('asks to go on: how many messages have come, and with a number for each attempt', async () => {
  const { lose, told, world } = await openSession()
  world.socket.say('a', new ArrayBuffer(1), '\0p', 'b')
  await lose()
  assert.deepEqual(world.socket.offered, ['wsl.1', 'wsl.r.1.3.secret'])
  await lose()
  assert.deepEqual(world.socket.offered, ['wsl.1', 'wsl.r.2.3.secret'])
  world.socket.welcome({ isResumed: true })
  assert.deepEqual(world.socket.sent, ['\0a3'])
  assert.deepEqual(told.at(-1), { type: 'open', first: false, resumed: true, undelivered: [] })
  world.socket.say('c')
  await lose()
  assert.deepEqual(world.socket.offered, ['wsl.1', 'wsl.r.3.4.secret'])
})

test('sends again what the server has not confirmed, after the event, and before what the app sends there', async () => {
  const { client, lose, world } = await openSession()
  for (const text of ['1', '2', '3', '\x004']) assert.equal(client.send(text), true)
  assert.deepEqual(world.socket.sent, ['\0a0', '1', '2', '3', '\0\x004'])
  world.socket.say('\0a1')
  await lose()
  assert.equal(client.send('5'), true)
  client.addEventListener('open', () => client.send('6'))
  world.socket.welcome({ isResumed: true, received: 2 })
  assert.deepEqual(world.socket.sent, ['\0a0', '3', '\0\x004', '5', '6'])
  world.socket.say('\0a6')
  assert.equal(client.bufferedAmount, 0)
})

test('what is sent before the first connection belongs to the first session', async () => {
  const world = new ClientWorld()
  const { client, told } = clientIn(world, { resume: true })
  client.send('early')
  await settled()
  world.socket.welcome({})
  assert.deepEqual(world.socket.sent, ['\0a0', 'early'])
  assert.deepEqual(told, [{ type: 'open', first: true, resumed: false, undelivered: [] }])
  world.socket.say('\0a1')
  assert.equal(client.bufferedAmount, 0)
})

test('tells what a session that is over has not confirmed, and begins to count anew', async () => {
  const { client, lose, told, world } = await openSession()
  client.send('1')
  client.send('2')
  world.socket.say('x', '\0a1')
  await lose(1012)
  client.send('3')
  world.socket.welcome({ token: 'other' })
  assert.deepEqual(told.at(-1), {
    type: 'open',
    first: false,
    resumed: false,
    undelivered: ['2', '3'],
  })
  assert.deepEqual(world.socket.sent, ['\0a0'])
  client.send('again')
  world.socket.say('\0a1')
  await lose()
  assert.deepEqual(world.socket.offered, ['wsl.1', 'wsl.r.1.0.other'])
})

test('4991: forgets the token, backs off, and goes on with a new session', async () => {
  const { client, lose, told, world } = await openSession()
  client.send('1')
  await lose()
  world.socket.open().end(4991, 'stale')
  assert.deepEqual(told.at(-1), {
    type: 'lost',
    code: 1006,
    reason: '',
    error: undefined,
    attempts: 1,
    retryIn: 1_000,
  })
  await world.advance(1_000)
  assert.deepEqual(world.socket.offered, ['wsl.1'])
  world.socket.welcome({ token: 'new' })
  assert.deepEqual(told.at(-1)?.['undelivered'], ['1'])
})

test('a code that may be tried again keeps the token, and one that may not ends the client', async () => {
  for (const code of [1001, 1005, 1011, 1012, 1013, 1014, 3008]) {
    const { lose, world } = await openSession()
    await lose(code)
    assert.deepEqual(world.socket.offered.at(-1), 'wsl.r.1.0.secret')
    world.socket.open().end(code)
    world.wake()
    await settled()
    assert.deepEqual(world.socket.offered.at(-1), 'wsl.r.2.0.secret')
  }
  const { client, lose, told, world } = await openSession()
  client.send('1')
  await lose()
  // Ended while it was away: no welcome.
  world.socket.open().end(1008, 'policy')
  assert.equal(client.state, 'closed')
  assert.deepEqual(told.at(-1), {
    type: 'close',
    code: 1008,
    reason: 'policy',
    error: undefined,
    undelivered: ['1'],
  })
})

test('confirms after 32 messages at once, after 16 KiB at once, and else after a second', async () => {
  const { world } = await openSession()
  const { sent } = world.socket
  world.socket.say(...Array<string>(31).fill('m'))
  assert.equal(sent.length, 1)
  world.socket.say('m')
  assert.deepEqual(sent, ['\0a0', '\0a32'])
  world.socket.say('k'.repeat(8_192), new ArrayBuffer(8_192))
  assert.deepEqual(sent.at(-1), '\0a34')
  await world.advance(10_000)
  assert.equal(sent.length, 3)
  world.socket.say('m')
  await world.advance(500)
  world.socket.say('m')
  await world.advance(499)
  assert.equal(sent.length, 3)
  await world.advance(1)
  assert.deepEqual(sent.at(-1), '\0a36')
  assert.equal(sent.length, 4)
})

test('confirms in answer to a probe, and before it closes', async () => {
  const { client, world } = await openSession()
  world.socket.say('m', '\0p')
  assert.deepEqual(world.socket.sent, ['\0a0', '\0a1'])
  await world.advance(1_000)
  assert.equal(world.socket.sent.length, 2)
  world.socket.say('m')
  client.addEventListener('message', () => client.close())
  world.socket.say('m')
  assert.deepEqual(world.socket.sent, ['\0a0', '\0a1', '\0a3'])
  assert.deepEqual(world.socket.closes, [{ code: 1000, reason: '', heard: 0 }])
  assert.equal(world.pending, 0)
})

test('a route without sessions: confirms only in answer to a probe, and keeps nothing', async () => {
  const world = new ClientWorld()
  const { client, told } = clientIn(world, { resume: true })
  await settled()
  world.socket.welcome()
  client.send('1')
  world.socket.say(...Array<string>(40).fill('m'))
  await world.advance(2_000)
  assert.deepEqual(world.socket.sent, ['1'])
  assert.equal(client.bufferedAmount, 0)
  world.socket.say('\0p', '\0a1', '\0a999')
  assert.deepEqual(world.socket.sent, ['1', '\0a40'])
  world.socket.end(1012)
  client.send('2')
  await world.advance(500)
  assert.deepEqual(world.socket.offered, ['wsl.1'])
  world.socket.welcome()
  assert.deepEqual(told.at(-1), { type: 'open', first: false, resumed: false, undelivered: [] })
  assert.deepEqual(world.socket.sent, ['2'])
  // Now there are sessions: what waits belongs to the first one.
  world.socket.end(1012)
  client.send('3')
  world.wake()
  await settled()
  world.socket.welcome({})
  assert.deepEqual(told.at(-1)?.['undelivered'], [])
  assert.deepEqual(world.socket.sent, ['\0a0', '3'])
  world.socket.say('\0a1')
  assert.equal(client.bufferedAmount, 0)
})

test('without `resume` on a route with sessions: confirms, and asks for a new one', async () => {
  const world = new ClientWorld()
  const { client, told } = clientIn(world)
  await settled()
  world.socket.welcome({}).say('m')
  assert.equal(client.send('1'), true)
  await world.advance(1_000)
  assert.deepEqual(world.socket.sent, ['\0a0', '1', '\0a1'])
  world.socket.say('\0a1').end(1012)
  await world.advance(500)
  assert.deepEqual(world.socket.offered, ['wsl.1'])
  world.socket.welcome({})
  assert.deepEqual(told.at(-1), { type: 'open', first: false, resumed: false, undelivered: [] })
})

const faults = {
  'a message before the welcome': 'hello',
  'a confirmation before the welcome': '\0a0',
  'a malformed frame before the welcome': '\0w{',
  'a welcome that tells of messages in a new session': '\0w{"v":1,"t":"x","r":0,"n":1,"w":1}',
  'a welcome to a session of before': '\0w{"v":1,"t":"x","r":1,"n":0,"w":1}',
}

for (const [name, frame] of Object.entries(faults)) {
  test(`${name} is a failed attempt, closed with 1002`, async () => {
    const world = new ClientWorld()
    const { count, told } = clientIn(world, { resume: true })
    await settled()
    world.socket.open().say('\0zlater', frame)
    assert.deepEqual(world.socket.closes, [{ code: 1002, reason: undefined, heard: 0 }])
    assert.equal(count('message'), 0)
    assert.deepEqual(
      { ...told[0], error: 0 },
      { type: 'lost', code: 1006, reason: '', error: 0, attempts: 1, retryIn: 500 },
    )
    assert.match(String(told[0]?.['error']), /^Error: Expected a frame that the link allows$/)
  })
}

const laterFaults = {
  'a second welcome': '\0w{"v":1}',
  'a malformed frame': '\0a-1',
  'a frame without a kind': '\0',
  'a confirmation of what was not sent': '\0a3',
  'a confirmation of less than before': '\0a0',
}

for (const [name, frame] of Object.entries(laterFaults)) {
  test(`${name} ends the session with 1002, and what it has not confirmed is told`, async () => {
    for (const Socket of [undefined, PageWebSocket]) {
      const { client, lose, told, world } = await openSession({}, new ClientWorld(Socket))
      client.send('1')
      client.send('2')
      world.socket.say('\0a1', frame)
      // A page may not send 1002.
      const code = Socket ? 4002 : 1002
      assert.deepEqual(
        world.socket.closes.map((close) => close.code),
        [code],
      )
      assert.equal(told.at(-1)?.['attempts'], 0)
      await lose()
      assert.deepEqual(world.socket.offered, ['wsl.1'])
      world.socket.welcome({})
      assert.deepEqual(told.at(-1)?.['undelivered'], ['2'])
    }
  })
}

test('a frame of a later version is ignored', async () => {
  const { client, world } = await openSession()
  world.socket.say('\0z', '\0z{"more":1}')
  assert.equal(client.state, 'open')
})

test('an error of a listener changes nothing of what is counted', async (t) => {
  const { client, world } = await openSession()
  const errors: unknown[] = []
  // Node tells errors of listeners this way, a browser by `reportError`.
  const others = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => errors.push(error))
  t.after(() => {
    process.removeAllListeners('uncaughtException')
    for (const other of others) process.on('uncaughtException', other)
  })
  client.addEventListener('message', () => assert.fail('a bug'))
  world.socket.say('m', '\0p')
  assert.deepEqual(world.socket.sent, ['\0a0', '\0a1'])
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(errors.length, 1)
})
