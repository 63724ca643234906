// What an upgrade leaves behind when its connection is open: nothing that nobody asks for any more.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { FastifyReply } from 'fastify'
import { RawPeer } from '../support/peers/raw-peer.js'
import { serveOne } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

test('an open connection keeps neither the reply of its upgrade nor the response', async (t) => {
  const kept: Array<WeakRef<object>> = []
  const { port, nextSocket } = await serveOne(t, {
    routes: (app) => {
      app.addHook('onRequest', async (_request, reply: FastifyReply) => {
        kept.push(new WeakRef(reply), new WeakRef(reply.raw))
      })
      app.get('/kept', { websocket: true }, () => {})
    },
  })
  const peer = await RawPeer.open(port, '/kept')
  await until(() => {
    collect()
    return kept.length === 2 && kept.every((one) => one.deref() === undefined)
  })
  peer.destroy()
  await RawPeer.open(port)
  const { request } = await nextSocket()
  assert.equal(request.ip, '127.0.0.1')
  assert.equal(request.url, '/')
})

test('who waits for the close of the response hears of it when the connection ends', async (t) => {
  let closes = 0
  const { port } = await serveOne(t, {
    routes: (app) => {
      app.addHook('preHandler', async (_request, reply) => {
        reply.raw.once('close', () => closes++)
      })
      app.get('/waits', { websocket: true }, () => {})
    },
  })
  const peer = await RawPeer.open(port, '/waits')
  assert.equal(closes, 0)
  peer.destroy()
  await until(() => closes === 1)
})
