// Others who listen for upgrades on our server: each gets its own, and our routes get theirs.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { WebsocketLifecycleOptions } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { Client, parseAnswer, refusal } from '../support/peers/client.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { portOf, serve } from '../support/servers/server.js'
import { surviveUncaught } from '../support/time/uncaught.js'
import { DESTROY_UPGRADE_TIMEOUT, isHmr, type Neighbour, NEIGHBOURS } from './support/neighbours.js'

const TIMES = ['before ours', 'after ours', 'when the app listens'] as const

interface World {
  readonly app: FastifyInstance
  readonly port: number
  /** What would have ended the process. */
  readonly uncaught: unknown[]
}

interface Setup {
  readonly neighbour?: Neighbour
  readonly when?: (typeof TIMES)[number]
  readonly options?: WebsocketLifecycleOptions
  /** The path of the route of ours. */
  readonly own?: string
}

async function serveBeside(
  t: TestContext,
  { neighbour, when = 'after ours', options = {}, own = '/own' }: Setup,
): Promise<World> {
  const uncaught = surviveUncaught(t)
  const app = await serve(t, {
    options,
    before: ({ server }) => {
      if (when === 'before ours') neighbour?.attach(server)
    },
    routes: (app) => {
      if (when === 'after ours') neighbour?.attach(app.server)
      app.get(
        own,
        {
          websocket: true,
          preValidation: async ({ query }) => {
            if (query !== null && typeof query === 'object' && 'slow' in query) {
              await delay(2 * DESTROY_UPGRADE_TIMEOUT)
            }
          },
        },
        (socket) => {
          socket.on('message', (data: Buffer) => socket.send(`own ${data.toString()}`))
        },
      )
      app.get('/page', async () => 'page')
    },
  })
  if (when === 'when the app listens') neighbour?.attach(app.server)
  return { app, port: portOf(app), uncaught }
}

async function talkToUs(port: number, path = '/own', protocols?: string[]): Promise<Client> {
  const client = await within(
    Client.open(`ws://127.0.0.1:${port}${path}`, {}, protocols),
    'our 101',
  )
  client.ws.send('hi')
  assert.equal(await within(client.next(), 'an answer'), 'own hi')
  return client
}

/** What an upgrade that nobody knows gets of each neighbour, and nothing of us. */
const OTHERS: Readonly<
  Record<Neighbour['others'], (peer: RawPeer, port: number) => Promise<void>>
> = {
  'left alone': async (peer, port) => {
    await talkToUs(port)
    assert.equal(peer.socket.bytesRead, 0)
    assert.equal(peer.hasEnded, false)
  },
  ended: async (peer) => {
    await within(peer.ended(), 'the end of the socket')
    assert.equal(peer.socket.bytesRead, 0)
  },
  refused: async (peer) => {
    assert.equal(parseAnswer(await within(peer.answer(), 'an answer')).status, 400)
  },
}

for (const [title, neighbour] of Object.entries(NEIGHBOURS)) {
  for (const when of TIMES) {
    describe(`${title}, attached ${when}`, () => {
      test('and our routes serve their own upgrades, side by side', async (t) => {
        const { app, port, uncaught } = await serveBeside(t, { neighbour, when })
        const first = await talkToUs(port)
        await neighbour.talk(port)
        await talkToUs(port, '/own?slow')
        await neighbour.talk(port)
        first.ws.send('still here')
        assert.equal(await within(first.next(), 'an answer'), 'own still here')
        const { opened, refused } = app.websocketLifecycle.stats()
        assert.equal(opened, 2)
        assert.equal(refused.route, 0)
        assert.deepEqual(uncaught, [])
      })

      test('alone says what becomes of an upgrade that nobody knows', async (t) => {
        const { app, port, uncaught } = await serveBeside(t, { neighbour, when })
        for (const path of ['/nowhere', '/page']) {
          const peer = await RawPeer.dial(port, path)
          await OTHERS[neighbour.others](peer, port)
          peer.destroy()
        }
        assert.equal(app.websocketLifecycle.stats().refused.route, 0)
        assert.deepEqual(uncaught, [])
      })

      test('still gets its upgrades while ours drains', async (t) => {
        const { app, port, uncaught } = await serveBeside(t, { neighbour, when })
        const own = await talkToUs(port)
        await within(app.websocketLifecycle.drain(), 'the drain')
        assert.equal((await own.closed).code, 1012)
        await neighbour.talk(port)
        assert.equal((await refusal(`ws://127.0.0.1:${port}/own`)).status, 503)
        assert.deepEqual(uncaught, [])
      })
    })
  }
}

describe('an upgrade that nobody knows', () => {
  test('gets our 404 where nobody else listens', async (t) => {
    const { app, port } = await serveBeside(t, {})
    assert.equal((await refusal(`ws://127.0.0.1:${port}/nowhere`)).status, 404)
    assert.equal(app.websocketLifecycle.stats().refused.route, 1)
  })

  test('gets our 404 again when who else had listened has left', async (t) => {
    const { app, port } = await serveBeside(t, {})
    const ours = new Set(app.server.listeners('upgrade'))
    NEIGHBOURS['an OCPP server']?.attach(app.server)
    const peer = await RawPeer.dial(port, '/nowhere')
    await OTHERS['left alone'](peer, port)
    for (const listener of app.server.listeners('upgrade')) {
      if (!ours.has(listener)) app.server.removeListener('upgrade', listener as () => void)
    }
    assert.equal((await refusal(`ws://127.0.0.1:${port}/nowhere`)).status, 404)
    peer.destroy()
  })
})

describe('an upgrade to a path of ours that is meant for somebody else', () => {
  const neighbour = NEIGHBOURS["a dev server's listener for its own subprotocol"]!
  const own = '/'

  test('is ours', async (t) => {
    const { port, uncaught } = await serveBeside(t, { neighbour, own })
    await talkToUs(port, own, ['vite-hmr'])
    assert.deepEqual(uncaught, [])
  })

  test('is theirs where `ignoreUpgrade` says so', async (t) => {
    const options = { keepalive: false, ignoreUpgrade: isHmr } as const
    const { app, port, uncaught } = await serveBeside(t, { neighbour, own, options })
    await neighbour.talk(port)
    assert.equal(app.websocketLifecycle.stats().opened, 0)
    await talkToUs(port, own)
    assert.deepEqual(uncaught, [])
  })
})
