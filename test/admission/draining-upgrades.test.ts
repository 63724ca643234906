// Upgrades that come while the server is draining: each is refused, whatever it asks for.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import { until } from '../support/time/timed.js'
import { within } from '../support/time/bound.js'
import { parseAnswer, refusal } from '../support/peers/client.js'
import { gate } from '../support/time/gate.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { assertNothingLeft, serveScoped } from '../support/servers/scoped.js'

describe('an upgrade while draining', () => {
  test('gets a 503 with Retry-After in the form of a Fastify error, and its socket is ended', async (t) => {
    const served = await serveScoped(t)
    await served.app.websocketLifecycle.drain()
    const peer = await RawPeer.dial(served.port, '/ws')
    const { status, headers, body } = parseAnswer(await peer.answer())
    assert.equal(status, 503)
    assert.equal(headers['retry-after'], '1')
    assert.match(String(headers['content-type']), /^application\/json/)
    assert.deepEqual(JSON.parse(body), {
      statusCode: 503,
      code: 'FST_ERR_WSL_DRAINING',
      error: 'Service Unavailable',
      message: 'The server is shutting down and takes no more WebSocket connections',
    })
    await within(peer.ended(), 'the end of the socket')
    await assertNothingLeft(served, { draining: 1 }, [])
    assert.equal((await served.app.inject('/http')).body, 'http')
  })

  test('gets the Retry-After of the options', async (t) => {
    const { app, port } = await serveScoped(t, { drain: { retryAfter: 30 } })
    await app.websocketLifecycle.drain()
    assert.equal((await refusal(`ws://127.0.0.1:${port}/ws`)).headers['retry-after'], '30')
  })

  test('gets the same for whatever path it asks', async (t) => {
    const served = await serveScoped(t)
    await served.app.websocketLifecycle.drain()
    for (const path of ['/http', '/nowhere']) {
      const peer = await RawPeer.dial(served.port, path)
      assert.equal(parseAnswer(await peer.answer()).status, 503)
      await within(peer.ended(), 'the end of the socket')
    }
    await assertNothingLeft(served, { draining: 2 }, [])
  })

  test('gets it while app.close() waits for a slow preClose hook of another plugin', async (t) => {
    const theirs = gate()
    const began = gate()
    const served = await serveScoped(
      t,
      {},
      {},
      {
        before: (app) =>
          app.addHook('preClose', async () => {
            began.open()
            await theirs.opened
          }),
      },
    )
    const closing = served.app.close()
    await began.opened
    const peer = await RawPeer.dial(served.port, '/ws')
    const { status, headers, body } = parseAnswer(await peer.answer())
    assert.equal(status, 503)
    assert.equal(headers['retry-after'], '1')
    assert.equal(JSON.parse(body).code, 'FST_ERR_WSL_DRAINING')
    await within(peer.ended(), 'the end of the socket')
    theirs.open()
    await within(closing, 'app.close()')
    await assertNothingLeft(served, { draining: 1 }, [])
  })

  test('does not keep app.close() waiting, though its peer neither reads nor leaves', async (t) => {
    const theirs = gate()
    const served = await serveScoped(
      t,
      {},
      {},
      { before: (app) => app.addHook('preClose', async () => theirs.opened) },
    )
    const closing = served.app.close()
    await until(() => served.app.websocketLifecycle.draining)
    const socket = connect({ port: served.port, host: '127.0.0.1', allowHalfOpen: true })
    await once(socket, 'connect')
    socket.pause()
    socket.write(RawPeer.handshake(served.port, '/ws'))
    await until(() => served.app.websocketLifecycle.stats().refused.draining > 0)
    theirs.open()
    await within(closing, 'app.close()')
    socket.destroy()
    await assertNothingLeft(served, { draining: 1 }, [])
  })

  test('through injectWS is refused too', async (t) => {
    const served = await serveScoped(t)
    await served.app.websocketLifecycle.drain()
    await assert.rejects(async () => served.app.injectWS('/ws'), /Unexpected server response: 503/)
    await assertNothingLeft(served, { draining: 1 }, [])
  })
})
