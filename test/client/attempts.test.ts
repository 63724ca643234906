// When the client tries to connect, and when again.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientIn } from '../support/peers/lifecycle-client.js'
import { ClientWorld, settled } from '../support/time/client-world.js'

test('connects at once, and is open when the server has welcomed it', async () => {
  const world = new ClientWorld()
  const { client, told } = clientIn(world)
  assert.equal(client.state, 'connecting')
  assert.equal(world.sockets.length, 0) // a listener can be added first
  await settled()
  assert.equal(world.socket.url, 'wss://test/')
  assert.deepEqual(world.socket.offered, ['wsl.1'])
  assert.equal(world.socket.binaryType, 'arraybuffer')
  world.socket.open()
  assert.equal(client.state, 'connecting')
  world.socket.say('\0w{"v":1}')
  assert.equal(client.state, 'open')
  assert.deepEqual(told, [{ type: 'open', first: true, resumed: false, undelivered: [] }])
})

test('offers the protocols of the app within the link, and tells which one was chosen', async () => {
  const world = new ClientWorld()
  const { client } = clientIn(world, { protocols: ['chat.v2', 'chat.v1'] })
  assert.equal(client.protocol, '')
  await settled()
  assert.deepEqual(world.socket.offered, ['wsl.1.chat.v2', 'wsl.1.chat.v1'])
  world.socket.open('wsl.1.chat.v1').say('\0w{"v":1}')
  assert.equal(client.protocol, 'chat.v1')
})

test('asks url and protocols before each attempt, and never keeps an answer', async () => {
  const world = new ClientWorld()
  let tickets = 0
  clientIn(
    world,
    { protocols: async () => `v${tickets}` },
    () => new URL(`wss://test/${++tickets}`),
  )
  await settled()
  world.socket.fail()
  await world.advance(1_000)
  assert.deepEqual(
    world.sockets.map(({ url, offered }) => [url, offered]),
    [
      ['wss://test/1', ['wsl.1.v1']],
      ['wss://test/2', ['wsl.1.v2']],
    ],
  )
})

test('asks no function in the constructor: the app has no client yet', async () => {
  const seen: unknown[] = []
  const { client } = clientIn(new ClientWorld(), {}, () => {
    seen.push(client)
    return 'wss://test/'
  })
  await settled()
  assert.deepEqual(seen, [client])
})

test('an attempt has failed if url or protocols reject, throw or answer with nonsense', async () => {
  const odd = new Error('no ticket')
  const nonsense = [
    [{}, () => Promise.reject(odd), /^Error: no ticket$/],
    [{ protocols: () => assert.fail('no') }, 'wss://test/', /AssertionError.*: no$/],
    [
      {},
      () => undefined as never,
      /^TypeError: Expected `url` to be a string or a URL, got undefined$/,
    ],
    [
      { protocols: () => [1] as never },
      'wss://test/',
      /^TypeError: Expected `protocols` to be .*, got object$/,
    ],
  ] as const
  for (const [options, url, message] of nonsense) {
    const world = new ClientWorld()
    const { last, told } = clientIn(world, options, url)
    await settled()
    assert.equal(world.sockets.length, 0)
    assert.equal(last, undefined)
    const [lost] = told
    assert.match(String(lost?.['error']), message)
    assert.deepEqual(
      { ...lost, error: 0 },
      { type: 'lost', code: 1006, reason: '', error: 0, attempts: 1, retryIn: 500 },
    )
  }
})

function Refusing(): void {
  throw new SyntaxError('what an URL')
}

test('an attempt has failed if the WebSocket refuses the URL', async () => {
  const world = new ClientWorld()
  const { told } = clientIn(world, { WebSocket: Refusing as never })
  await settled()
  assert.deepEqual(told[0]?.['error'], new SyntaxError('what an URL'))
})

test('gives url and protocols the time of connectTimeout, and then the server as much', async () => {
  const world = new ClientWorld()
  const answers: Array<(url: string) => void> = []
  const url = (): Promise<string> => new Promise((resolve) => answers.push(resolve))
  const { client, told } = clientIn(world, { connectTimeout: 3_000 }, url)
  await world.advance(2_999)
  assert.equal(client.state, 'connecting')
  await world.advance(1)
  assert.match(
    String(told[0]?.['error']),
    /^Error: Expected an answer of `url` and `protocols` within 3000 ms$/,
  )
  answers.shift()?.('wss://late/')
  await settled()
  assert.equal(world.sockets.length, 0)

  await world.advance(500 + 2_999)
  answers.shift()?.('wss://test/')
  await world.advance(2_999)
  world.socket.open()
  assert.equal(client.state, 'connecting')
  await world.advance(1)
  assert.equal(client.state, 'waiting')
  assert.match(
    String(told[1]?.['error']),
    /Expected a welcome of fastify-websocket-lifecycle .*`link: false`.* within 3000 ms$/,
  )
  assert.deepEqual(world.socket.closes, [{ code: 4990, reason: undefined, heard: 0 }])
})

test('says `link: false` where the server does not speak the link', async () => {
  const world = new ClientWorld()
  const { client, told } = clientIn(world)
  await settled()
  world.socket.open('')
  assert.equal(client.state, 'waiting')
  assert.match(String(told[0]?.['error']), /link: false/)
  assert.deepEqual(world.socket.closes, [{ code: 1000, reason: undefined, heard: 0 }])
  await world.advance(1_000)
  // ws says why, a browser does not.
  world.socket.fail(new Error('Server sent no subprotocol'))
  const { error } = told[1] as unknown as { error: Error }
  assert.match(error.message, /link: false/)
  assert.deepEqual(error.cause, new Error('Server sent no subprotocol'))
})

test('waits longer with each failure, up to a bound', async () => {
  const world = new ClientWorld()
  const { told } = clientIn(world, { backoff: { min: 100, max: 1_000 } })
  for (let i = 0; i < 6; i++) {
    await settled()
    world.socket.fail()
    await world.advance(1_000)
  }
  assert.deepEqual(
    told.map(({ attempts, retryIn }) => [attempts, retryIn]),
    [
      [1, 100],
      [2, 200],
      [3, 400],
      [4, 500],
      [5, 500],
      [6, 500],
    ],
  )
})

test('the app may wait longer than a server can ask for', async () => {
  const world = new ClientWorld()
  const { told } = clientIn(world, { backoff: { min: 2_000_000, max: 2_000_000 } })
  await settled()
  world.socket.fail()
  assert.equal(told[0]?.['retryIn'], 1_000_000)
})

test('the waits begin anew after five seconds open, and not before', async () => {
  const world = new ClientWorld()
  const { told } = clientIn(world, { backoff: { min: 100 } })
  await settled()
  world.socket.fail()
  for (const openFor of [0, 4_999, 5_000]) {
    await world.advance(10_000)
    world.socket.welcome()
    await world.advance(openFor)
    world.socket.end(1012)
  }
  assert.deepEqual(
    told.filter(({ type }) => type === 'lost').map(({ attempts, retryIn }) => [attempts, retryIn]),
    [
      [1, 100],
      [0, 200],
      [0, 400],
      [0, 50],
    ],
  )
})

test('comes back within the time that the server says, once, and at most 10 minutes later', async () => {
  const world = new ClientWorld()
  const { last, told } = clientIn(world)
  assert.equal(last, undefined)
  await settled()
  const waits = [5_000, 10_000_000, 0]
  for (const within of waits) {
    world.socket.welcome().comeBack(within)
    await world.advance(6_000)
    world.socket.end(1012)
    world.wake()
    await settled()
  }
  world.socket.welcome()
  await world.advance(6_000)
  world.socket.end(1012)
  assert.deepEqual(
    told.filter(({ type }) => type === 'lost').map(({ retryIn }) => retryIn),
    [2_500, 300_000, 250, 250],
  )
})

test('shouldRetry decides, and is told of failed attempts', async () => {
  const asked: unknown[] = []
  const world = new ClientWorld()
  const { client, told } = clientIn(world, {
    shouldRetry({ code, reason, attempts }) {
      asked.push([code, reason, attempts])
      return asked.length < 3
    },
  })
  await settled()
  world.socket.fail()
  await world.advance(1_000)
  world.socket.welcome().end(1008, 'policy')
  await world.advance(1_000)
  world.socket.end(3000, 'sign in')
  assert.equal(client.state, 'closed')
  assert.deepEqual(asked, [
    [1006, '', 1],
    [1008, 'policy', 0],
    [3000, 'sign in', 1],
  ])
  assert.deepEqual(told.at(-1), {
    type: 'close',
    code: 3000,
    reason: 'sign in',
    error: undefined,
    undelivered: [],
  })
  assert.equal(world.pending, 0)
})

test('an error of shouldRetry is the app’s: the client is closed', async () => {
  const world = new ClientWorld()
  const { client, count } = clientIn(world, { shouldRetry: () => assert.fail('a bug') })
  await settled()
  assert.throws(() => world.socket.welcome().end(1012), /a bug/)
  assert.equal(client.state, 'closed')
  assert.equal(count('close'), 1)
  assert.equal(world.pending, 0)
})

test('shouldRetry may close the client, or have it connect at once', async () => {
  for (const verb of ['close', 'reconnect'] as const) {
    const world = new ClientWorld()
    const { client, count } = clientIn(world, {
      shouldRetry() {
        client[verb]()
        return true
      },
    })
    await settled()
    world.socket.welcome().end(1012)
    assert.equal(count('lost'), verb === 'close' ? 0 : 1)
    await world.advance(0)
    assert.equal(client.state, verb === 'close' ? 'closed' : 'connecting')
    assert.equal(count('close'), verb === 'close' ? 1 : 0)
  }
})

test('by default comes back after the codes of isRetryable, and after no other', async () => {
  for (let code = 1000; code <= 1015; code++) {
    const world = new ClientWorld()
    const { client } = clientIn(world)
    await settled()
    world.socket.welcome().end(code)
    const retryable = [1001, 1005, 1006, 1011, 1012, 1013, 1014]
    assert.equal(client.state, retryable.includes(code) ? 'waiting' : 'closed', `${code}`)
  }
})

test('without a link it is open when the connection is, and offers the plain names', async () => {
  const world = new ClientWorld()
  const { client, told } = clientIn(world, { link: false, protocols: 'chat', connectTimeout: 50 })
  await settled()
  assert.deepEqual(world.socket.offered, ['chat'])
  await world.advance(50)
  assert.match(String(told[0]?.['error']), /^Error: Expected an open connection within 50 ms$/)
  assert.deepEqual(world.socket.closes, [{ code: 1000, reason: undefined, heard: 0 }])
  world.wake()
  await settled()
  world.socket.open('chat')
  assert.equal(client.state, 'open')
  assert.equal(client.protocol, 'chat')
  assert.deepEqual(world.periods, []) // no liveness
  world.socket.say('\0p', '\0\0', 'text')
  assert.deepEqual(
    told.slice(2).map(({ data }) => data),
    ['\0p', '\0\0', 'text'],
  )
  client.send('\0')
  assert.deepEqual(world.socket.sent, ['\0'])
  const error = new Error('reset')
  world.socket.fail(error)
  assert.equal(told.at(-1)?.['error'], error)
})

test('reconnect skips the wait, replaces an open connection, and does nothing else', async () => {
  const world = new ClientWorld()
  const { client, told } = clientIn(world)
  client.reconnect()
  await settled()
  assert.equal(world.sockets.length, 1)
  world.socket.fail()
  client.reconnect()
  assert.equal(client.state, 'connecting')
  await settled()
  assert.equal(world.sockets.length, 2)
  const { socket } = world
  socket.welcome()
  await world.advance(5_000)
  client.reconnect()
  assert.deepEqual(socket.closes, [{ code: 4990, reason: undefined, heard: 0 }])
  assert.deepEqual(told.at(-1), { type: 'lost', code: 1006, reason: '', attempts: 0, retryIn: 0 })
  assert.equal(client.state, 'waiting')
  await world.advance(0)
  assert.equal(world.sockets.length, 3)
  client.close()
  client.reconnect()
  await world.advance(60_000)
  assert.equal(world.sockets.length, 3)
})

test('the network being back, or the page visible, ends a wait, and is no news during an attempt', async () => {
  const world = new ClientWorld()
  const { client } = clientIn(world)
  world.wake()
  await settled()
  world.wake()
  await settled()
  assert.equal(world.sockets.length, 1)
  world.socket.fail()
  world.wake()
  assert.equal(client.state, 'connecting')
  await settled()
  assert.equal(world.sockets.length, 2)
})
