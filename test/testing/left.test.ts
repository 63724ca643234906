// nothingLeft(): what is left of an app's connections, or nothing.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LifecycleSession } from '../../lib/index.js'
import { clockOf } from '../../lib/time/door.js'
import {
  connect,
  manualClock,
  nothingLeft,
  SomethingLeftError,
  stallEventLoop,
} from '../../lib/testing/index.js'
import { kitApp, theSocket } from '../support/servers/kit-app.js'
import { turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'

/** What is left, line by line, without ids. */
async function leftOf(app: Parameters<typeof nothingLeft>[0]): Promise<readonly string[]> {
  const error: unknown = await nothingLeft(app, { timeout: 20 }).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error === undefined) return []
  assert.ok(error instanceof SomethingLeftError)
  assert.equal(error.name, 'SomethingLeftError')
  assert.ok(error.message.startsWith('Expected nothing to be left, got:\n- '))
  return error.left.map((line) => line.replace(/ [\w-]{8,} on/, ' … on'))
}

test('nothing, before anybody has come, after all have gone, and after the app', async (t) => {
  const app = await kitApp(t, { before: manualClock })
  await app.ready()
  await nothingLeft(app)
  const peer = await connect(app)
  void peer.close(1000)
  await nothingLeft(app)
  await connect(app)
  await app.close()
  await nothingLeft(app)
})

test('a connection, and the group that it is in', async (t) => {
  const app = await kitApp(t)
  await connect(app)
  app.websocketLifecycle.group('chat').add(theSocket(app))
  assert.deepEqual(await leftOf(app), ['the connection … on /, open', 'the group chat, members: 1'])
})

test('a connection whose release hangs, and messages that are not handled', async (t) => {
  const hangs = gate()
  const app = await kitApp(t, {
    route: { onMessage: () => hangs.opened },
    handler: (socket) => socket.scope.defer(() => hangs.opened),
  })
  const peer = await connect(app)
  peer.send('one')
  peer.send('two')
  peer.send('three')
  void peer.close()
  await peer.closed
  assert.deepEqual(await leftOf(app), [
    'the connection … on /, ending: its messages, hooks or releases are not done, messages to handle: 2',
  ])
  hangs.open()
  await nothingLeft(app)
})

test('a session that waits for its client', async (t) => {
  const app = await kitApp(t)
  const resume = { key: () => 'somebody' }
  app.get('/session', { websocket: true, resume }, (_session: LifecycleSession) => {})
  const peer = await connect(app, '/session')
  assert.deepEqual(await leftOf(app), ['the session … on /session, open'])
  await peer.close()
  await nothingLeft(app)
})

test('an upgrade that is not decided', async (t) => {
  const decided = gate()
  const app = await kitApp(t, {
    before: (each) => each.addHook('preHandler', () => decided.opened),
  })
  const connecting = connect(app)
  await app.ready()
  while (!app.server.listening) await new Promise(setImmediate)
  const upgrades = 'upgrades that are not decided, or whose releases still run: 1'
  while ((await leftOf(app)).length === 0) await new Promise(setImmediate)
  assert.deepEqual(await leftOf(app), [upgrades])
  decided.open()
  await (await connecting).close()
  await nothingLeft(app)
})

test('what is ending has its time also where this process itself stands still', async (t) => {
  const app = await kitApp(t, { handler: (socket) => socket.scope.defer(() => turns(10)) })
  const peer = await connect(app)
  await peer.close()
  const nothing = nothingLeft(app, { timeout: 200 })
  stallEventLoop(300)
  await nothing
})

test('a timer of the plugin, once the app is over', async (t) => {
  const app = await kitApp(t, { before: manualClock })
  await connect(app)
  await app.close()
  const clock = clockOf(app)
  const timer = clock.setTimeout(() => {}, 1)
  assert.deepEqual(await leftOf(app), ['timers of the plugin: 1'])
  clock.clearTimeout(timer)
  await nothingLeft(app)
})
