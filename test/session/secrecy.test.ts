// The token of a session is in nothing that the app can see, and in nothing that it logs.
import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'
import { test, type TestContext } from 'node:test'
import { inspect } from 'node:util'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { CHANNELS, TRACES } from '../../lib/facts/events.js'
import type { LifecycleSession, ServerEvent } from '../../lib/index.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { logLines } from '../support/servers/log-lines.js'
import {
  keyOf,
  serveSessions,
  type WithSessions,
  WINDOW,
} from '../support/servers/with-sessions.js'
import { turns } from '../support/time/fake-clock.js'

const PREFIX = 'fastify-websocket-lifecycle:'

/** All that the app was given, as text. */
class Dump {
  readonly seen: string[] = []
  readonly apps = new Set<FastifyInstance | undefined>()

  request(where: string, request: FastifyRequest): void {
    this.seen.push(`${where} ${inspect([request.headers, request.url, request.query])}`)
    this.seen.push(`${where} ${inspect(request)}`)
    this.message(where, request.raw)
    request.log.trace(
      { req: request, headers: request.headers, raw: request.raw.rawHeaders },
      where,
    )
    request.log.trace(request, where)
  }

  message(where: string, message: IncomingMessage): void {
    const { headers, rawHeaders, url } = message
    this.seen.push(`${where} ${inspect([headers, rawHeaders, url])}`)
    this.seen.push(`${where} ${inspect(message)}`)
  }

  session(where: string, session: LifecycleSession, request: FastifyRequest): void {
    this.seen.push(`${where} ${inspect(session, { depth: 3 })}`)
    this.request(where, request)
    this.request(`${where}, the first one`, session.request)
  }

  /** What listeners of the event, or of the trace, are given. */
  event(name: string, told: object): void {
    // The server would be in each: it is looked at once.
    const { app, ...event } = told as Partial<ServerEvent>
    this.apps.add(app)
    this.seen.push(`${name} ${inspect(event, { depth: 3 })}`)
    const { connection, request } = event as { connection?: object; request?: IncomingMessage }
    if (connection !== undefined) this.seen.push(`${name} ${inspect(connection, { depth: 3 })}`)
    if (request !== undefined) this.message(name, request)
  }

  reply(where: string, reply: FastifyReply, payload?: unknown): void {
    this.seen.push(`${where} ${inspect([reply.getHeaders(), payload])}`)
  }
}

/** What is wrong with a request says its header. */
function faultOf(request: FastifyRequest): string | undefined {
  return request.headers['x-fault']?.toString()
}

function addHooks(app: FastifyInstance, dump: Dump): void {
  app.addHook('onRequest', async (request) => dump.request('onRequest', request))
  app.addHook('preParsing', async (request) => dump.request('preParsing', request))
  app.addHook('preValidation', async (request) => dump.request('preValidation', request))
  app.addHook('preHandler', async (request, reply) => {
    dump.request('preHandler', request)
    if (faultOf(request) === 'throws') throw new Error(`no: ${inspect(request.headers)}`)
    if (faultOf(request) === 'refuses') return reply.code(401).send({ url: request.url })
    if (faultOf(request) === 'closes') await reply.refuseWebsocket(3000, 'no')
    return undefined
  })
  app.addHook('onSend', async (request, reply, payload) => {
    dump.request('onSend', request)
    dump.reply('onSend', reply, payload)
  })
  app.addHook('onResponse', async (request) => dump.request('onResponse', request))
  app.addHook('onError', async (request, reply, error) => {
    dump.request('onError', request)
    dump.reply('onError', reply, error)
  })
  app.setNotFoundHandler((request, reply) => {
    dump.request('404', request)
    return reply.code(404).send({ headers: request.headers })
  })
}

/** Listens to all that the plugin tells, until the test is over. */
function listen(t: TestContext, dump: Dump): void {
  const listenTo = (channel: string): void => {
    const listener = (told: unknown): void => dump.event(channel, told as object)
    subscribe(channel, listener)
    t.after(() => unsubscribe(channel, listener))
  }
  for (const name of Object.keys(CHANNELS)) listenTo(`${PREFIX}${name}`)
  for (const name of Object.keys(TRACES)) {
    for (const moment of ['start', 'end', 'asyncStart', 'asyncEnd', 'error']) {
      listenTo(`tracing:${PREFIX}${name}:${moment}`)
    }
  }
}

interface Server extends WithSessions {
  readonly dump: Dump
  readonly logged: () => string
}

async function serveSecrets(t: TestContext): Promise<Server> {
  const dump = new Dump()
  listen(t, dump)
  const { lines, fastify } = logLines()
  const server = await serveSessions(t, {
    fastify,
    options: {
      maxConnections: 3,
      refuse: 'http',
      websocket: {
        handleProtocols: (names, message) => {
          dump.seen.push(`handleProtocols ${inspect(names)}`)
          dump.message('handleProtocols', message)
          return [...names][0] ?? false
        },
        verifyClient: (info: { req: IncomingMessage }) => {
          dump.message('verifyClient', info.req)
          return true
        },
      },
    },
    before: (app) => addHooks(app, dump),
    handler: (session, request) => dump.session('handler', session, request),
    route: {
      resume: {
        key: (request) => {
          dump.request('key', request)
          return keyOf(request)
        },
        window: WINDOW,
      },
      expiresAt: (request) => {
        dump.request('expiresAt', request)
        return undefined
      },
      onMessage: (session, request, message) => {
        dump.session('onMessage', session, request)
        if (message === 'throw') throw new Error(`no: ${inspect(session)}`)
      },
      onSuspend: (session, request, close) => {
        dump.session('onSuspend', session, request)
        dump.seen.push(inspect(close))
      },
      onResume: (session, request) => dump.session('onResume', session, request),
      onHandlerError: (session, request, error) => {
        dump.session('onHandlerError', session, request)
        dump.seen.push(inspect(error))
      },
      onUnexpectedClose: (session, request) => dump.session('onUnexpectedClose', session, request),
      onClose: (session, request, close) => {
        dump.session('onClose', session, request)
        dump.seen.push(inspect(close))
      },
    },
  })
  return { ...server, dump, logged: () => JSON.stringify(lines) }
}

/** The hex of it too: a Buffer is dumped so. */
function assertNowhere(text: string, token: string): void {
  for (const form of [token, Buffer.from(token).toString('hex').match(/../g)?.join(' ') ?? '']) {
    const at = text.indexOf(form)
    assert.ok(at < 0, text.slice(Math.max(0, at - 300), at + 100))
  }
}

test('a session that begins, is lost, goes on, fails and ends shows its token nowhere', async (t) => {
  const { app, dump, logged, sessions, url } = await serveSecrets(t)
  app.server.on('upgrade', (message: IncomingMessage) => dump.message('upgrade', message))
  const first = await LinkPeer.confirmed(url, { protocols: ['chat'] })
  const { token } = first.welcome
  first.cut()
  await turns(20)
  const second = await LinkPeer.connect(url, {
    protocols: ['chat'],
    resume: first.resume(1, 0),
  })
  const third = await LinkPeer.connect(url, { protocols: ['chat'], resume: first.resume(2, 0) })
  await second.closed
  third.send('throw')
  assert.match(await third.closed, /^close 1011/)
  await sessions[0]?.closed
  const hooks = ['onSuspend', 'onResume', 'onHandlerError', 'onClose', 'key', 'upgrade']
  const events = ['session.interrupted', 'session.resumed', 'connection.released']
  const traces = ['handshake:start', 'message:start', 'step:start'].map(
    (name) => `tracing:${PREFIX}${name}`,
  )
  for (const where of [...hooks, ...events.map((name) => PREFIX + name), ...traces]) {
    assert.ok(
      dump.seen.some((each) => each.startsWith(where)),
      where,
    )
  }
  for (const each of [...dump.seen, inspect(dump.apps, { depth: 5 })]) assertNowhere(each, token)
  assertNowhere(logged(), token)
})

for (const [what, path, headers, status] of [
  ['404', '/nowhere', {}, 404],
  ['a refused origin', '/ws/7', { origin: 'https://evil.example' }, 403],
  ['a hook that refuses', '/ws/7', { 'x-fault': 'refuses' }, 401],
  ['a hook that throws', '/ws/7', { 'x-fault': 'throws' }, 500],
  ['a hook that closes', '/ws/7', { 'x-fault': 'closes' }, 101],
  ['another key', '/ws/7', { 'x-user': 'eve' }, 101],
  ['another path', '/ws/8', {}, 101],
  ['the version of another protocol', '/ws/7', { 'sec-websocket-version': '7' }, 400],
] as const) {
  test(`an attempt that gets ${what} shows the token nowhere`, async (t) => {
    const { dump, logged, port, url } = await serveSecrets(t)
    const first = await LinkPeer.confirmed(url)
    const { token } = first.welcome
    first.cut()
    await turns(20)
    const offer = { 'sec-websocket-protocol': `wsl.1, wsl.r.1.0.${token}` }
    const peer = await RawPeer.dial(port, path, { ...offer, ...headers })
    const answer = await peer.answer()
    assert.equal(Number(answer.split(' ')[1]), status, answer)
    assertNowhere(answer, token)
    const frame = status === 101 ? await peer.next() : undefined
    assertNowhere(frame?.payload.toString() ?? '', token)
    for (const each of dump.seen) assertNowhere(each, token)
    assertNowhere(logged(), token)
  })
}

test('an attempt at a server that is full, or drains, shows the token nowhere', async (t) => {
  const { app, dump, logged, port, url } = await serveSecrets(t)
  const first = await LinkPeer.confirmed(url)
  const { token } = first.welcome
  const others = await Promise.all([1, 2].map(async () => LinkPeer.confirmed(url)))
  assert.equal(others.length, 2)
  const offer = { 'sec-websocket-protocol': `wsl.1, wsl.r.1.0.${token}` }
  // On another path it is a new one.
  const full = await RawPeer.dial(port, '/ws/8', offer)
  const answers = [await full.answer()]
  const draining = app.websocketLifecycle.drain()
  const late = await RawPeer.dial(port, '/ws/7', offer)
  answers.push(await late.answer())
  for (const answer of answers) {
    assert.match(answer, /^HTTP\/1\.1 503/)
    assertNowhere(answer, token)
  }
  await Promise.all([draining, ...others.map((other) => other.closed)])
  for (const each of dump.seen) assertNowhere(each, token)
  assertNowhere(logged(), token)
})
