// A session goes on although its client comes to another node: real servers with the plugin.
import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { test, type TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { readOffer } from '../../lib/core/session/link.js'
import type { Pipe } from '../../lib/redis/pipe.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { pipeOf } from '../support/servers/piping.js'
import { serverSockets } from '../support/servers/server-sockets.js'
import {
  keyOf,
  serveSessions,
  type SessionSetup,
  WINDOW,
  type WithSessions,
} from '../support/servers/with-sessions.js'
import { until } from '../support/time/timed.js'

const ALICE = { 'x-user': 'alice' }

/** All upgrades that resume a session go to another node: A. */
function forwardAll({ server }: FastifyInstance, pipe: Pipe): void {
  const emit = server.emit.bind(server)
  server.emit = (...event: unknown[]): boolean => {
    const go = (): boolean => Reflect.apply(emit, server, event) as boolean
    if (event[0] !== 'upgrade') return go()
    const [, message, raw, head] = event as [string, IncomingMessage, Duplex, Buffer]
    const { resume } = readOffer(String(message.headers['sec-websocket-protocol']))
    const upgrade = { message, raw, head, rawHeaders: message.rawHeaders }
    return (resume !== undefined && pipe.forward(upgrade, `A.${resume.token}`, go)) || go()
  }
}

interface Nodes {
  readonly owner: WithSessions
  readonly other: WithSessions
  readonly pipe: Pipe
  /** Opens a session at its owner, and leaves it. */
  readonly leave: () => Promise<LinkPeer>
}

async function serveNodes(t: TestContext, setup: SessionSetup = {}): Promise<Nodes> {
  const owner = await serveSessions(t, setup)
  const other = await serveSessions(t)
  const { pipe } = pipeOf({ A: `http://127.0.0.1:${owner.port}` }, other.clock)
  forwardAll(other.app, pipe)
  const leave = async (): Promise<LinkPeer> => {
    const peer = await LinkPeer.confirmed(owner.url, { headers: ALICE })
    peer.cut()
    await owner.noted('suspend')
    return peer
  }
  return { owner, other, pipe, leave }
}

test('a resume at another node goes on where it was, and hooks see who comes', async (t) => {
  const seen: object[] = []
  const { owner, other, pipe, leave } = await serveNodes(t, {
    fastify: { trustProxy: '127.0.0.1' },
    route: {
      resume: {
        key: (request) => {
          const { ip, ips, host, protocol, url } = request
          seen.push({ ip, ips, host, protocol, url })
          return keyOf(request)
        },
        window: WINDOW,
      },
    },
  })
  const before = await leave()
  const [session = assert.fail()] = owner.sessions
  session.send('while you were away')
  const headers = { ...ALICE, 'x-forwarded-for': '9.9.9.9' }
  const peer = new LinkPeer(other.url, { headers, resume: before.resume(1, 0) })
  await peer.expect('welcome')
  assert.equal(peer.welcome.isResumed, true)
  await peer.expect('while you were away')
  await owner.noted('resume')
  peer.send('and I')
  await owner.noted('message and I')
  const large = 'x'.repeat(100_000)
  session.send(large)
  await peer.expect(large)
  assert.deepEqual(other.events, [])
  assert.deepEqual(seen[1], {
    ip: '9.9.9.9',
    ips: ['127.0.0.1', '127.0.0.1', '9.9.9.9'],
    host: `127.0.0.1:${other.port}`,
    protocol: 'http',
    url: '/ws/7',
  })
  peer.ws.close(1000)
  await peer.closed
  await owner.noted('close client-close')
  await until(() => pipe.size === 0)
})

test('the session waits again when the connection to the other node is lost', async (t) => {
  const { owner, other, pipe, leave } = await serveNodes(t)
  const before = await leave()
  for (let attempt = 1; attempt <= 3; attempt++) {
    const peer = await LinkPeer.connect(other.url, {
      headers: ALICE,
      resume: before.resume(attempt, 0),
    })
    if (attempt < 3) peer.cut()
    else pipe.cut()
    await owner.noted('suspend', attempt + 1)
    assert.equal(await peer.closed, 'close 1006')
    await until(() => pipe.size === 0)
  }
  const last = await LinkPeer.connect(owner.url, { headers: ALICE, resume: before.resume(4, 0) })
  assert.equal(last.welcome.isResumed, true)
  last.cut()
})

test('the owner dies: its client begins anew at the other node', async (t) => {
  const { owner, other, leave } = await serveNodes(t)
  const before = await leave()
  const sockets = serverSockets(owner.app)
  const peer = await LinkPeer.connect(other.url, { headers: ALICE, resume: before.resume(1, 0) })
  owner.app.server.close()
  for (const socket of sockets) socket.resetAndDestroy()
  assert.equal(await peer.closed, 'close 1006')
  const next = await LinkPeer.connect(other.url, { headers: ALICE, resume: before.resume(2, 0) })
  assert.equal(next.welcome.isResumed, false)
  await other.noted('handler')
  next.cut()
})

test('a refusal of the owner is its own', async (t) => {
  const { other, pipe, leave } = await serveNodes(t, {
    before: (app) =>
      app.addHook('onRequest', async (request, reply) => {
        if (request.headers['x-banned'] === undefined) return
        await reply.code(401).header('X-Why', 'banned').send({ why: 'banned' })
      }),
  })
  const before = await leave()
  const { ws } = new LinkPeer(other.url, {
    headers: { ...ALICE, 'x-banned': '1' },
    resume: before.resume(1, 0),
  })
  const answer = await new Promise<IncomingMessage>((resolve) => {
    ws.on('unexpected-response', (_request, response) => resolve(response))
  })
  const chunks: Buffer[] = []
  for await (const chunk of answer) chunks.push(chunk as Buffer)
  assert.deepEqual(
    [answer.statusCode, answer.headers['x-why'], Buffer.concat(chunks).toString()],
    [401, 'banned', '{"why":"banned"}'],
  )
  ws.terminate()
  await until(() => pipe.size === 0)
})

test('an address that leads back here makes no loop: the client begins anew', async (t) => {
  const node = await serveSessions(t)
  const { pipe } = pipeOf({ A: `http://127.0.0.1:${node.port}` }, node.clock)
  forwardAll(node.app, pipe)
  const token = 'of-a-node-whose-address-is-wrong'
  const peer = await LinkPeer.connect(node.url, {
    headers: ALICE,
    resume: { attempt: 1, received: 0, token },
  })
  assert.equal(peer.welcome.isResumed, false)
  assert.equal(pipe.size, 1)
  peer.ws.close(1000)
  await peer.closed
  await until(() => pipe.size === 0)
})

test('an upgrade of injectWS stays here', async (t) => {
  const { other, pipe } = await serveNodes(t)
  const resume = 'wsl.1, wsl.r.1.0.secret'
  const ws = await other.app.injectWS('/ws/7', {
    headers: { ...ALICE, 'sec-websocket-protocol': resume },
  })
  await other.noted('handler')
  assert.equal(pipe.size, 0)
  ws.terminate()
})
