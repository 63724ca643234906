// Whose pages may open a WebSocket, as peers see it over real sockets.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { FastifyServerOptions } from 'fastify'
import type { LifecycleOptions } from '../../lib/index.js'
import { hostOf } from '../../lib/admission/origin.js'
import { within } from '../support/time/bound.js'
import { type Answer, Client, parseAnswer, refusal } from '../support/peers/client.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { isFastifySince } from '../support/servers/fastify-version.js'
import { gate } from '../support/time/gate.js'
import { logLines } from '../support/servers/log-lines.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { refused } from '../support/servers/refused.js'
import { type Observed, type OneRoute, serveOne } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'
import { cert, key } from '../support/servers/tls.js'

type AllowedOrigins = NonNullable<LifecycleOptions['allowedOrigins']>

const HOST = 'app.example'
const OURS = 'https://app.example'
const STRANGER = 'https://evil.example'

/** What an upgrade with these headers is answered. */
async function ask(port: number, headers: Record<string, string>, path = '/'): Promise<Answer> {
  const peer = await RawPeer.dial(port, path, { host: HOST, ...headers })
  const answer = parseAnswer(await within(peer.answer(), 'an answer'))
  peer.destroy()
  return answer
}

async function statusOf(port: number, origin: string, host = HOST): Promise<number> {
  return (await ask(port, { host, origin })).status
}

/** What a handshake of these lines is answered, in which a header may stand twice or be missing. */
async function statusOfLines(port: number, ...lines: string[]): Promise<number> {
  const handshake = RawPeer.handshake(port, '/').replace(/host: .*\r\n/, '')
  const head = handshake.replace(/\r\n$/, '')
  const peer = await RawPeer.dialWith(port, head, ...lines.map((line) => `${line}\r\n`), '\r\n')
  const { status } = parseAnswer(await within(peer.answer(), 'an answer'))
  peer.destroy()
  return status
}

async function serveOrigins(
  t: TestContext,
  allowedOrigins: AllowedOrigins,
  setup: OneRoute = {},
): Promise<Observed> {
  return serveOne(t, { ...setup, options: { allowedOrigins, ...setup.options } })
}

describe('by default', () => {
  test('pages of the host that is asked may connect, and others may not', async (t) => {
    const { app, port } = await serveOne(t)
    const asked = `127.0.0.1:${port}`
    const answers: ReadonlyArray<readonly [origin: string, host: string, status: number]> = [
      [`http://${asked}`, asked, 101],
      [`https://${asked}`, asked, 101],
      [`http://localhost:${port}`, asked, 403],
      [`http://127.0.0.1`, asked, 403],
      [OURS, HOST, 101],
      ['HTTPS://APP.EXAMPLE:443', 'App.Example', 101],
      [`${OURS}.`, HOST, 403],
      ['http://[::1]:3000', '[0:0::1]:3000', 101],
      [STRANGER, HOST, 403],
      [`${OURS}.evil`, HOST, 403],
      [`${OURS}@evil.example`, HOST, 403],
      [`https://evil.example@app.example`, HOST, 403],
      [`${OURS}/`, HOST, 403],
      [`${OURS}:8443`, HOST, 403],
      ['wss://app.example', HOST, 403],
      ['chrome-extension://abcdefghijklmnop', HOST, 403],
      ['file://', HOST, 403],
      ['null', HOST, 403],
      ['', HOST, 403],
      ['%s %d %j', HOST, 403],
      [`${OURS},${OURS}`, HOST, 403],
      [OURS, '', 403],
      [OURS, `${HOST}/`, 403],
      [OURS, `user@${HOST}`, 403],
    ]
    for (const [origin, host, status] of answers) {
      assert.equal(await statusOf(port, origin, host), status, `${origin} to ${host}`)
    }
    const count = (wanted: number): number =>
      answers.filter(([, , status]) => status === wanted).length
    const { refused: counts, opened } = app.websocketLifecycle.stats()
    assert.deepEqual(counts, refused({ origin: count(403) }))
    assert.equal(opened, count(101))
  })

  test('over TLS pages that came without it may not connect', async (t) => {
    const { port } = await serveOne(t, {
      fastify: { https: { key, cert } } as FastifyServerOptions,
    })
    const url = `wss://127.0.0.1:${port}`
    for (const origin of [`http://127.0.0.1:${port}`, `https://localhost:${port}`, STRANGER]) {
      const { status, body } = await refusal(url, { ca: cert, origin })
      assert.equal(status, 403, origin)
      assert.match(body, /over TLS/)
    }
    const page = { ca: cert, origin: `https://127.0.0.1:${port}` }
    for (const options of [page, { ca: cert }]) (await Client.open(url, options)).ws.terminate()
  })

  test('a page came without TLS where a trusted proxy says so, though the proxy itself uses it', async (t) => {
    const https = { https: { key, cert }, trustProxy: true }
    const { port } = await serveOne(t, { fastify: https })
    const forwarded = { 'x-forwarded-host': HOST, 'x-forwarded-proto': 'http' }
    const page = { ca: cert, headers: forwarded, origin: `http://${HOST}` }
    ;(await Client.open(`wss://127.0.0.1:${port}`, page)).ws.terminate()
  })

  test('two Origin lines are a stranger, also if they are alike', async (t) => {
    const { port } = await serveOne(t)
    const host = `host: ${HOST}`
    assert.equal(await statusOfLines(port, host, `origin: ${OURS}`), 101)
    assert.equal(await statusOfLines(port, host, `origin: ${OURS}`, `Origin: ${OURS}`), 403)
    assert.equal(await statusOfLines(port, host, `origin: ${OURS}`, `origin: ${STRANGER}`), 403)
    assert.equal(await statusOfLines(port, host, `origin: ${STRANGER}`, `origin: ${OURS}`), 403)
    assert.equal(await statusOfLines(port, host, `origin: ${OURS}`, 'origin:'), 403)
  })

  test('the header that browsers sent with version 8 of the protocol counts too', async (t) => {
    const { port } = await serveOne(t)
    const version = { 'sec-websocket-version': '8' }
    for (const [origin, status] of [
      [OURS, 101],
      [STRANGER, 403],
    ] as const) {
      assert.equal((await ask(port, { ...version, 'sec-websocket-origin': origin })).status, status)
    }
  })

  test('without a Host no page is of the same origin, and what is no page passes', async (t) => {
    const { port } = await serveOne(t)
    for (const origin of [OURS, 'http://', 'http://undefined', 'null', '']) {
      assert.equal(await statusOfLines(port, `origin: ${origin}`), 403, origin)
    }
    assert.equal(await statusOfLines(port), 101)
    // Early versions of Fastify 5 say `undefined`.
    assert.equal(hostOf({}), '')
  })

  test('of two Host lines the first counts, as for everything else in node', async (t) => {
    const { port } = await serveOne(t)
    const hosts = ['host: app.example', 'host: evil.example']
    assert.equal(await statusOfLines(port, ...hosts, `origin: ${OURS}`), 101)
    assert.equal(await statusOfLines(port, ...hosts, `origin: ${STRANGER}`), 403)
  })

  test('injectWS is judged too', async (t) => {
    const { app } = await serveOne(t)
    const ws = await app.injectWS('/', { headers: { host: HOST, origin: OURS } })
    ws.terminate()
    await assert.rejects(
      async () => app.injectWS('/', { headers: { host: HOST, origin: STRANGER } }),
      /Unexpected server response: 403/,
    )
    assert.equal(app.websocketLifecycle.stats().refused.origin, 1)
  })
})

const HTTP = `http://${HOST}`
const UPSTREAM = 'upstream:3000'

type Proxied = readonly [
  what: string,
  trustProxy: boolean | string,
  headers: Record<string, string>,
  passes: readonly string[],
  refused: readonly string[],
]

/** What arrives where a proxy names itself as Host, and tells whom the client has asked, and how. */
function via(host: string, proto: string): Record<string, string> {
  return { host: UPSTREAM, 'x-forwarded-host': host, 'x-forwarded-proto': proto }
}

/** What arrives where a proxy leaves Host as it is. */
function kept(proto: string): Record<string, string> {
  return { host: HOST, 'x-forwarded-proto': proto }
}

const PROXIES: readonly Proxied[] = [
  // Nobody knows whether it ended TLS.
  ['is not trusted, and forwards Host', false, kept('https'), [OURS, HTTP], [STRANGER]],
  ['is not trusted', false, via(HOST, 'https'), [`http://${UPSTREAM}`], [OURS, HTTP]],
  ['is trusted', true, via(HOST, 'https'), [OURS, `${OURS}:443`], [HTTP, STRANGER]],
  ['is trusted, and has a name', true, via(HOST, 'https'), [], [`https://${UPSTREAM}`]],
  ['is trusted, and forwards Host', true, kept('https'), [OURS], [HTTP, STRANGER]],
  ['is trusted, and has no TLS', true, via(HOST, 'http'), [HTTP, OURS], [STRANGER]],
  ['names the default port', true, via(`${HOST}:443`, 'https'), [OURS], [`${OURS}:8443`]],
  ['names another port', true, via(`${HOST}:8443`, 'https'), [`${OURS}:8443`], [OURS]],
  ['names garbage', true, via(`${HOST}/`, 'https'), [], [OURS, HTTP, STRANGER]],
  ['is the nearest', true, via(`evil.example, ${HOST}`, 'http, https'), [OURS], [HTTP, STRANGER]],
  ['is trusted by its address', '127.0.0.1', via(HOST, 'https'), [OURS], [HTTP]],
  // Before 5.9 Fastify believes whoever forwards, as soon as it trusts somebody.
  isFastifySince('5.9.0')
    ? ['is not the trusted one', '10.0.0.1', via(HOST, 'https'), [`http://${UPSTREAM}`], [OURS]]
    : ['is not the trusted one', '10.0.0.1', via(HOST, 'https'), [OURS], [`http://${UPSTREAM}`]],
  // Traefik says so of upgrades.
  ['says wss', true, via(HOST, 'wss'), [OURS], [HTTP, STRANGER]],
  ['says ws', true, via(HOST, 'ws'), [OURS, HTTP], [STRANGER]],
  // RFC 3986 §3.1: schemes are case-insensitive.
  ['says HTTPS', true, via(HOST, 'HTTPS'), [OURS], [HTTP]],
]

describe('behind a proxy that', () => {
  for (const [what, trustProxy, headers, passes, refused] of PROXIES) {
    test(`${what}: ${passes.join(' and ') || 'nobody'} may connect`, async (t) => {
      const { port } = await serveOne(t, { fastify: { trustProxy } })
      for (const origin of passes) {
        assert.equal((await ask(port, { ...headers, origin })).status, 101, origin)
      }
      for (const origin of refused) {
        assert.equal((await ask(port, { ...headers, origin })).status, 403, origin)
      }
    })
  }
})

/** An app whose origin function says when it is asked, and answers when it is told to. */
interface Asked extends Observed {
  readonly clock: FakeClock
  readonly peer: RawPeer
  readonly answer: (isWelcome: boolean | Error) => void
  /** What onError hooks were told. */
  readonly errors: Error[]
}

async function askSlowly(t: TestContext, options: LifecycleOptions = {}): Promise<Asked> {
  const clock = new FakeClock()
  const asked = gate()
  const answers: Array<(isWelcome: boolean | Promise<never>) => void> = []
  const allowedOrigins: AllowedOrigins = async (origin) => {
    if (origin !== OURS) return true
    asked.open()
    return new Promise((resolve) => answers.push(resolve))
  }
  const errors: Error[] = []
  const observed = await serveOrigins(t, allowedOrigins, {
    clock,
    before: (app) =>
      app.addHook('onError', async (_request, _reply, error) => void errors.push(error)),
    options: { keepalive: false, maxConnections: 1, ...options },
  })
  const peer = await RawPeer.dial(observed.port, '/', { origin: OURS })
  await within(asked.opened, 'the question')
  const answer = (isWelcome: boolean | Error): void =>
    answers[0]?.(isWelcome instanceof Error ? Promise.reject(isWelcome) : isWelcome)
  return { ...observed, clock, peer, answer, errors }
}

const LATE: ReadonlyArray<boolean | Error> = [true, false, new Error('too late')]

describe('a function that takes its time', () => {
  for (const late of LATE) {
    test(`is over at handshakeTimeout, and its late answer (${String(late)}) changes nothing`, async (t) => {
      const { app, port, clock, peer, answer, events, errors } = await askSlowly(t, {
        handshakeTimeout: 1_000,
      })
      await clock.advance(900)
      assert.equal(peer.hasEnded, false)
      await clock.advance(300)
      const { status, body } = parseAnswer(await within(peer.answer(), 'an answer'))
      assert.equal(status, 503)
      assert.equal(JSON.parse(body).code, 'FST_ERR_WSL_HANDSHAKE_TIMEOUT')
      await within(peer.ended(), 'the end of the socket')
      answer(late)
      await turns(20)
      const { refused: counts, opened } = app.websocketLifecycle.stats()
      assert.deepEqual([counts, opened, events, errors], [refused({ handshake: 1 }), 0, [], []])
      // It holds no place.
      assert.equal(await statusOf(port, STRANGER), 101)
    })

    for (const leave of ['finish', 'reset'] as const) {
      test(`whose peer has left (${leave}) when it answers (${String(late)}) admits and refuses nobody`, async (t) => {
        const { app, port, clock, peer, answer, events, errors } = await askSlowly(t)
        peer[leave]()
        await until(() => clock.pending === 0)
        answer(late)
        await turns(20)
        const { refused: counts, opened } = app.websocketLifecycle.stats()
        assert.deepEqual([counts, opened, events, errors], [refused(), 0, [], []])
        assert.equal(await statusOf(port, STRANGER), 101)
      })
    }

    test(`is too late (${String(late)}) for a drain that has begun`, async (t) => {
      const { app, clock, peer, answer, events, errors } = await askSlowly(t)
      const draining = app.websocketLifecycle.drain()
      await clock.advance(20_000)
      assert.equal(parseAnswer(await within(peer.answer(), 'an answer')).status, 503)
      answer(late)
      await within(draining, 'the drain')
      await turns(20)
      const { refused: counts, opened } = app.websocketLifecycle.stats()
      assert.deepEqual([counts, opened, events, errors], [refused({ draining: 1 }), 0, [], []])
    })
  }

  test('has all the time that there is where handshakeTimeout is false', async (t) => {
    const { clock, peer, answer } = await askSlowly(t, { handshakeTimeout: false })
    await clock.advance(600_000)
    answer(true)
    assert.equal(parseAnswer(await within(peer.answer(), 'an answer')).status, 101)
  })
})

describe('a refusal', () => {
  test('tells, in its body and in the log, who was refused where, and what to set', async (t) => {
    const { lines, fastify } = logLines()
    const { app, port, events } = await serveOne(t, { fastify })
    const peer = await RawPeer.dial(port, '/?token=secret', { host: HOST, origin: STRANGER })
    const { status, headers, body } = parseAnswer(await within(peer.answer(), 'an answer'))
    await within(peer.ended(), 'the end of the socket')
    assert.equal(status, 403)
    assert.match(String(headers['content-type']), /^application\/json/)
    const { message, ...rest } = JSON.parse(body)
    assert.deepEqual(rest, { statusCode: 403, code: 'FST_ERR_WSL_ORIGIN', error: 'Forbidden' })
    for (const told of [`"${STRANGER}"`, `"${HOST}"`, '`allowedOrigins`', '`trustProxy`']) {
      assert.ok(message.includes(told), `${told} in ${message}`)
    }
    const told = lines.filter(({ msg }) => msg === 'WebSocket upgrade refused')
    assert.deepEqual(
      told.map(({ level, reason, route, why }) => ({ level, reason, route, why })),
      [{ level: 30, reason: 'origin', route: '/', why: message }],
    )
    assert.doesNotMatch(JSON.stringify(told), /secret/)
    assert.ok(lines.every(({ level }) => Number(level) <= 30))
    assert.deepEqual(events, [])
    assert.deepEqual(app.websocketLifecycle.stats().refused, refused({ origin: 1 }))
  })

  test('quotes no more than the beginning of what strangers send, and as a string', async (t) => {
    const { port } = await serveOne(t)
    for (const text of ['x'.repeat(8_000), `https://${'"\\%s'.repeat(1_000)}`]) {
      const { status, body } = await ask(port, { origin: text, host: text })
      assert.equal(status, 403)
      assert.ok(JSON.parse(body).message.length < 1_000)
      const beginning = JSON.stringify(text.slice(0, 20)).slice(0, -1)
      assert.ok(JSON.parse(body).message.includes(beginning), body)
    }
  })

  test('is an error of Fastify, which the app may answer in its own way', async (t) => {
    const { port } = await serveOne(t, {
      before: (app) => {
        app.setErrorHandler<Error & { code: string }>(async (error, _request, reply) =>
          reply.code(418).send(error.code),
        )
      },
    })
    const { status, body } = await ask(port, { origin: STRANGER })
    assert.deepEqual([status, body], [418, 'FST_ERR_WSL_ORIGIN'])
  })

  test('has the status of what the function has thrown', async (t) => {
    const error = Object.assign(new Error('who?'), { statusCode: 401 })
    const { port } = await serveOrigins(t, async () => Promise.reject(error))
    const { status, body } = await ask(port, { origin: OURS })
    assert.deepEqual([status, JSON.parse(body).message], [401, 'who?'])
  })

  test('ends the scope that a hook before the plugin has used', async (t) => {
    const released = gate()
    const { port } = await serveOne(t, {
      before: (app) =>
        app.addHook('onRequest', async (request) => request.wsScope?.defer(released.open)),
    })
    assert.equal(await statusOf(port, STRANGER), 403)
    await within(released.opened, 'the release')
  })
})

/** An app that notes who is asked about an upgrade to `/child`, one after the other. */
async function serveInOrder(t: TestContext): Promise<{ port: number; order: string[] }> {
  const order: string[] = []
  const note = (what: string) => async () => void order.push(what)
  const allowedOrigins: AllowedOrigins = async (origin) => {
    order.push('question')
    return origin === OURS
  }
  const { port } = await serveOrigins(t, allowedOrigins, {
    before: (app) => app.addHook('onRequest', note('hook before the plugin')),
    routes: (app) => {
      app.addHook('onRequest', note('hook after the plugin'))
      app.register(async (child) => {
        child.addHook('onRequest', note('hook of a child'))
        const onRequest = note('hook of the route')
        const handlers = { handler: note('plain'), wsHandler: note('handler') }
        child.route({ method: 'GET', url: '/child', onRequest, ...handlers })
      })
    },
  })
  return { port, order }
}

describe('the order', () => {
  test('has the origin behind hooks that were added before the plugin, and before all others', async (t) => {
    const { port, order } = await serveInOrder(t)
    assert.equal((await ask(port, { origin: OURS }, '/child')).status, 101)
    assert.deepEqual(order, [
      'hook before the plugin',
      'question',
      'hook after the plugin',
      'hook of a child',
      'hook of the route',
      'handler',
    ])
  })

  test('of a refusal ends with the question', async (t) => {
    const { port, order } = await serveInOrder(t)
    assert.equal((await ask(port, { origin: STRANGER }, '/child')).status, 403)
    assert.deepEqual(order, ['hook before the plugin', 'question'])
  })

  test('has no question for a plain request, nor for a path without a WebSocket', async (t) => {
    const { port, order } = await serveInOrder(t)
    await fetch(`http://127.0.0.1:${port}/child`, { headers: { origin: STRANGER } })
    assert.equal(order.at(-1), 'plain')
    assert.equal((await ask(port, { origin: STRANGER }, '/nowhere')).status, 404)
    assert.ok(!order.includes('question'))
  })
})
