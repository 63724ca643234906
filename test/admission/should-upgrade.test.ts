// Node 24.9 and later ask a server whether a request is an upgrade for it, before they read its body. Others do not ask;
// there the tests put the function at its place, and ask as node does.
import assert from 'node:assert/strict'
import { type IncomingMessage, Server } from 'node:http'
import { test, type TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import type { WebsocketLifecycleOptions } from '../../lib/index.js'
import { portOf, serve } from '../support/servers/server.js'
import { RawPeer } from '../support/peers/raw-peer.js'

type Ask = (message: Pick<IncomingMessage, 'headers' | 'url' | 'method'>) => boolean

interface Asked {
  readonly app: FastifyInstance
  readonly ask: Ask
}

/** @param earlier what the server was told before the plugin */
async function asked(
  t: TestContext,
  earlier: () => boolean,
  options: WebsocketLifecycleOptions = {},
): Promise<Asked> {
  const app = await serve(t, {
    options,
    before: ({ server }) => Reflect.set(server, 'shouldUpgradeCallback', earlier),
    routes: (app) => void app.get('/ws', { websocket: true }, () => {}),
  })
  const ask: Ask = (message) => Reflect.get(app.server, 'shouldUpgradeCallback')(message) as boolean
  return { app, ask }
}

const offers = (upgrade: string): Parameters<Ask>[0] => ({
  headers: { upgrade, connection: 'upgrade' },
  url: '/ws',
  method: 'GET',
})

test('only what asks for a WebSocket is an upgrade', async (t) => {
  const { ask } = await asked(t, () => true)
  assert.deepEqual([ask(offers('websocket')), ask(offers('h2c'))], [true, false])
})

test('what somebody else has declined is none', async (t) => {
  const { ask } = await asked(t, () => false)
  assert.equal(ask(offers('websocket')), false)
})

test('where others listen, each is an upgrade: it may be theirs', async (t) => {
  const { app, ask } = await asked(t, () => true)
  app.server.on('upgrade', (_message, raw) => raw.destroy())
  assert.equal(ask(offers('h2c')), true)
})

test('the app is asked once whether to ignore an upgrade', async (t) => {
  let times = 0
  const { app } = await asked(t, () => true, {
    ignoreUpgrade: () => {
      times++
      return false
    },
  })
  // As node does where it asks: with the message that it tells of later.
  const emit = app.server.emit.bind(app.server)
  app.server.emit = (...event: unknown[]): boolean => {
    if (event[0] === 'upgrade') Reflect.get(app.server, 'shouldUpgradeCallback')(event[1])
    return Reflect.apply(emit, undefined, event) as boolean
  }
  await RawPeer.open(portOf(app), '/ws')
  assert.equal(times, 1)
})

const always = (): boolean => true

test('the server is as before once the app is closed', async (t) => {
  const { app } = await asked(t, always)
  await app.close()
  assert.equal(Reflect.get(app.server, 'shouldUpgradeCallback'), always)
})

test('what somebody put at its place later stays', async (t) => {
  const { app } = await asked(t, () => true)
  Reflect.set(app.server, 'shouldUpgradeCallback', always)
  await app.close()
  assert.equal(Reflect.get(app.server, 'shouldUpgradeCallback'), always)
})

test('servers of older versions are left as they are', async (t) => {
  const has = 'shouldUpgradeCallback' in new Server()
  const app = await serve(t, {})
  assert.equal('shouldUpgradeCallback' in app.server, has)
})
