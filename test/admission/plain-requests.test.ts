// A plain request to a WebSocket route: the first thing that one tries, and what comes behind a proxy without its headers.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { logLines } from '../support/servers/log-lines.js'
import { portOf, serve } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'

const SAYS = {
  statusCode: 404,
  code: 'FST_ERR_WSL_WEBSOCKET_ONLY',
  error: 'Not Found',
  message:
    'Route GET /rooms/:id takes WebSocket connections only: open it with a WebSocket client, in a browser with new WebSocket(url). If this was one, something on its way has taken its Upgrade and Connection headers away: have the proxy pass them on',
}

async function serveRoom(
  t: TestContext,
  route: object = {},
  fastify: FastifyServerOptions = {},
  before?: (app: FastifyInstance) => unknown,
): Promise<string> {
  const app = await serve(t, {
    fastify,
    ...(before && { before }),
    routes: (app) => app.get('/rooms/:id', { websocket: true, ...route }, () => {}),
  })
  return `http://127.0.0.1:${portOf(app)}/rooms/1`
}

test('a GET is told what the route is, and how to open it', async (t) => {
  const response = await fetch(await serveRoom(t))
  assert.equal(response.status, 404)
  assert.equal(response.headers.get('content-type'), 'application/json; charset=utf-8')
  assert.deepEqual(await response.json(), SAYS)
})

test('a HEAD has the status, and no body', async (t) => {
  const url = await serveRoom(t)
  const response = await fetch(url, { method: 'HEAD' })
  assert.deepEqual([response.status, await response.text()], [404, ''])
  const both = await serve(t, {
    routes: (app) =>
      app.route({ method: ['GET', 'HEAD'], url: '/', websocket: true, handler: () => {} }),
  })
  const { statusCode, body } = await both.inject({ method: 'HEAD', url: '/' })
  assert.deepEqual([statusCode, body], [404, ''])
  assert.equal((await both.inject('/')).json().code, SAYS.code)
})

test("a schema of the route's answers, or a serializer, changes nothing of it", async (t) => {
  const required = { type: 'object', required: ['reason'], properties: { reason: {} } }
  const url = await serveRoom(t, { schema: { response: { 404: required, '4xx': required } } })
  assert.deepEqual(await (await fetch(url)).json(), SAYS)
  const own = await serveRoom(t, { serializerCompiler: () => () => 'nothing' })
  assert.deepEqual(await (await fetch(own)).json(), SAYS)
})

test('it is no error: no error handler is asked, and nothing but the request is logged', async (t) => {
  const { lines, fastify } = logLines()
  const asked: unknown[] = []
  const url = await serveRoom(t, {}, fastify, (app) =>
    app.setErrorHandler((error, _request, reply) => {
      asked.push(error)
      return reply.code(500).send('handled')
    }),
  )
  const told = lines.length
  assert.deepEqual(await (await fetch(url)).json(), SAYS)
  await until(() => lines.length >= told + 2)
  assert.deepEqual(asked, [])
  assert.deepEqual(
    lines.slice(told).map(({ msg }) => msg),
    ['incoming request', 'request completed'],
  )
})

test("the app's hooks see it and may answer first", async (t) => {
  const url = await serveRoom(t, {
    onRequest: async (_request: unknown, reply: { code(status: number): { send(): unknown } }) =>
      reply.code(401).send(),
  })
  const response = await fetch(url)
  assert.deepEqual([response.status, await response.text()], [401, ''])
})
