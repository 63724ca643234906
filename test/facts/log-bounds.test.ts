// However large or odd it is what we tell of: no line of ours is longer than 1 kB, and none holds a secret.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import * as fc from 'fast-check'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { LifecycleSocket, RouteLifecycleOptions } from '../../lib/index.js'
import { until } from '../support/time/timed.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { never } from '../support/time/gate.js'
import { hostileError, hostileText, hostileValue, SECRET } from '../support/peers/hostile.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { withoutRequests } from '../support/servers/request-log.js'
import { portOf, serve } from '../support/servers/server.js'
import { Stranger } from '../support/peers/stranger.js'

const { frame } = RawPeer

/** Patterns as long as an app may have them; the secret stands where the parameter is. */
const PATTERNS = ['/a/:token', `/${'b'.repeat(600)}/:token`, `/${'ü'.repeat(200)}/:token`]

/** What one case throws, gives and is called, and what the callbacks of the app do with it. */
interface Hostile {
  readonly error: Error
  readonly value: unknown
  readonly text: string
  readonly pattern: string
}

interface Served {
  readonly app: FastifyInstance
  readonly clock: FakeClock
  readonly port: number
  readonly lines: string[]
  /** What the handlers and hooks of the next connection do. */
  does: {
    handler?: (socket: LifecycleSocket) => unknown
    hook?: (request: FastifyRequest, reply: FastifyReply) => unknown
  }
}

type Options = RouteLifecycleOptions & RouteShorthandOptions

/** As long as what pino adds by itself can be. */
const base = { pid: 4_194_304, hostname: 'h'.repeat(64) }

async function serveAll(t: TestContext): Promise<Served> {
  const lines: string[] = []
  const clock = new FakeClock()
  const does: Served['does'] = {}
  const app = await serve(t, {
    clock,
    fastify: {
      logger: { level: 'trace', base, stream: { write: (line: string) => lines.push(line) } },
      ...withoutRequests(() => true),
    },
    options: { keepalive: false, cleanupTimeout: 100, handshakeTimeout: 5_000 },
    before: (app) => {
      app.addHook('onRequest', async (request, reply) =>
        request.headers['x-early'] === undefined ? undefined : does.hook?.(request, reply),
      )
    },
    routes: (app) => {
      app.setErrorHandler(async (_error, _request, reply) => reply.code(500).send('failed'))
      app.setNotFoundHandler(async (_request, reply) => reply.code(404).send('nowhere'))
      const schema = { message: { type: 'object', additionalProperties: { type: 'number' } } }
      const routes: Readonly<Record<string, Options>> = {
        ws: { preHandler: async (request, reply) => does.hook?.(request, reply) },
        valid: { schema, onMessage: () => {} },
        strict: {
          schema,
          onMessage: () => {},
          onInvalidMessage: (socket, _request, error) => {
            if (socket.request.headers['x-wrap'] === 'yes') {
              throw new Error('of the app', { cause: error })
            }
            throw error
          },
        },
        limit: { maxConnections: 0 },
        key: { maxConnectionsPerKey: { max: 0, key: () => SECRET } },
        slow: { preHandler: async () => never },
      }
      for (const pattern of PATTERNS) {
        for (const [name, options] of Object.entries(routes)) {
          app.get(`/${name}${pattern}`, { ...options, websocket: true }, async (socket) =>
            does.handler?.(socket),
          )
        }
        app.get(`/http${pattern}`, async () => 'http')
      }
    },
  })
  await app.ready()
  lines.length = 0
  return { app, clock, port: portOf(app), lines, does }
}

/** A path of a route, with the secret as its parameter and in its query. */
function pathOf(name: string, pattern: string): string {
  return `${encodeURI(`/${name}${pattern.replace(':token', SECRET)}`)}?token=${SECRET}`
}

async function open(
  { port }: Served,
  name: string,
  pattern: string,
  headers: Record<string, string> = {},
): Promise<RawPeer> {
  return RawPeer.open(port, pathOf(name, pattern), headers)
}

async function knock(
  { port }: Served,
  path: string,
  headers: Record<string, string> = {},
): Promise<Stranger> {
  return Stranger.dial(port, path, headers)
}

const named = (name: string, run: () => unknown): (() => unknown) =>
  Object.defineProperty(run, 'name', { value: name })

/** As HTTP takes it in a header. */
const asHeader = (text: string): string =>
  text
    .replaceAll(/[^ -~\u00a0-\u00ff]/g, '"')
    .trim()
    .slice(0, 3_000)

/** What makes us write each of our lines, with a socket left to be ended. */
const LINES: Readonly<
  Record<string, Readonly<Record<string, (served: Served, hostile: Hostile) => Promise<RawPeer>>>>
> = {
  'a callback of a WebSocket connection failed': {
    'of the handler': async (served, { error, pattern }) => {
      served.does.handler = () => Promise.reject(error)
      return open(served, 'ws', pattern)
    },
    'of a release with a name': async (served, { error, text, pattern }) => {
      served.does.handler = (socket) => {
        socket.scope.defer(named(text, () => Promise.reject(error)))
        socket.terminate()
      }
      return open(served, 'ws', pattern)
    },
    'where a message is given for a moment': async (served, { value, pattern }) => {
      served.does.handler = (socket) => socket.expireAt(value as number)
      return open(served, 'ws', pattern)
    },
    'of onInvalidMessage, which throws what it got': async (served, { text, pattern }) => {
      const peer = await open(served, 'strict', pattern)
      peer.send(frame(OPCODE.text, JSON.stringify({ [`${SECRET}${text}`]: SECRET })))
      return peer
    },
    'of onInvalidMessage, which throws it as a cause': async (served, { text, pattern }) => {
      const peer = await open(served, 'strict', pattern, { 'x-wrap': 'yes' })
      peer.send(frame(OPCODE.text, JSON.stringify({ [`${text}${SECRET}`]: SECRET })))
      return peer
    },
  },
  'WebSocket connection ended': {
    'by a message that its schema does not take': async (served, { text, pattern }) => {
      const peer = await open(served, 'valid', pattern)
      peer.send(frame(OPCODE.text, JSON.stringify({ [`${SECRET}${text}`]: SECRET })))
      return peer
    },
    'by a close frame': async (served, { pattern }) => {
      const peer = await open(served, 'ws', pattern)
      peer.send(RawPeer.closeFrame(4000, SECRET))
      return peer
    },
  },
  'close() got a code that may not be sent; 1000 was sent': {
    'whatever it is': async (served, { value, text, pattern }) => {
      served.does.handler = (socket) => socket.close(value as number, text)
      return open(served, 'ws', pattern)
    },
  },
  'refuseWebsocket() got a code that may not be sent; 3000 was': {
    'whatever it is': async (served, { value, text, pattern }) => {
      served.does.hook = (_request, reply) => reply.refuseWebsocket(value as number, text)
      return (await knock(served, pathOf('ws', pattern))).peer
    },
  },
  'WebSocket upgrade refused': {
    'for its origin': async (served, { text, pattern }) => {
      const headers = { origin: `https://${asHeader(text)}`, host: `h${asHeader(text)}` }
      return (await knock(served, pathOf('ws', pattern), headers)).peer
    },
    'for a limit': async (served, { pattern }) =>
      (await knock(served, pathOf('limit', pattern))).peer,
    'for a limit by key': async (served, { pattern }) =>
      (await knock(served, pathOf('key', pattern))).peer,
    'of a route without WebSocket': async (served, { pattern }) =>
      (await knock(served, pathOf('http', pattern))).peer,
    'of a path that is no route': async (served, { text }) => {
      const path = `/nowhere/${encodeURI(Buffer.from(text.slice(0, 500)).toString())}?token=${SECRET}`
      return (await knock(served, path)).peer
    },
    'by a hook': async (served, { text, pattern }) => {
      served.does.hook = (_request, reply) => reply.refuseWebsocket(4001, text)
      return (await knock(served, pathOf('ws', pattern))).peer
    },
    'by a hook that was added before the plugin': async (served, { text, pattern }) => {
      served.does.hook = (_request, reply) => reply.refuseWebsocket(4001, text)
      return (await knock(served, pathOf('limit', pattern), { 'x-early': 'yes' })).peer
    },
    'because it takes too long': async (served, { pattern }) =>
      (await knock(served, pathOf('slow', pattern))).peer,
    'because a hook that was added before the plugin takes too long': async (
      served,
      { pattern },
    ) => {
      served.does.hook = async () => never
      return (await knock(served, pathOf('limit', pattern), { 'x-early': 'yes' })).peer
    },
  },
  'a callback of a WebSocket upgrade failed': {
    'of a release': async (served, { error, text, pattern }) => {
      served.does.hook = (request, reply) => {
        request.wsScope?.defer(named(text, () => Promise.reject(error)))
        return reply.code(401).send('who are you')
      }
      return (await knock(served, pathOf('ws', pattern))).peer
    },
    'of a release from before the plugin': async (served, { error, text, pattern }) => {
      served.does.hook = (request, reply) => {
        request.wsScope?.defer(named(text, () => Promise.reject(error)))
        return reply.code(401).send('who are you')
      }
      return (await knock(served, pathOf('ws', pattern), { 'x-early': 'yes' })).peer
    },
  },
  'a step of the end of a WebSocket connection overran and was left behind': {
    'of a release': async (served, { text, pattern }) => {
      served.does.handler = (socket) => {
        socket.scope.defer(named(text, async () => never))
        socket.terminate()
      }
      return open(served, 'ws', pattern)
    },
  },
  'a step that was left behind has failed': {
    'of a release': async (served, { error, text, pattern }) => {
      served.does.handler = (socket) => {
        const late = new Promise((_resolve, reject) => {
          served.clock.setTimeout(() => reject(error), 200)
        })
        socket.scope.defer(named(text, async () => late))
        socket.terminate()
      }
      return open(served, 'ws', pattern)
    },
  },
}

const hostile: fc.Arbitrary<Hostile> = fc.record({
  error: hostileError,
  value: hostileValue,
  text: hostileText,
  pattern: fc.constantFrom(...PATTERNS),
})

/** These are written once for a route. */
const ONCE = [
  'messages have waited for 100 ms, because the handler of a WebSocket route has not settled',
  'a message was discarded: the WebSocket route has no onMessage, and its handler has settled without a listener for messages',
]
const DRAINED = 'all WebSocket connections have ended'
const HISTORY = 'the last facts of a WebSocket connection'
const OURS = new Set([...Object.keys(LINES), ...ONCE, DRAINED, HISTORY])

/** Lets time pass until a line says that. */
async function told({ clock, lines }: Served, text: string): Promise<void> {
  const isTold = (): boolean => lines.some((line) => line.includes(JSON.stringify(text)))
  for (let i = 0; i < 500 && !isTold(); i++) await clock.advance(200)
  assert.ok(isTold(), text)
}

function assertBounded(lines: readonly string[]): void {
  for (const line of lines) {
    const { msg } = JSON.parse(line) as { msg: string }
    assert.ok(OURS.has(msg), line)
    assert.ok(Buffer.byteLength(line) <= 1_024, `${Buffer.byteLength(line)} bytes: ${line}`)
    assert.ok(!line.includes(SECRET), line)
  }
}

describe('bounded, and without a secret, is', () => {
  for (const [text, ways] of Object.entries(LINES)) {
    describe(`the line "${text}"`, () => {
      for (const [how, provoke] of Object.entries(ways)) {
        test(how, async (t) => {
          const served = await serveAll(t)
          await fc.assert(
            fc.asyncProperty(hostile, async (one) => {
              delete served.does.handler
              delete served.does.hook
              // Refusals have ten lines in ten seconds.
              await served.clock.advance(10_000)
              served.lines.length = 0
              const peer = await provoke(served, one)
              await told(served, text)
              peer.destroy()
              const { connections } = served.app.websocketLifecycle
              for (let i = 0; i < 500 && connections.size > 0; i++) await served.clock.advance(200)
              assertBounded(served.lines)
            }),
            { numRuns: 15 },
          )
        })
      }
    })
  }
})

describe('a line is bounded, and holds no secret,', () => {
  for (const [i, pattern] of PATTERNS.entries()) {
    test(`that is written once for a route (${i})`, async (t) => {
      const served = await serveAll(t)
      const [waited, discarded] = ONCE as [string, string]
      const first = await open(served, 'ws', pattern)
      first.send(frame(OPCODE.text, SECRET))
      await told(served, discarded)
      served.does.handler = async () => never
      const second = await open(served, 'ws', pattern)
      second.send(frame(OPCODE.text, SECRET))
      await told(served, waited)
      first.destroy()
      second.destroy()
      const sockets = [...served.app.websocketLifecycle.connections]
      await until(() => sockets.every(({ readyState, CLOSED }) => readyState === CLOSED))
      assertBounded(served.lines)
    })
  }

  test('that tells of a drain which leaves a hundred steps behind, and of who comes then', async (t) => {
    const served = await serveAll(t)
    const peers: RawPeer[] = []
    for (let i = 0; i < 100; i++) {
      served.does.handler = (socket) => {
        socket.scope.defer(named('n'.repeat(1_000), async () => never))
      }
      const peer = await open(served, 'ws', PATTERNS[i % PATTERNS.length] as string)
      void peer.nextOf(OPCODE.close).then(() => peer.send(RawPeer.closeFrame(1012)))
      peers.push(peer)
    }
    const drained = served.app.websocketLifecycle.drain()
    const late = await knock(served, pathOf('ws', '/a/:token'))
    await told(served, 'WebSocket upgrade refused')
    await told(served, DRAINED)
    assert.equal((await drained).abandoned.length, 100)
    const lines = served.lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    assert.equal(lines.find(({ msg }) => msg === DRAINED)?.['abandoned'], 100)
    const refusal = lines.find(({ reason }) => reason === 'draining') ?? {}
    assert.equal('route' in refusal, false)
    assertBounded(served.lines)
    for (const peer of [...peers, late.peer]) peer.destroy()
  })
})

test('an answer of expiresAt that is no moment is shown to nobody', async (t) => {
  const lines: string[] = []
  const app = await serve(t, {
    fastify: { logger: { stream: { write: (line: string) => lines.push(line) } } },
    routes: (app) => {
      app.get('/', { websocket: true, expiresAt: () => SECRET as unknown as Date }, () => {})
    },
  })
  const stranger = await Stranger.dial(portOf(app))
  assert.match(await stranger.all(), /^HTTP\/1\.1 500 .*got string/s)
  assert.ok(!stranger.bytes.includes(SECRET))
  assert.ok(!lines.join('').includes(SECRET))
})
