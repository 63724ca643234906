// What reply.refuseWebsocket() is given, and what comes of it on an upgrade and on a plain request.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { isFastifySince } from '../support/servers/fastify-version.js'
import { type LogLine, logLines } from '../support/servers/log-lines.js'
import { ODD_VIEWS } from '../support/models/odd-views.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { refused } from '../support/servers/refused.js'
import { portOf, serve } from '../support/servers/server.js'
import { assertAnswered, assertClosedAtOnce, Stranger } from '../support/peers/stranger.js'

/** As people call it who do not use TypeScript. */
interface LooseReply {
  refuseWebsocket(...args: unknown[]): FastifyReply
}

function refuseWith(reply: FastifyReply, args: readonly unknown[]): FastifyReply {
  return (reply as unknown as LooseReply).refuseWebsocket(...args)
}

interface Served {
  readonly app: FastifyInstance
  readonly port: number
  readonly lines: LogLine[]
  /** What the hook and the handler of the next request call it with. */
  readonly ask: (...args: unknown[]) => void
}

/** An app that refuses in a hook, `/ws` and `/http`, and one that does so in a handler, `/handler`. */
async function serveAsked(t: TestContext): Promise<Served> {
  const { lines, fastify } = logLines()
  let asked: unknown[] = []
  const app = await serve(t, {
    fastify,
    routes: (app) => {
      app.get('/handler', async (_request, reply) => refuseWith(reply, asked))
      void app.register(async (child) => {
        child.addHook('preValidation', async (_request, reply) => refuseWith(reply, asked))
        child.get('/ws', { websocket: true }, () => {})
        child.get('/http', async () => 'http')
        child.post('/http', async () => 'http')
        child.head('/head', async () => 'http')
      })
    },
  })
  const ask = (...args: unknown[]): void => {
    asked = args
  }
  return { app, port: portOf(app), lines, ask }
}

function warnings(lines: readonly LogLine[]): LogLine[] {
  return lines.filter(({ level }) => Number(level) >= 40)
}

describe('the code of a refusal', () => {
  const SENDABLE = [
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3003, 3999, 4000,
    4999,
  ]
  for (const code of SENDABLE) {
    test(`${code} is sent`, async (t) => {
      const { app, port, lines, ask } = await serveAsked(t)
      ask(code, 'for a reason')
      await assertClosedAtOnce(await Stranger.dial(port, '/ws'), code, 'for a reason')
      assert.deepEqual(warnings(lines), [])
      assert.deepEqual(app.websocketLifecycle.stats().refused, refused({ hook: 1 }))
    })
  }

  const UNSENDABLE: unknown[] = [
    0,
    -1,
    999,
    1004,
    1016,
    2000,
    2999,
    5000,
    3000.5,
    Number.NaN,
    Infinity,
    '4001',
    null,
    true,
    {},
    401n,
    Symbol('4001'),
    new Error('4001'),
  ]
  for (const [i, code] of UNSENDABLE.entries()) {
    test(`may not be ${String(code)} (${i}): 3000 is sent, with one warning`, async (t) => {
      const { port, lines, ask } = await serveAsked(t)
      ask(code, 'for a reason')
      await assertClosedAtOnce(await Stranger.dial(port, '/ws'), 3000, 'for a reason')
      const [warning, ...more] = warnings(lines)
      assert.equal(warning?.['level'], 40)
      assert.match(String(warning?.['msg']), /3000/)
      assert.deepEqual(more, [])
    })
  }

  for (const code of [1006, 1015]) {
    test(`${code} becomes 1011, with one warning`, async (t) => {
      const { port, lines, ask } = await serveAsked(t)
      ask(code, 'for a reason')
      await assertClosedAtOnce(await Stranger.dial(port, '/ws'), 1011, 'for a reason')
      assert.deepEqual(
        warnings(lines).map(({ msg }) => msg),
        ['refuseWebsocket() got a code that may not be sent; 1011 was'],
      )
    })
  }

  test('1005 is a close frame without a code, and so without a reason; nobody is warned', async (t) => {
    const { port, lines, ask } = await serveAsked(t)
    ask(1005, 'for a reason')
    const peer = await RawPeer.open(port, '/ws')
    assert.deepEqual(await peer.next(), { opcode: OPCODE.close, payload: Buffer.alloc(0) })
    peer.send(RawPeer.closeFrame())
    await peer.ended()
    assert.deepEqual(warnings(lines), [])
    const why = lines.find(({ msg }) => msg === 'WebSocket upgrade refused')?.['why']
    assert.equal(why, 'the app closed it with no code')
  })

  test('is 3000 where none is given, without a warning', async (t) => {
    const { port, lines, ask } = await serveAsked(t)
    ask(undefined, 'for a reason')
    await assertClosedAtOnce(await Stranger.dial(port, '/ws'), 3000, 'for a reason')
    assert.deepEqual(warnings(lines), [])
  })
})

describe('the reason of a refusal', () => {
  const REASONS: ReadonlyArray<[title: string, given: unknown, sent: string | Buffer]> = [
    ['left out is empty', undefined, ''],
    ['that is empty is empty', '', ''],
    ['of 123 bytes is sent as it is', 'x'.repeat(123), 'x'.repeat(123)],
    ['of 124 bytes is cut to 123', 'x'.repeat(124), 'x'.repeat(123)],
    ['of a megabyte is cut to 123 bytes', 'x'.repeat(1 << 20), 'x'.repeat(123)],
    ['is cut between characters of two bytes', `${'x'.repeat(122)}ü`, Buffer.from('x'.repeat(122))],
    ['is cut between characters of three bytes', '€'.repeat(42), Buffer.from('€'.repeat(41))],
    ['is cut between characters of four bytes', '🚪'.repeat(31), Buffer.from('🚪'.repeat(30))],
    ['with a lone surrogate has a replacement for it', 'x\ud800', Buffer.from('x\ufffd')],
    ['that is a number is its digits', 42, '42'],
    ['that is a buffer is its text', Buffer.from('text'), 'text'],
    ['that is nothing of that is empty', { toString: () => 'object' }, ''],
    ['that is null is empty', null, ''],
    ['with a line break has it: it is no header', 'a\r\nset-cookie: b', 'a\r\nset-cookie: b'],
  ]
  const VIEWS = ODD_VIEWS.map(
    ({ what, make, text }) => [`that is ${what} is what can be read`, make(), text] as const,
  )
  for (const [title, given, sent] of [...REASONS, ...VIEWS]) {
    test(title, async (t) => {
      const { port, ask } = await serveAsked(t)
      ask(4001, given)
      await assertClosedAtOnce(await Stranger.dial(port, '/ws'), 4001, sent)
    })
  }
})

describe('a request that is no upgrade', () => {
  const STATUSES: ReadonlyArray<[code: unknown, status: number, error: string]> = [
    [undefined, 401, 'Unauthorized'],
    [3000, 401, 'Unauthorized'],
    [3003, 403, 'Forbidden'],
    [1012, 503, 'Service Unavailable'],
    [1013, 503, 'Service Unavailable'],
    [1000, 400, 'Bad Request'],
    [1008, 400, 'Bad Request'],
    [3008, 400, 'Bad Request'],
    [4001, 400, 'Bad Request'],
    [1005, 400, 'Bad Request'],
    [1006, 400, 'Bad Request'],
    [1016, 401, 'Unauthorized'],
    ['3003', 401, 'Unauthorized'],
  ]
  for (const [code, statusCode, error] of STATUSES) {
    for (const [where, url] of [
      ['a hook', '/http'],
      ["a WebSocket route's hook", '/ws'],
      ['a handler', '/handler'],
    ] as const) {
      test(`gets ${statusCode} for ${String(code)} from ${where}, as Fastify's own errors are`, async (t) => {
        const { app, ask } = await serveAsked(t)
        ask(code, 'sign in first')
        const response = await app.inject(url)
        assert.equal(response.statusCode, statusCode)
        assert.match(String(response.headers['content-type']), /^application\/json/)
        assert.deepEqual(response.json(), { statusCode, error, message: 'sign in first' })
        assert.deepEqual(app.websocketLifecycle.stats().refused, refused())
      })
    }
  }

  test('gets the name of the status where there is no reason', async (t) => {
    const { app, ask } = await serveAsked(t)
    ask()
    const response = await app.inject('/http')
    assert.deepEqual(response.json(), {
      statusCode: 401,
      error: 'Unauthorized',
      message: 'Unauthorized',
    })
  })

  test('gets as much of the reason as an upgrade does', async (t) => {
    const { app, ask } = await serveAsked(t)
    ask(4001, '€'.repeat(100))
    assert.equal((await app.inject('/http')).json().message, '€'.repeat(41))
  })

  test('gets it whatever its method is', async (t) => {
    const { app, ask } = await serveAsked(t)
    ask(3003)
    assert.equal((await app.inject({ method: 'POST', url: '/http', body: {} })).statusCode, 403)
    const head = await app.inject({ method: 'HEAD', url: '/head' })
    assert.equal(head.statusCode, 403)
    assert.equal((await app.inject({ method: 'HEAD', url: '/ws' })).statusCode, 403)
  })

  test('gets it over a connection that an upgrade may follow on', async (t) => {
    const { port, ask } = await serveAsked(t)
    ask(3003, 'not you')
    const stranger = await Stranger.dialWith(port, 'GET /http HTTP/1.1\r\nhost: localhost\r\n\r\n')
    const head = await stranger.head()
    assert.match(head, /^HTTP\/1\.1 403 /)
    const body = '{"statusCode":403,"error":"Forbidden","message":"not you"}'
    assert.equal(await stranger.has(head.length + body.length), head + body)
    stranger.forget()
    stranger.peer.send(Buffer.from(RawPeer.handshake(port, '/ws')))
    await assertClosedAtOnce(stranger, 3003, 'not you')
  })

  test('that asks for another protocol than ours is none', async (t) => {
    const { app, port, ask } = await serveAsked(t)
    ask(3003)
    const stranger = await Stranger.dial(port, '/ws', { upgrade: 'h2c' })
    assert.match(await stranger.head(), /^HTTP\/1\.1 403 /)
    assert.deepEqual(app.websocketLifecycle.stats().refused, refused({}))
  })
})

describe('an onSend hook that refuses', () => {
  const requests: Readonly<Record<string, (port: number) => string>> = {
    // Before 5.11 Fastify lets an error end the process that it meets behind an async onSend hook.
    ...(isFastifySince('5.11.0') && {
      'a plain request': () => 'GET /http HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n',
    }),
    'an upgrade to what is no WebSocket route': (port) => RawPeer.handshake(port, '/http'),
  }
  for (const [what, packet] of Object.entries(requests)) {
    test(`${what} gets an error, and the peer one answer`, async (t) => {
      const codes: unknown[] = []
      const app = await serve(t, {
        routes: (app) => {
          app.addHook('onSend', async (_request, reply, payload) => {
            try {
              reply.refuseWebsocket(3003)
            } catch (error) {
              codes.push((error as { code?: string }).code)
            }
            return payload
          })
          app.get('/http', async (_request, reply) => reply.code(402).send('pay first'))
        },
      })
      const stranger = await Stranger.dialWith(portOf(app), packet(portOf(app)))
      const head = await stranger.head()
      await assertAnswered(stranger, Number(head.split(' ')[1]))
      assert.ok(codes.length > 0 && codes.length < 5)
      assert.deepEqual(new Set(codes), new Set(['FST_ERR_WSL_TOO_LATE_TO_REFUSE']))
    })
  }
})
