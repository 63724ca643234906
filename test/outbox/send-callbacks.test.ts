// A callback of send() is called once, by ws or by us: whoever is first.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SendCallbacks } from '../../lib/outbox/send-callbacks.js'
import { connect } from '../support/peers/connect.js'
import { serve } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'

const GONE = new Error('the transport is gone')
const owner = { abortReason: () => GONE }

test('what ws has called back is not called again when the transport is gone', () => {
  const callbacks = new SendCallbacks()
  const told: unknown[] = []
  const done = callbacks.add((error) => told.push(error))
  done()
  callbacks.transportGone(owner)
  assert.deepEqual(told, [undefined])
})

test('what was called when the transport went is not called again by ws', () => {
  const callbacks = new SendCallbacks()
  const told: unknown[] = []
  const done = callbacks.add((error) => told.push(error))
  callbacks.transportGone(owner)
  done(new Error('ws comes later, as it has compressed until now'))
  assert.deepEqual(told, [GONE])
})

test('who sends in the last release is told that it was too late before closed resolves', async (t) => {
  const order: string[] = []
  const app = await serve(t, {
    routes: (app) => {
      app.get('/', { websocket: true }, (socket) => {
        const sendLate = (where: string): void => {
          socket.send('late', (error) => order.push(`${where}: ${error?.name}`))
        }
        socket.scope.defer(() => sendLate('release'))
        socket.on('close', () => sendLate('listener'))
        void socket.closed.then(() => order.push('closed'))
      })
    },
  })
  const peer = await connect(app, '/')
  peer.reset()
  await until(() => order.includes('closed'))
  assert.deepEqual(order, [
    'listener: ConnectionClosedError',
    'release: ConnectionClosedError',
    'closed',
  ])
})
