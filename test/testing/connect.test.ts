// connect(): from an app, a URL or a link to a peer, or to a refusal that says why.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import Fastify, { type FastifyRequest } from 'fastify'
import { createPlugin } from '../../lib/plugin/plugin.js'
import { connect, link, type TestApp, UpgradeRefusedError } from '../../lib/testing/index.js'
import { portOf } from '../support/servers/app.js'
import { kitApp, theSocket } from '../support/servers/kit-app.js'
import { cert, key } from '../support/servers/tls.js'
import { never } from '../support/time/gate.js'

test('an app that does not listen is made to, once, and on loopback', async (t) => {
  const app = await kitApp(t)
  const peers = await Promise.all([connect(app), connect(app), connect(app, '/?x=1')])
  for (const peer of peers) {
    peer.send('hello')
    assert.equal(await peer.next(), 'hello')
  }
  assert.equal(peers[0]?.socket.remoteAddress, '127.0.0.1')
  assert.equal(app.websocketLifecycle.connections.size, 3)
})

for (const host of ['127.0.0.1', '0.0.0.0', '::', '::1']) {
  test(`an app that listens on ${host} is found, by itself and by a URL`, async (t) => {
    const app = await kitApp(t)
    await app.listen({ port: 0, host })
    const name = host.includes(':') ? '[::1]' : '127.0.0.1'
    const urls = [`ws://${name}:${portOf(app)}`, new URL(`http://${name}:${portOf(app)}/?a=b`)]
    for (const target of [app, ...urls]) {
      const peer = await connect(target)
      peer.send('hello')
      assert.equal(await peer.next(), 'hello')
      await peer.close()
    }
  })
}

test('the path is that of the URL, unless one is given', async (t) => {
  const urls: string[] = []
  const app = await kitApp(t, { handler: ({ request }) => urls.push(request.url) })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  await connect(`${url}/?of=url`)
  await connect(`${url}/?of=url`, '/?of=path')
  await connect(url)
  assert.deepEqual(urls, ['/?of=url', '/?of=path', '/'])
})

test('an app on a unix socket is found', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'kit-'))
  t.after(() => rmSync(dir, { recursive: true }))
  const app = await kitApp(t)
  await app.listen({ path: join(dir, 'socket') })
  const peer = await connect(app)
  peer.send('hello')
  assert.equal(await peer.next(), 'hello')
  const line = await link(app)
  const linked = await connect(line)
  linked.send('hello')
  assert.equal(await linked.next(), 'hello')
})

async function secureApp(t: TestContext): Promise<TestApp> {
  const app = Fastify({ https: { cert, key } })
  t.after(() => app.close())
  await app.register(createPlugin())
  app.get('/', { websocket: true }, (socket) => socket.send('over TLS'))
  return app
}

test('TLS: the certificate of an app is trusted, that of a URL is checked', async (t) => {
  const app = await secureApp(t)
  assert.equal(await (await connect(app)).next(), 'over TLS')
  const line = await link(app)
  assert.match(line.url, /^wss:/)
  assert.equal(await (await connect(line)).next(), 'over TLS')
  const { port } = app.server.address() as AddressInfo
  const url = `wss://localhost:${port}`
  await assert.rejects(connect(url), { code: /SELF_SIGNED|UNABLE_TO_VERIFY/ })
  const peer = await connect(url, '/', { tls: { ca: cert } })
  assert.equal(await peer.next(), 'over TLS')
})

test('headers and subprotocols are sent, and those of the 101 are there', async (t) => {
  const seen: Array<FastifyRequest['headers']> = []
  const app = await kitApp(t, { handler: ({ request }) => seen.push(request.headers) })
  const peer = await connect(app, '/', {
    headers: { cookie: 'a=b', 'x-many': ['1', '2'] },
    protocols: ['chat', 'other'],
  })
  assert.equal(seen[0]?.cookie, 'a=b')
  assert.equal(seen[0]?.['x-many'], '1, 2')
  assert.equal(peer.protocol, 'chat')
  assert.equal(peer.headers.upgrade, 'websocket')
  assert.equal((await connect(app)).protocol, '')
})

test('a refusal rejects with status, headers and body', async (t) => {
  const app = await kitApp(t)
  app.get('/private', { websocket: true }, () => {})
  app.addHook('onRequest', async ({ url }, reply) => {
    if (url === '/private') await reply.code(401).header('www-authenticate', 'Bearer').send('who?')
  })
  await assert.rejects(connect(app, '/private'), (error: unknown) => {
    assert.ok(error instanceof UpgradeRefusedError)
    assert.equal(error.name, 'UpgradeRefusedError')
    assert.equal(error.status, 401)
    assert.equal(error.headers['www-authenticate'], 'Bearer')
    assert.equal(error.body, 'who?')
    assert.equal(error.message, 'Expected a WebSocket on /private, got 401: who?')
    return true
  })
  await assert.rejects(connect(app, '/', { headers: { origin: 'https://other.example' } }), {
    status: 403,
  })
})

test('who gets no answer is told so, and the test line is in the stack', async (t) => {
  const app = await kitApp(t, { before: (app) => app.addHook('onRequest', () => never) })
  await assert.rejects(connect(app, '/', { timeout: 20 }), (error: Error) => {
    assert.match(error.message, /^Expected an answer to the upgrade of \/ within 20 ms, got none/)
    assert.match(error.stack ?? '', /connect\.test\.ts/)
    return true
  })
})

test('whoever is not there is an error of the socket', async (t) => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  await assert.rejects(connect(`ws://127.0.0.1:${port}`), { code: 'ECONNREFUSED' })
  t.diagnostic(`${port}`)
})

test('a body that never ends, or a connection that ends in it, is no peer', async (t) => {
  const server = createHttpServer().on('upgrade', ({ url }, raw: Socket) => {
    raw.on('error', () => {})
    raw.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\nhalf')
    if (url === '/ends') raw.destroy()
  })
  t.after(() => server.close())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await assert.rejects(connect(`ws://127.0.0.1:${port}`, '/', { timeout: 30 }), /within 30 ms/)
  await assert.rejects(connect(`ws://127.0.0.1:${port}/ends`), { code: 'ECONNRESET' })
})

test('a URL of a protocol that we do not know needs a port', async () => {
  await assert.rejects(link('foo://somewhere'), {
    message: 'Expected a URL with a port, got foo://somewhere',
  })
})

test('the peers of an app end with it, also one that is frozen', async (t) => {
  const app = await kitApp(t, { options: { closeTimeout: 50 } })
  const peers = await Promise.all(Array.from({ length: 12 }, () => connect(app)))
  const [frozen = assert.fail(), gone = assert.fail()] = peers
  frozen.freeze()
  await gone.close(1000)
  assert.ok(theSocket(app))
  await app.close()
  for (const peer of peers) await peer.closed
  assert.ok(peers.every(({ socket }) => socket.destroyed))
})
