// `refuse: 'close-frame'`: what it is for, what stays HTTP, and what such a refusal holds.
import assert from 'node:assert/strict'
import { connect as connectTls } from 'node:tls'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import type { FastifyRequest } from 'fastify'
import { connect } from '../support/peers/connect.js'
import { untilEnd } from '../support/peers/heard.js'
import { DEFLATE, OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { within } from '../support/time/bound.js'
import { refusal } from '../support/peers/client.js'
import { turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { logLines } from '../support/servers/log-lines.js'
import { refused } from '../support/servers/refused.js'
import { assertNoneLeft, FOREIGN, occupy, serveFrames } from '../support/servers/refusing.js'
import {
  assertAnswered,
  assertClosedAtOnce,
  assertTurnedAway,
  Stranger,
} from '../support/peers/stranger.js'
import { until } from '../support/time/timed.js'
import { cert, key } from '../support/servers/tls.js'

const byUser = (request: FastifyRequest): string => String(request.headers['x-user'])
const ws = (port: number, path = '/ws'): string => `ws://127.0.0.1:${port}${path}`

describe('a refusal by a close frame', () => {
  test('is 3003 for the origin; no hook of the route runs', async (t) => {
    const served = await serveFrames(t)
    const client = await connect(served.app, '/ws', { headers: FOREIGN })
    assert.deepEqual(await untilEnd(client), ['close 3003 origin'])
    await assertNoneLeft(served, { origin: 1 })
  })

  test('is 1013 for the limit of the server; no hook of the route runs', async (t) => {
    const served = await serveFrames(t, { options: { maxConnections: 1 } })
    await occupy(served)
    await assertClosedAtOnce(await Stranger.dial(served.port, '/ws'), 1013)
    assert.deepEqual(served.events, [])
    assert.deepEqual(served.app.websocketLifecycle.stats().refused, refused({ limit: 1 }))
  })

  test('is 1013 for the limit of the route; no hook of the route runs', async (t) => {
    const served = await serveFrames(t, { route: { maxConnections: 1 } })
    await occupy(served)
    await assertClosedAtOnce(await Stranger.dial(served.port, '/ws'), 1013)
    assert.deepEqual(served.events, [])
    assert.deepEqual(served.app.websocketLifecycle.stats().refused, refused({ limit: 1 }))
  })

  test('is 4429, which is not retryable, for the limit by key, after the hooks of the route', async (t) => {
    const served = await serveFrames(t, { options: { maxConnectionsPerKey: { max: 1 } } })
    await occupy(served)
    await assertClosedAtOnce(await Stranger.dial(served.port, '/ws'), 4429)
    assert.deepEqual(served.events, ['hook'])
    assert.deepEqual(served.app.websocketLifecycle.stats().refused, refused({ key: 1 }))
  })

  test('is so where the origin, the credentials and the key are found out later', async (t) => {
    const served = await serveFrames(t, {
      route: {
        allowedOrigins: async (origin) => {
          await turns(2)
          return origin !== FOREIGN.origin
        },
        expiresAt: async () => turns(2).then(() => undefined),
        maxConnectionsPerKey: { max: 1 },
      },
    })
    await occupy(served)
    await assertClosedAtOnce(await Stranger.dial(served.port, '/ws', FOREIGN), 3003)
    await assertClosedAtOnce(await Stranger.dial(served.port, '/ws'), 4429)
    assert.deepEqual(served.app.websocketLifecycle.stats().refused, refused({ origin: 1, key: 1 }))
  })

  test("is what the route says, whatever the plugin's option is", async (t) => {
    const served = await serveFrames(t, {
      options: { refuse: 'http' },
      route: { refuse: 'close-frame' },
      routes: (app) => app.get('/other', { websocket: true }, () => {}),
    })
    await assertClosedAtOnce(await Stranger.dial(served.port, '/ws', FOREIGN), 3003)
    await assertAnswered(await Stranger.dial(served.port, '/other', FOREIGN), 403, /ORIGIN/)
    await assertNoneLeft(served, { origin: 2 })
  })

  test('is HTTP on a route that says so', async (t) => {
    const served = await serveFrames(t, { route: { refuse: 'http', maxConnections: 1 } })
    await assertAnswered(await Stranger.dial(served.port, '/ws', FOREIGN), 403, /ORIGIN/)
    await occupy(served)
    const { status, headers } = await refusal(ws(served.port))
    assert.equal(status, 503)
    assert.match(String(headers['retry-after']), /^\d+$/)
  })

  test('comes through injectWS too, and is over at once: the clock does not have to move', async (t) => {
    const served = await serveFrames(t)
    const socket = await served.app.injectWS('/ws', { headers: FOREIGN })
    const [code] = (await once(socket, 'close')) as [number]
    assert.equal(code, 3003)
    await assertNoneLeft(served, { origin: 1 })
  })

  test('comes over TLS too', async (t) => {
    const served = await serveFrames(t, {
      fastify: { https: { key, cert } } as object,
      options: { allowedOrigins: [] },
    })
    const socket = connectTls({
      port: served.port,
      host: '127.0.0.1',
      ca: cert,
      servername: 'localhost',
    })
    await once(socket, 'secureConnect')
    const peer = await RawPeer.over(socket, served.port, '/ws', { origin: 'https://localhost' })
    const frame = await peer.next()
    assert.equal(frame?.opcode, OPCODE.close)
    assert.equal(frame?.payload.readUInt16BE(), 3003)
    await served.clock.advance(1_200)
    await within(peer.ended(), 'the end of the socket')
    await assertNoneLeft(served, { origin: 1 })
  })

  test('is no connection: it opens nothing, and is in no set of ours', async (t) => {
    const served = await serveFrames(t)
    const heard: unknown[] = []
    served.app.websocketServer.on('connection', (socket) => heard.push(socket))
    await assertTurnedAway(await Stranger.dial(served.port, '/ws', FOREIGN), 3003)
    const { open, opened, closed } = served.app.websocketLifecycle.stats()
    assert.deepEqual({ open, opened }, { open: 0, opened: 0 })
    assert.deepEqual(new Set(Object.values(closed)), new Set([0]))
    assert.equal(served.app.websocketLifecycle.connections.size, 0)
    assert.deepEqual(heard, [])
    await served.clock.advance(1_200)
    await assertNoneLeft(served, { origin: 1 })
  })

  test('ends the scope of a hook that was added before the plugin, when the socket is gone', async (t) => {
    const told: string[] = []
    const served = await serveFrames(t, {
      before: (app) =>
        app.addHook('onRequest', async ({ wsScope }) => {
          wsScope?.signal.addEventListener('abort', () => told.push('abort'))
          wsScope?.defer(() => told.push('release'))
        }),
    })
    const stranger = await Stranger.dial(served.port, '/ws', FOREIGN)
    await assertTurnedAway(stranger, 3003)
    assert.deepEqual(told, [])
    stranger.peer.send(RawPeer.closeFrame(3003))
    await assertNoneLeft(served, { origin: 1 })
    assert.deepEqual(told, ['abort', 'release'])
  })

  test('holds no place: one that leaves makes room, however many refused ones still hang', async (t) => {
    const served = await serveFrames(t, {
      options: { maxConnections: 1 },
      route: { maxConnections: 1, maxConnectionsPerKey: { max: 1 } },
    })
    const first = await occupy(served)
    for (let i = 0; i < 30; i++) {
      await assertTurnedAway(await Stranger.dial(served.port, '/ws'), 1013)
    }
    await first.close()
    await until(() => served.app.websocketLifecycle.stats().open === 0)
    assert.equal(served.sockets.size, 30)
    await occupy(served)
    assert.equal(served.app.websocketLifecycle.stats().opened, 2)
    await served.clock.advance(1_200)
    await until(() => served.sockets.size === 1)
    await assertClosedAtOnce(await Stranger.dial(served.port, '/ws'), 1013)
  })

  test('gives back what it took of the limits that had room', async (t) => {
    const served = await serveFrames(t, {
      options: { maxConnections: 2 },
      route: { maxConnectionsPerKey: { max: 1, key: byUser } },
      routes: (app) => app.get('/full', { websocket: true, maxConnections: 0 }, () => {}),
    })
    const dial = async (user: string, path = '/ws'): Promise<Stranger> =>
      Stranger.dial(served.port, path, { 'x-user': user })
    assert.match(await (await dial('one')).head(), / 101 /)
    await until(() => served.events.includes('handler'))
    for (let i = 0; i < 5; i++) {
      await assertTurnedAway(await dial('one'), 4429)
      await assertTurnedAway(await dial('one', '/full'), 1013)
    }
    assert.match(await (await dial('two')).head(), / 101 /)
    await until(() => served.app.websocketLifecycle.connections.size === 2)
    await assertTurnedAway(await dial('three'), 1013)
    const { refused: counted } = served.app.websocketLifecycle.stats()
    assert.deepEqual(counted, refused({ key: 5, limit: 6 }))
  })
})

describe('an error handler of the app', () => {
  test('may close at once what we have refused by HTTP: it counts once, and holds no place', async (t) => {
    const served = await serveFrames(t, {
      options: { refuse: 'http', maxConnections: 1 },
      routes: (app) => {
        app.setErrorHandler((error: Error & { code?: string }, _request, reply) =>
          reply.refuseWebsocket(error.code === 'FST_ERR_WSL_ORIGIN' ? 4403 : 4503, 'as it says'),
        )
      },
    })
    await assertClosedAtOnce(await Stranger.dial(served.port, '/ws', FOREIGN), 4403, 'as it says')
    await occupy(served)
    await assertClosedAtOnce(await Stranger.dial(served.port, '/ws'), 4503, 'as it says')
    const { refused: counted, opened } = served.app.websocketLifecycle.stats()
    assert.deepEqual(counted, refused({ origin: 1, limit: 1 }))
    assert.equal(opened, 1)
  })
})

describe('a refusal that is none of those stays HTTP', () => {
  test('while draining', async (t) => {
    const served = await serveFrames(t)
    await served.app.websocketLifecycle.drain()
    await assertAnswered(await Stranger.dial(served.port, '/ws', FOREIGN), 503, /DRAINING/)
    await assertNoneLeft(served, { draining: 1 })
  })

  for (const path of ['/http', '/nowhere']) {
    test(`on ${path}`, async (t) => {
      const served = await serveFrames(t)
      await assertAnswered(await Stranger.dial(served.port, path, FOREIGN), 404)
      await assertNoneLeft(served, { route: 1 })
    })
  }

  test('where the handshake takes too long', async (t) => {
    const slow = gate()
    const began = gate()
    const served = await serveFrames(t, {
      options: { handshakeTimeout: 500 },
      route: {
        allowedOrigins: async () => {
          began.open()
          await slow.opened
          return false
        },
      },
    })
    const stranger = await Stranger.dial(served.port, '/ws', FOREIGN)
    await began.opened
    await served.clock.advance(600)
    slow.open()
    await assertAnswered(stranger, 503, /HANDSHAKE_TIMEOUT/)
    await assertNoneLeft(served, { handshake: 1 })
  })

  test('where the credentials have expired', async (t) => {
    const served = await serveFrames(t, { route: { expiresAt: () => 1e12 } })
    await assertAnswered(await Stranger.dial(served.port, '/ws'), 401, /CREDENTIALS_EXPIRED/)
    served.events.length = 0
    await assertNoneLeft(served, {})
  })

  test('where a hook answers or fails', async (t) => {
    const served = await serveFrames(t, {
      routes: (app) => {
        app.addHook('onRequest', async ({ headers }, reply) => {
          if (headers['x-fail'] === 'yes') throw new Error('no')
          return reply.code(401).send('who?')
        })
      },
    })
    await assertAnswered(await Stranger.dial(served.port, '/ws'), 401, /^who\?$/)
    await assertAnswered(await Stranger.dial(served.port, '/ws', { 'x-fail': 'yes' }), 500)
    await assertNoneLeft(served, {})
  })
})

function throwing(): never {
  throw new Error('of the app')
}

describe('what ws has to say to a handshake that is to be closed at once', () => {
  const BAD: ReadonlyArray<[title: string, headers: Record<string, string>, body: RegExp]> = [
    ['a bad key', { 'sec-websocket-key': 'garbage' }, /Sec-WebSocket-Key/],
    ['a version that nobody speaks', { 'sec-websocket-version': '99' }, /Sec-WebSocket-Version/],
    ['bad subprotocols', { 'sec-websocket-protocol': ',,,' }, /Sec-WebSocket-Protocol/],
  ]
  for (const [title, headers, body] of BAD) {
    test(`${title}: gets its 400`, async (t) => {
      const served = await serveFrames(t)
      const stranger = await Stranger.dial(served.port, '/ws', { ...FOREIGN, ...headers })
      const bytes = await assertAnswered(stranger, 400, body)
      assert.equal(/^Sec-WebSocket-Version: 13, 8\r$/m.test(bytes), title.includes('version'))
      await assertNoneLeft(served, { origin: 1 })
    })
  }

  test('a subprotocol: is agreed on, as on any other handshake', async (t) => {
    const served = await serveFrames(t)
    const client = await connect(served.app, '/ws', {
      headers: FOREIGN,
      protocols: ['chat', 'other'],
    })
    assert.equal(client.protocol, 'chat')
    assert.equal((await client.closed).code, 3003)
    await assertNoneLeft(served, { origin: 1 })
  })

  test('compression: is agreed on, and the close frame is not compressed', async (t) => {
    const served = await serveFrames(t, { options: { websocket: { perMessageDeflate: true } } })
    const stranger = await Stranger.dial(served.port, '/ws', { ...FOREIGN, ...DEFLATE })
    assert.match(await stranger.head(), /Sec-WebSocket-Extensions: permessage-deflate/)
    await assertClosedAtOnce(stranger, 3003)
    await assertNoneLeft(served, { origin: 1 })
  })

  test('a verifyClient that says no: gets its 401', async (t) => {
    const served = await serveFrames(t, { options: { websocket: { verifyClient: () => false } } })
    await assertAnswered(await Stranger.dial(served.port, '/ws', FOREIGN), 401)
    await assertNoneLeft(served, { origin: 1 })
  })

  test('a verifyClient that takes its time: is waited for, for a closeTimeout', async (t) => {
    const asked: Array<(isWelcome: boolean) => void> = []
    const verifyClient = (_info: unknown, done: (isWelcome: boolean) => void): void =>
      void asked.push(done)
    const served = await serveFrames(t, { options: { websocket: { verifyClient } } })
    const first = await Stranger.dial(served.port, '/ws', FOREIGN)
    await until(() => asked.length === 1)
    asked[0]?.(true)
    await assertClosedAtOnce(first, 3003)
    const second = await Stranger.dial(served.port, '/ws', FOREIGN)
    await until(() => asked.length === 2)
    await served.clock.advance(1_200)
    assert.equal(await second.all(), '')
    asked[1]?.(true)
    await assertNoneLeft(served, { origin: 2 })
  })

  for (const name of ['verifyClient', 'handleProtocols']) {
    test(`a ${name} that throws: ends the socket at once, and is logged`, async (t) => {
      const { lines, fastify } = logLines()
      const served = await serveFrames(t, { fastify, options: { websocket: { [name]: throwing } } })
      const headers = { ...FOREIGN, 'sec-websocket-protocol': 'chat' }
      assert.equal(await (await Stranger.dial(served.port, '/ws', headers)).all(), '')
      assert.ok(lines.some((line) => JSON.stringify(line).includes('of the app')))
      await assertNoneLeft(served, { origin: 1 })
    })
  }
})
