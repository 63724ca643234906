// Neighbours whose connections are their own: who finds those of them that are dead, what a throw does, and how they end.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test, type TestContext } from 'node:test'
import httpProxy, { type FastifyHttpProxyOptions } from '@fastify/http-proxy'
import Fastify, { type FastifyInstance } from 'fastify'
import { Server as SocketIo } from 'socket.io'
import { io, type Socket } from 'socket.io-client'
import { type ServerOptions, WebSocketServer } from 'ws'
import websocketLifecycle from '../../lib/index.js'
import { link, type ManualClock, manualClock, type Peer } from '../../lib/testing/index.js'
import { connect } from '../support/peers/connect.js'
import { endWith } from '../support/servers/server.js'
import { within } from '../support/time/bound.js'
import { until } from '../support/time/timed.js'
import { surviveUncaught } from '../support/time/uncaught.js'

/** More than a dead peer needs to be found by the defaults of `keepalive`. In ms. */
const LONG_ENOUGH = 60_000
/** ws would wait for 30 s for the close frame of a peer that says nothing; its types do not know that option yet. */
const IMPATIENT = { closeTimeout: 200 }

interface App {
  readonly app: FastifyInstance
  readonly clock: ManualClock
}

async function serve(t: TestContext, add: (app: FastifyInstance) => unknown): Promise<App> {
  const app = Fastify()
  endWith(t, app)
  const clock = manualClock(app)
  await app.register(websocketLifecycle)
  await add(app)
  await app.listen({ host: '127.0.0.1', port: 0 })
  return { app, clock }
}

async function ask(peer: Peer): Promise<void> {
  peer.send('hi')
  assert.equal(String(await peer.next()), 'hi')
}

/** Its types do not know the hooks. */
type ProxyOptions = Partial<FastifyHttpProxyOptions> & { readonly wsHooks?: object }

/** A proxy, and behind it an app of ours that echoes. */
async function serveProxy(
  t: TestContext,
  options: ProxyOptions,
): Promise<{ behind: App; proxy: App }> {
  const behind = await serve(t, (app) =>
    app.get(
      '/',
      { websocket: true, onMessage: (socket, _request, message) => void socket.send(message) },
      () => {},
    ),
  )
  const upstream = behind.app.listeningOrigin
  const proxy = await serve(t, (app) =>
    app.register(httpProxy, { upstream, websocket: true, ...options } as FastifyHttpProxyOptions),
  )
  return { behind, proxy }
}

describe('@fastify/http-proxy', () => {
  test('answers the pings of the server behind it: who is frozen before it is found by nobody', async (t) => {
    const { behind, proxy } = await serveProxy(t, {})
    const frozen = await connect(proxy.app, '/')
    await ask(frozen)
    frozen.freeze()
    for (const { clock } of [proxy, behind]) await clock.advance(LONG_ENOUGH)
    assert.equal(behind.app.websocketLifecycle.connections.size, 1)
    assert.equal(proxy.app.websocketLifecycle.connections.size, 0)
  })

  test('leaves pings to both ends with `autoPong: false`: the server behind it finds who is frozen', async (t) => {
    const pong = { autoPong: false }
    const { behind, proxy } = await serveProxy(t, { wsServerOptions: pong, wsClientOptions: pong })
    const frozen = await connect(proxy.app, '/')
    const other = await connect(proxy.app, '/')
    for (const peer of [frozen, other]) await ask(peer)
    frozen.freeze()
    await behind.clock.advance(LONG_ENOUGH)
    assert.equal(behind.app.websocketLifecycle.stats().closed['heartbeat-timeout'], 1)
    assert.equal(behind.app.websocketLifecycle.connections.size, 1)
    await ask(other)
  })

  test('survives a throw in a hook of its own: all go on', async (t) => {
    const uncaught = surviveUncaught(t)
    let count = 0
    const onIncomingMessage = (): void => {
      if (count++ === 0) throw new Error('thrown by the app')
    }
    const { proxy } = await serveProxy(t, { wsHooks: { onIncomingMessage } })
    const first = await connect(proxy.app, '/')
    const other = await connect(proxy.app, '/')
    for (const peer of [first, other, first]) await ask(peer)
    assert.equal(count, 3)
    assert.deepEqual(uncaught, [])
  })

  test('shows its clients the 1012 of the server behind it', async (t) => {
    const { behind, proxy } = await serveProxy(t, {})
    const peer = await connect(proxy.app, '/')
    await ask(peer)
    await within(behind.app.close(), 'app.close()')
    assert.equal((await peer.closed).code, 1012)
  })
})

/** How Socket.IO is given an option of ws. */
class ImpatientServer extends WebSocketServer {
  constructor(options: ServerOptions) {
    super({ ...options, ...IMPATIENT })
  }
}

interface Talking {
  readonly app: FastifyInstance
  readonly server: SocketIo
  readonly open: () => Promise<{ client: Socket; cut: () => void }>
}

async function serveSocketIo(t: TestContext, pingTimeout = 1_500): Promise<Talking> {
  const server = new SocketIo({ pingInterval: 100, pingTimeout, wsEngine: ImpatientServer })
  const { app } = await serve(t, (app) => {
    server.attach(app.server)
    app.addHook('preClose', async () => {
      server.disconnectSockets(true)
    })
  })
  server.on('connection', (socket) => {
    socket.on('throw', () => {
      throw new Error('thrown by the app')
    })
    socket.on('say', (text: string, answer: (text: string) => void) => answer(text))
  })
  return {
    app,
    server,
    open: async () => {
      const line = await link(app)
      t.after(() => line.close())
      const options = { transports: ['websocket'], forceNew: true, reconnection: false }
      const client = io(line.url, options)
      t.after(() => void client.disconnect())
      await within(new Promise((resolve) => client.on('connect', () => resolve(undefined))), 'it')
      return { client, cut: () => line.cut() }
    },
  }
}

async function say(client: Socket): Promise<void> {
  assert.equal(await client.timeout(10_000).emitWithAck('say', 'hi'), 'hi')
}

describe('Socket.IO', () => {
  test('finds by its own pings who is frozen', async (t) => {
    const { app, server, open } = await serveSocketIo(t)
    const frozen = await open()
    const socket = server.sockets.sockets.get(frozen.client.id ?? '')
    assert.ok(socket)
    const gone = once(socket, 'disconnect')
    frozen.cut()
    assert.equal((await within(gone, 'the end'))[0], 'ping timeout')
    await say((await open()).client)
    assert.equal(app.websocketLifecycle.stats().opened, 0)
  })

  test('has no guard for its listeners: what throws there ends the process, with or without us', async (t) => {
    const uncaught = surviveUncaught(t)
    const { open } = await serveSocketIo(t)
    const { client } = await open()
    client.emit('throw')
    await until(() => uncaught.length > 0)
    assert.match(String(uncaught[0]), /thrown by the app/)
  })

  test('ends with the app, if a preClose hook ends it, also where one is frozen', async (t) => {
    // So late that it is not what ends the frozen one.
    const { app, open } = await serveSocketIo(t, LONG_ENOUGH)
    const frozen = await open()
    const other = await open()
    for (const { client } of [frozen, other]) await say(client)
    const gone = new Promise((resolve) => other.client.on('disconnect', resolve))
    frozen.cut()
    await within(app.close(), 'app.close()')
    assert.equal(await within(gone, 'its end'), 'io server disconnect')
  })
})

async function serveWs(t: TestContext): Promise<App & { sockets: WebSocketServer }> {
  const sockets = new WebSocketServer({ noServer: true, ...IMPATIENT })
  const served = await serve(t, (app) => {
    app.addHook('preClose', async () => {
      for (const socket of sockets.clients) socket.close(1012)
    })
    app.server.on('upgrade', (...upgrade) => {
      sockets.handleUpgrade(...upgrade, (socket) => {
        socket.on('message', (data: Buffer) => {
          if (data.toString() === 'throw') throw new Error('thrown by the app')
          socket.send(data)
        })
      })
    })
  })
  return { ...served, sockets }
}

describe('a ws server of the app', () => {
  test('has no heartbeat, and none of ours: who is frozen is found by nobody', async (t) => {
    const { app, clock, sockets } = await serveWs(t)
    const frozen = await connect(app, '/theirs')
    await ask(frozen)
    frozen.freeze()
    await clock.advance(LONG_ENOUGH)
    assert.deepEqual(
      [...sockets.clients].map(({ readyState }) => readyState),
      [1],
    )
  })

  test('has no guard for its listeners: what throws there ends the process', async (t) => {
    const uncaught = surviveUncaught(t)
    const { app } = await serveWs(t)
    const peer = await connect(app, '/theirs')
    peer.send('throw')
    await until(() => uncaught.length > 0)
    assert.match(String(uncaught[0]), /thrown by the app/)
  })

  test('ends with the app, if a preClose hook ends it, also where one is frozen', async (t) => {
    const { app } = await serveWs(t)
    const frozen = await connect(app, '/theirs')
    const other = await connect(app, '/theirs')
    for (const peer of [frozen, other]) await ask(peer)
    frozen.freeze()
    await within(app.close(), 'app.close()')
    assert.equal((await other.closed).code, 1012)
  })
})
