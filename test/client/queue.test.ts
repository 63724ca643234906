// What waits to be sent: bounds, copies, and who is told when there is room.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientIn } from '../support/peers/lifecycle-client.js'
import { ClientWorld, settled } from '../support/time/client-world.js'

test('without resume nothing is queued: `false`, and never an error', async () => {
  const world = new ClientWorld()
  const { client } = clientIn(world)
  assert.equal(client.send('early'), false)
  await settled()
  assert.equal(client.send('early'), false)
  world.socket.welcome()
  assert.equal(client.send('1'), true)
  world.socket.readyState = 2 // the server has begun to close
  assert.equal(client.send('2'), false)
  world.socket.end(1012)
  assert.equal(client.send('3'), false)
  await world.advance(500)
  world.socket.welcome()
  assert.deepEqual(
    world.sockets.map(({ sent }) => sent),
    [['1'], []],
  )
  client.close()
  assert.equal(client.send('4'), false)
})

test('a queue without resume keeps what was never handed to a socket, and nothing else', async () => {
  const world = new ClientWorld()
  const { client, told } = clientIn(world, { queue: { maxMessages: 2 } })
  assert.deepEqual(
    [1, 2, 3].map((n) => client.send(`${n}`)),
    [true, true, false],
  )
  await settled()
  world.socket.welcome()
  assert.deepEqual(world.socket.sent, ['1', '2'])
  for (let i = 0; i < 5; i++) assert.equal(client.send('now'), true)
  world.socket.readyState = 2
  assert.equal(client.send('later'), true)
  world.socket.end(1012)
  await world.advance(500)
  world.socket.welcome()
  assert.deepEqual(told.at(-1), { type: 'open', first: false, resumed: false, undelivered: [] })
  assert.deepEqual(world.socket.sent, ['later'])
})

test('a queue without a link works the same', async () => {
  const world = new ClientWorld()
  const { client } = clientIn(world, { link: false, queue: {} })
  client.send('\0early')
  await settled()
  world.socket.open()
  assert.deepEqual(world.socket.sent, ['\0early'])
})

test('with resume it is bounded by messages and by bytes; the last one may go beyond', async () => {
  const world = new ClientWorld()
  const { client } = clientIn(world, { resume: true, queue: { maxMessages: 3, maxBytes: 10 } })
  assert.deepEqual(
    ['é', '2', '3', '4'].map((text) => client.send(text)),
    [true, true, true, false],
  )
  assert.equal(client.bufferedAmount, 4)
  await settled()
  world.socket.welcome({})
  assert.equal(client.send('4'), false)
  world.socket.say('\0a3')
  assert.equal(client.send(new Uint8Array(9)), true)
  assert.equal(client.send(new ArrayBuffer(100)), true)
  assert.equal(client.send(''), false)
  assert.equal(client.bufferedAmount, 109)
})

test('bufferedAmount is what waits in the socket, where that is more', async () => {
  const world = new ClientWorld()
  const { client } = clientIn(world)
  assert.equal(client.bufferedAmount, 0)
  await settled()
  world.socket.welcome().bufferedAmount = 12
  assert.equal(client.bufferedAmount, 12)
})

test('what is kept is a copy: the app may go on to use its buffer', async () => {
  const world = new ClientWorld()
  const { client } = clientIn(world, { resume: true })
  const bytes = new Uint8Array([1, 2, 3, 4])
  const shared = new Uint8Array(new SharedArrayBuffer(2))
  client.send(bytes.buffer)
  client.send(bytes.subarray(1, 3))
  client.send(new DataView(bytes.buffer, 2))
  client.send(shared)
  bytes.fill(9)
  shared.fill(9)
  await settled()
  world.socket.welcome({})
  assert.deepEqual(
    world.socket.sent.slice(1).map((data) => Array.from(new Uint8Array(data as ArrayBuffer))),
    [
      [1, 2, 3, 4],
      [2, 3],
      [3, 4],
      [0, 0],
    ],
  )
})

test('takes text, an ArrayBuffer or a view, and says so of anything else', () => {
  const { client } = clientIn(new ClientWorld())
  for (const wrong of [undefined, null, 1, {}, new Blob(['x']), new SharedArrayBuffer(1)]) {
    assert.throws(() => client.send(wrong as never), {
      name: 'TypeError',
      message: `Expected \`data\` to be a string, an ArrayBuffer or a view, got ${typeof wrong === 'number' ? wrong : typeof wrong}`,
    })
  }
})

test('drained: true below half of the queue, and false once it is closed', async () => {
  const world = new ClientWorld()
  const { client } = clientIn(world, { resume: true, queue: { maxMessages: 4 } })
  assert.equal(await client.drained(), true)
  for (let i = 0; i < 4; i++) client.send('m')
  const answers: boolean[] = []
  const wait = (): void => void client.drained().then((answer) => answers.push(answer))
  wait()
  wait()
  await settled()
  world.socket.welcome({})
  world.socket.say('\0a2')
  await settled()
  assert.deepEqual(answers, [])
  world.socket.say('\0a3')
  await settled()
  assert.deepEqual(answers, [true, true])
  client.send('m')
  client.send('m')
  wait()
  client.close()
  assert.equal(await client.drained(), false)
  assert.deepEqual(answers, [true, true, false])
})

test('drained, by bytes', async () => {
  const world = new ClientWorld()
  const { client } = clientIn(world, { resume: true, queue: { maxBytes: 10 } })
  client.send('12345')
  let isDrained = false
  void client.drained().then((answer) => (isDrained = answer))
  await settled()
  world.socket.welcome({})
  await settled()
  assert.equal(isDrained, false)
  world.socket.say('\0a1')
  await settled()
  assert.equal(isDrained, true)
})

test('drained without a queue: once it is open', async () => {
  const world = new ClientWorld()
  const { client } = clientIn(world)
  let answers = 0
  void client.drained().then(() => answers++)
  await settled()
  assert.equal(answers, 0)
  world.socket.welcome()
  await settled()
  assert.equal(answers, 1)
  assert.equal(await client.drained(), true)
  // Else an app that sends until it is drained would hang: `send` is false here.
  world.socket.readyState = 2
  void client.drained().then(() => answers++)
  await settled()
  assert.equal(answers, 1)
})

test('drained, of a queue without resume: once it has left', async () => {
  const world = new ClientWorld()
  const { client } = clientIn(world, { queue: { maxMessages: 2 } })
  client.send('1')
  let isDrained = false
  void client.drained().then((answer) => (isDrained = answer))
  await settled()
  assert.equal(isDrained, false)
  world.socket.welcome()
  await settled()
  assert.equal(isDrained, true)
})
