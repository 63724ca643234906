// What a wait that fails says: what was waited for, how the connection stands, and what did arrive.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, stallEventLoop } from '../../lib/testing/index.js'
import { History, pictureOf } from '../../lib/testing/picture.js'
import { kitApp, theSocket } from '../support/servers/kit-app.js'

test('no message in time', async (t) => {
  const app = await kitApp(t, { handler: (socket) => socket.send('welcome') })
  const peer = await connect(app)
  peer.timeout = 20
  assert.equal(await peer.next(), 'welcome')
  await assert.rejects(peer.next(), (error: Error) => {
    assert.equal(
      error.message,
      'Expected a message within 20 ms, got none: the connection is open; "welcome" came',
    )
    assert.match(error.stack ?? '', /peer-errors\.test\.ts/)
    return true
  })
  // Who has waited in vain takes nothing away from who comes later.
  peer.send('later')
  assert.equal(await peer.next({ timeout: 5_000 }), 'later')
  await assert.rejects(peer.next({ timeout: 1 }), /within 1 ms/)
})

test('what has come in time counts, also where this process stood still', async (t) => {
  const app = await kitApp(t)
  const peer = await connect(app)
  const message = peer.next({ timeout: 20 })
  theSocket(app).send('here')
  stallEventLoop(100)
  assert.equal(await message, 'here')
})

test('nothing at all has come', async (t) => {
  const peer = await connect(await kitApp(t))
  await assert.rejects(peer.next({ timeout: 1 }), {
    message: 'Expected a message within 1 ms, got none: the connection is open; nothing has come',
  })
})

test('the connection ends before the message', async (t) => {
  const app = await kitApp(t, { handler: (socket) => socket.close(4000, 'not you') })
  const peer = await connect(app)
  const message =
    'Expected a message, got none: the connection has ended (4000 not you); a close frame (4000 not you) came'
  await assert.rejects(peer.next(), { message })
  await assert.rejects(peer.next(), { message })
})

test('a loop that waits too long', async (t) => {
  const app = await kitApp(t)
  const peer = await connect(app)
  theSocket(app).ping()
  theSocket(app).pong()
  theSocket(app).send('here')
  assert.equal(await peer.next(), 'here')
  peer.timeout = 20
  await assert.rejects(
    async () => {
      for await (const message of peer) assert.fail(String(message))
    },
    {
      message:
        'Expected a message, or an end, within 20 ms, got none: the connection is open; a ping, a pong, "here" came',
    },
  )
})

function noEnd(state: string): RegExp {
  return new RegExp(
    `^Error: Expected the connection to end within 20 ms, got no end: the connection ${state};`,
  )
}

test('no end in time, whatever the peer has done for it', async (t) => {
  const app = await kitApp(t, { options: { closeTimeout: 200 } })
  const peer = await connect(app)
  peer.timeout = 20
  await assert.rejects(peer.closed, noEnd('is open'))
  peer.freeze()
  await assert.rejects(peer.close(1000), noEnd('is frozen'))
  const other = await connect(app)
  other.timeout = 20
  for (const socket of app.websocketLifecycle.connections) socket.pause()
  await assert.rejects(other.close(1000), noEnd('is closing'))
  other.drop()
  await assert.rejects(other.closed, noEnd('waits for the FIN of the server'))
})

test('an end that nobody awaits any more ends no process', async (t) => {
  const peer = await connect(await kitApp(t))
  peer.timeout = 1
  void peer.closed
  await assert.rejects(peer.next({ timeout: 30 }))
})

test('a message is shown so far as it helps', () => {
  assert.equal(pictureOf('a\nb'), '"a\\nb"')
  assert.equal(pictureOf('x'.repeat(81)), `"${'x'.repeat(80)}"… (81 letters)`)
  assert.equal(pictureOf(Buffer.from([1, 2])), '2 bytes (0102)')
  assert.equal(pictureOf(Buffer.alloc(17)), `17 bytes (${'00'.repeat(16)}…)`)
})

test('of many events the last are shown', () => {
  const history = new History()
  for (let i = 1; i <= 12; i++) history.note(String(i))
  assert.equal(history.toString(), '2 more, then 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 came')
})
