// How to test WebSocket routes, with node:test. Run it with `npx tsx --test examples/echo.test.ts`.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import websocketLifecycle from 'fastify-websocket-lifecycle'
import { WebSocket } from 'ws'

/** Your own app. A test ends it: `close()` ends all connections, and waits for their cleanups. */
async function build(t: TestContext): Promise<FastifyInstance> {
  const app = Fastify()
  t.after(() => app.close())
  await app.register(websocketLifecycle)
  app.get(
    '/echo',
    { websocket: true, onMessage: (socket, _request, message) => socket.send(message) },
    (socket) => socket.send('welcome'),
  )
  return app
}

test('it greets and echoes, without a network', async (t) => {
  const app = await build(t)
  await app.ready()
  const heard: string[] = []
  // The greeting comes before injectWS() is done: a listener that is added later misses it.
  const onInit = (ws: WebSocket): void => {
    ws.on('message', (data: Buffer) => heard.push(data.toString()))
  }
  const client = await app.injectWS('/echo', {}, { onInit })
  client.send('hello')
  while (heard.length < 2) await once(client, 'message')
  assert.deepEqual(heard, ['welcome', 'hello'])
})

test('it knows how a client has left', async (t) => {
  const app = await build(t)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const client = new WebSocket(`${url}/echo`)
  await once(client, 'message') // the greeting
  const [socket] = app.websocketLifecycle.connections
  assert.ok(socket)

  client.terminate() // as when its process has crashed
  const { cause, expected } = await socket.closed
  assert.deepEqual({ cause, expected }, { cause: 'connection-lost', expected: false })
  assert.equal(app.websocketLifecycle.connections.size, 0)
})

test('it refuses pages of other sites', async (t) => {
  const app = await build(t)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const client = new WebSocket(`${url}/echo`, { origin: 'https://other.example' })
  const [, response] = (await once(client, 'unexpected-response')) as [unknown, IncomingMessage]
  response.resume()
  assert.equal(response.statusCode, 403)
})
