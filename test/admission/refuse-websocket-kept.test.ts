// reply.refuseWebsocket() of a reply that was kept, when its upgrade is over or nearly so.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { LifecycleSocket, WebsocketLifecycleOptions } from '../../lib/index.js'
import { turns } from '../support/time/fake-clock.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { refused } from '../support/servers/refused.js'
import { portOf, serve } from '../support/servers/server.js'
import { Stranger } from '../support/peers/stranger.js'
import { until } from '../support/time/timed.js'

function isTooLate(error: unknown): boolean {
  return (error as { code?: string }).code === 'FST_ERR_WSL_TOO_LATE_TO_REFUSE'
}

/** An app whose `/ws` echoes, and of whose requests the replies are kept. */
async function serveKeeping(
  t: TestContext,
  options: WebsocketLifecycleOptions = {},
): Promise<{ app: FastifyInstance; port: number; replies: FastifyReply[]; events: string[] }> {
  const replies: FastifyReply[] = []
  const events: string[] = []
  const app = await serve(t, {
    options: { keepalive: false, ...options },
    before: (app) => app.addHook('onRequest', async (_request, reply) => void replies.push(reply)),
    routes: (app) => {
      app.get('/ws', { websocket: true }, (socket: LifecycleSocket) => {
        events.push('handler')
        socket.on('message', (data: Buffer) => socket.send(`echo ${data.toString()}`))
      })
    },
  })
  return { app, port: portOf(app), replies, events }
}

describe('a refusal by a reply that was kept', () => {
  test('is too late after the 101, and the connection does not notice', async (t) => {
    const { app, port, replies } = await serveKeeping(t)
    const peer = await RawPeer.open(port, '/ws')
    const [reply] = replies
    assert.throws(() => reply?.refuseWebsocket(), isTooLate)
    peer.send(RawPeer.frame(OPCODE.text, 'hello'))
    const frame = await peer.next()
    assert.equal(frame?.payload.toString(), 'echo hello')
    assert.deepEqual(app.websocketLifecycle.stats().refused, refused())
    peer.send(RawPeer.closeFrame(1000))
    await until(() => app.websocketLifecycle.stats().open === 0)
    assert.throws(() => reply?.refuseWebsocket(), isTooLate)
  })

  test('is too late after the 101 through injectWS', async (t) => {
    const { app, replies } = await serveKeeping(t)
    const socket = await app.injectWS('/ws')
    assert.throws(() => replies[0]?.refuseWebsocket(), isTooLate)
    const message = new Promise((resolve) => {
      socket.on('message', (data: Buffer) => resolve(data.toString()))
    })
    socket.send('hello')
    assert.equal(await message, 'echo hello')
    socket.terminate()
  })

  test('is too late while verifyClient is asked: that decides, and the handler runs once', async (t) => {
    const asked: Array<(isWelcome: boolean) => void> = []
    const { app, port, replies, events } = await serveKeeping(t, {
      websocket: { verifyClient: (_info, done) => void asked.push(done) },
    })
    const stranger = await Stranger.dial(port, '/ws')
    await until(() => asked.length > 0)
    assert.throws(() => replies[0]?.refuseWebsocket(), isTooLate)
    for (const done of asked) done(true)
    const head = await stranger.head()
    assert.match(head, /^HTTP\/1\.1 101 /)
    await turns(20)
    assert.equal(stranger.bytes, head)
    assert.deepEqual(events, ['handler'])
    assert.equal(app.websocketLifecycle.connections.size, 1)
    assert.deepEqual(app.websocketLifecycle.stats().refused, refused())
  })
})
