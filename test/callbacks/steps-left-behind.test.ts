// Steps of an end that overrun cleanupTimeout.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { delivered } from '../support/time/delivered.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { logLines } from '../support/servers/log-lines.js'
import { connectOne } from '../support/servers/server.js'

test('a step that overruns cleanupTimeout is left behind, counted, and logged by name', async (t) => {
  const clock = new FakeClock()
  const { lines, fastify } = logLines()
  const { opened: never, open: settle } = gate()
  const ran: string[] = []
  const { app, peer, socket } = await connectOne(t, {
    clock,
    fastify,
    route: {
      cleanupTimeout: 200,
      onUnexpectedClose: () => never,
      onClose: () => {
        ran.push('close')
        return never
      },
    },
    handler: (socket) => {
      socket.scope.defer(() => ran.push('release'))
      socket.scope.defer(function closeFeed() {
        ran.push('closeFeed')
        return never
      })
    },
  })
  peer.reset()
  await once(socket, 'close')
  await delivered()
  assert.deepEqual(ran, [])
  await clock.advance(199)
  assert.deepEqual(ran, [])
  await clock.advance(1)
  assert.deepEqual(ran, ['close'])
  await clock.advance(200)
  assert.deepEqual(ran, ['close', 'closeFeed'])
  await clock.advance(200)
  assert.deepEqual(ran, ['close', 'closeFeed', 'release'])
  await socket.closed
  assert.equal(app.websocketLifecycle.stats().abandoned, 3)
  const logged = lines.filter((line) => /left behind/.test(String(line['msg'])))
  assert.deepEqual(
    logged.map(({ level, id, route, step }) => ({ level, id, route, step })),
    ['onUnexpectedClose', 'onClose', 'release closeFeed'].map((step) => ({
      level: 40,
      id: socket.id,
      route: '/',
      step,
    })),
  )
  settle()
})

test('what a step that was left behind does later is only logged', async (t) => {
  const clock = new FakeClock()
  const { lines, fastify } = logLines()
  let fail: ((error: Error) => void) | undefined
  const told: Error[] = []
  const { peer, socket } = await connectOne(t, {
    clock,
    fastify,
    route: {
      cleanupTimeout: 200,
      onClose: () =>
        new Promise((_resolve, reject) => {
          fail = reject
        }),
      onHandlerError: (_socket, _request, error) => {
        told.push(error)
      },
    },
  })
  peer.reset()
  await once(socket, 'close')
  await clock.advance(200)
  await socket.closed
  fail?.(new Error('much later'))
  await delivered()
  assert.deepEqual(told, [])
  const line = lines.find(({ err }) => (err as Error | undefined)?.message === 'much later')
  assert.equal(line?.['level'], 50)
  assert.equal(line?.['step'], 'onClose')
})
