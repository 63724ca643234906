// What hooks have set on the reply is sent with the 101.
import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { describe, test, type TestContext } from 'node:test'
import fastifyCookie from '@fastify/cookie'
import fastifyWebsocket from '@fastify/websocket'
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type onRequestHookHandler,
} from 'fastify'
import type { WebsocketLifecycleOptions } from '../../lib/index.js'
import { connect } from '../support/peers/connect.js'
import { endWith } from '../support/servers/app.js'
import { within } from '../support/time/bound.js'
import { parseAnswer } from '../support/peers/client.js'
import { logLines } from '../support/servers/log-lines.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { portOf, serve } from '../support/servers/server.js'
import { isTlsPass } from '../support/servers/tls-pass.js'

type Set = (reply: FastifyReply, request: FastifyRequest) => unknown

interface Setup {
  readonly options?: WebsocketLifecycleOptions
  /** In a hook that was added before the plugin. */
  readonly before?: Set
  /** In the last hook before the handshake. */
  readonly set?: Set
}

async function start(t: TestContext, { options, before, set }: Setup): Promise<FastifyInstance> {
  return serve(t, {
    ...(options && { options }),
    before: async (app) => {
      await app.register(fastifyCookie, { secret: 'not much of a secret' })
      app.addHook('onRequest', hook(before))
    },
    routes: (app) => {
      app.addHook('preHandler', hook(set))
      app.get('/', { websocket: true }, (socket) => socket.send('open'))
    },
  })
}

/** With a callback: a reply that an async hook returns, or awaits, is one that answers. */
function hook(set: Set | undefined): onRequestHookHandler {
  return (request, reply, done) => {
    set?.(reply, request)
    if (!reply.sent) done()
  }
}

const setSome: Set = (reply) => {
  reply.header('x-a', 'é')
  reply.setCookie('a', '1', { path: '/', domain: 'app.example' }).setCookie('b', '2')
}

/** Only for whom it is to go wrong. */
function ifWrong(set: Set): Set {
  return (reply, request) => request.headers['x-wrong'] === undefined || set(reply, request)
}

/** The lines of the answer, but for those of ws's own. */
async function linesOf(app: FastifyInstance, path = '/'): Promise<string[]> {
  const peer = await RawPeer.dial(portOf(app), path)
  const answer = await within(peer.answer(), 'an answer')
  assert.ok(answer.startsWith('HTTP/1.1 101'), answer)
  const OURS =
    /^(?:HTTP\/1\.1 101 |Upgrade: websocket$|Connection: Upgrade$|Sec-WebSocket-Accept: )/
  const lines = answer.trimEnd().split('\r\n')
  assert.equal(lines.filter((line) => OURS.test(line)).length, 4, answer)
  // What follows is a message, and nothing of a header.
  assert.equal((await peer.nextOf(OPCODE.text))?.payload.toString(), 'open')
  peer.destroy()
  return lines.filter((line) => !OURS.test(line))
}

describe('the 101', () => {
  test('has what hooks have set, before the plugin and after it', async (t) => {
    const app = await start(t, {
      before: (reply) => reply.header('X-Before', 'one'),
      set: (reply) => {
        reply.headers({ 'x-a': 'two', 'x-number': 3, 'x-list': ['a', 'b'] })
        reply.raw.setHeader('X-Raw', 'four')
      },
    })
    assert.deepEqual((await linesOf(app)).toSorted(), [
      'x-a: two',
      'x-before: one',
      'x-list: a',
      'x-list: b',
      'x-number: 3',
      'x-raw: four',
    ])
  })

  test('has nothing where nothing was set, or it was taken back', async (t) => {
    const app = await start(t, {
      set: (reply) => {
        reply.header('x-a', 'one').removeHeader('x-a')
        reply.header('x-undefined', undefined)
        reply.headers({ 'x-none': undefined })
      },
    })
    assert.deepEqual(await linesOf(app), ['x-undefined: ', 'x-none:'])
    assert.deepEqual(await linesOf(await start(t, {})), [])
  })

  test('never has a header of the handshake, nor one of a body', async (t) => {
    const never = [
      'Content-Type',
      'content-length',
      'CONTENT-ENCODING',
      'content-security-policy',
      'Transfer-Encoding',
      'connection',
      'Upgrade',
      'Sec-WebSocket-Accept',
      'sec-websocket-protocol',
      'SEC-WEBSOCKET-EXTENSIONS',
    ]
    const app = await start(t, {
      set: (reply) => {
        for (const name of never) reply.header(name, '1')
        reply.raw.setHeader('Sec-WebSocket-Version', '8')
        reply.header('x-content-type', 'kept')
      },
    })
    assert.deepEqual(await linesOf(app), ['x-content-type: kept'])
  })

  test('has each cookie in a line of its own, of setCookie, signed or not, and of a header', async (t) => {
    const app = await start(t, {
      before: (reply) => reply.header('set-cookie', 'z=0'),
      set: (reply) => {
        reply.header('set-cookie', ['y=1', 'x=2'])
        reply.setCookie('a', '1', { path: '/', httpOnly: true })
        reply.setCookie('b', 'two words; and more', { signed: true, secure: 'auto' })
        reply.setCookie('a', '3', { path: '/' })
        reply.clearCookie('old')
      },
    })
    const lines = await linesOf(app)
    const signed = encodeURIComponent(app.signCookie('two words; and more'))
    assert.deepEqual(lines, [
      'set-cookie: z=0',
      'set-cookie: y=1',
      'set-cookie: x=2',
      'set-cookie: a=3; Path=/; SameSite=Lax',
      `set-cookie: b=${signed};${isTlsPass ? ' Secure;' : ''} SameSite=Lax`,
      'set-cookie: old=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; SameSite=Lax',
    ])
  })

  test('and a plain answer say the same', async (t) => {
    const app = await serve(t, {
      before: (app) => app.register(fastifyCookie),
      routes: (app) => {
        app.addHook('onRequest', hook(setSome))
        app.get('/', { websocket: true }, (socket) => socket.send('open'))
        app.get('/plain', async () => 'plain')
      },
    })
    const plain = await RawPeer.dialWith(
      portOf(app),
      'GET /plain HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    )
    const answer = (await plain.answer()).split('\r\n')
    const lines = await linesOf(app)
    assert.equal(lines.length, 3)
    for (const line of lines) assert.ok(answer.includes(line), line)
  })

  test('can still be seen and added to by a listener of the app', async (t) => {
    const app = await start(t, { set: (reply) => reply.header('x-a', '1') })
    const seen: string[] = []
    app.websocketServer.on('headers', (lines, _message: IncomingMessage) => {
      seen.push(...lines)
      lines.push('x-b: 2')
    })
    assert.deepEqual(await linesOf(app), ['x-a: 1', 'x-b: 2'])
    assert.ok(seen.includes('x-a: 1'))
  })

  test('of injectWS has them too', async (t) => {
    const app = await start(t, { set: (reply) => reply.header('x-a', '1').setCookie('a', '1') })
    let seen: string[] = []
    app.websocketServer.on('headers', (lines) => {
      seen = [...lines]
    })
    const client = await app.injectWS('/')
    assert.deepEqual(seen.slice(4), ['x-a: 1', 'set-cookie: a=1; SameSite=Lax'])
    client.terminate()
  })

  test('has no cookies where none was asked for, and the app parses none', async (t) => {
    const app = await serve(t, {
      before: (app) => app.register(fastifyCookie, { hook: false }),
      routes: (app) => app.get('/', { websocket: true }, (socket) => socket.send('open')),
    })
    assert.deepEqual(await linesOf(app), [])
  })

  test('of a handshake that the app makes itself has what the app says', async (t) => {
    const app = await start(t, {
      set: (reply, { raw }) => {
        reply.header('x-a', '1').hijack()
        const { websocketServer } = reply.server
        websocketServer.handleUpgrade(raw, raw.socket, Buffer.alloc(0), (ws) => ws.send('open'))
      },
    })
    assert.deepEqual(await linesOf(app), [])
  })

  test('is understood by a client', async (t) => {
    const app = await start(t, { set: (reply) => reply.setCookie('a', '1').setCookie('b', '2') })
    const client = await connect(app)
    assert.equal(client.headers['set-cookie']?.length, 2)
    assert.equal(await client.next(), 'open')
    client.drop()
  })

  test('of bare @fastify/websocket has nothing of them', async (t) => {
    const app = Fastify()
    endWith(t, app)
    await app.register(fastifyWebsocket)
    app.addHook('onRequest', async (_request, reply) => void reply.header('x-a', '1'))
    app.get('/', { websocket: true }, (socket) => socket.send('open'))
    await app.listen({ host: '127.0.0.1', port: 0 })
    assert.deepEqual(await linesOf(app), [])
  })

  for (const [name, setup] of [
    [
      'refuseWebsocket',
      { set: (reply) => reply.header('x-a', '1').setCookie('a', '').refuseWebsocket(4001, 'no') },
    ],
    [
      "refuse: 'close-frame'",
      {
        options: { refuse: 'close-frame', maxConnectionsPerKey: { max: 0, key: () => 'one' } },
        set: (reply) => reply.header('x-a', '1').setCookie('a', ''),
      },
    ],
  ] as ReadonlyArray<readonly [string, Setup]>) {
    test(`that only leads to a close frame has them too: ${name}`, async (t) => {
      const app = await start(t, setup)
      const peer = await RawPeer.dial(portOf(app))
      const answer = await within(peer.answer(), 'an answer')
      assert.match(answer, /^HTTP\/1\.1 101 /)
      assert.match(answer, /\r\nx-a: 1\r\nset-cookie: a=; SameSite=Lax\r\n\r\n$/)
      assert.ok(await peer.nextOf(OPCODE.close))
      peer.destroy()
    })
  }
})

describe('a header that may not be sent', () => {
  const WRONG: ReadonlyArray<readonly [string, string, Set]> = [
    ['a line break', 'ERR_INVALID_CHAR', (reply) => reply.header('x-a', 'a\r\nx-evil: 1')],
    ['a lone CR', 'ERR_INVALID_CHAR', (reply) => reply.header('x-a', 'a\rb')],
    [
      'a line break in one of several',
      'ERR_INVALID_CHAR',
      (reply) => reply.header('set-cookie', ['a=1', 'b=2\nc']),
    ],
    ['what is not latin1', 'ERR_INVALID_CHAR', (reply) => reply.header('x-a', '€')],
    ['a name with a space', 'ERR_INVALID_HTTP_TOKEN', (reply) => reply.header('x a', '1')],
    ['a cookie that is none', undefined as never, (reply) => reply.setCookie('a b', '1')],
    [
      'a value that cannot be read',
      'ERR_INVALID_ARG_TYPE',
      (reply) => reply.header('x-a', unreadable()),
    ],
  ]

  for (const [name, code, set] of WRONG) {
    test(`${name} is a 500, as in Fastify; none of it is sent, others get in`, async (t) => {
      const { fastify } = logLines()
      const app = await serve(t, {
        fastify,
        before: (app) => app.register(fastifyCookie),
        routes: (app) => {
          app.addHook('preHandler', hook(ifWrong(set)))
          app.get('/', { websocket: true, maxConnections: 1 }, (socket) => socket.send('open'))
        },
      })
      const peer = await RawPeer.dial(portOf(app), '/', { 'x-wrong': 'yes' })
      const answer = parseAnswer(await within(peer.answer(), 'an answer'))
      assert.equal(answer.status, 500)
      assert.ok(!('x-evil' in answer.headers || 'x-a' in answer.headers))
      if (name !== 'a value that cannot be read')
        assert.match(answer.body, new RegExp(code ?? 'invalid'))
      await within(peer.ended(), 'the end of the socket')
      assert.deepEqual(await linesOf(app), [])
    })
  }

  test('of a refusal by close frame ends the socket, and is logged', async (t) => {
    const { lines, fastify } = logLines()
    const app = await serve(t, {
      fastify,
      routes: (app) => {
        app.addHook('preHandler', async (_request, reply) =>
          reply.header('x-a', 'a\r\nx-evil: 1').refuseWebsocket(4001, 'no'),
        )
        app.get('/', { websocket: true }, () => {})
      },
    })
    const peer = await RawPeer.dial(portOf(app))
    await assert.rejects(peer.answer())
    await within(peer.ended(), 'the end of the socket')
    assert.ok(lines.some(({ msg }) => msg === 'a callback of a WebSocket upgrade failed'))
  })
})

function unreadable(): object {
  return {
    toString() {
      throw Object.assign(new Error('cannot be read'), { code: 'ERR_INVALID_ARG_TYPE' })
    },
  }
}
