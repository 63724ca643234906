import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import {
  alreadyRegistered,
  clusterKey,
  clusterUnavailable,
  ConnectionClosedError,
  draining,
  handshakeTimeout,
  invalidOption,
  type LifecycleErrorCode,
  notAWebsocketRoute,
  routeBeforePlugin,
  websocketOnly,
  wsTooOld,
} from '../../lib/errors.js'

const TABLE: ReadonlyArray<[Error, LifecycleErrorCode, status: number, message: string | RegExp]> =
  [
    [invalidOption('wrong'), 'FST_ERR_WSL_INVALID_OPTION', 500, 'wrong'],
    [alreadyRegistered('twice'), 'FST_ERR_WSL_ALREADY_REGISTERED', 500, 'twice'],
    [
      wsTooOld('8.23.0', '@fastify/websocket', '8.18.3'),
      'FST_ERR_WSL_WS_VERSION',
      500,
      /^Expected ws 8\.23\.0 or later, but @fastify\/websocket has found 8\.18\.3: /,
    ],
    [draining(), 'FST_ERR_WSL_DRAINING', 503, /shutting down/],
    [handshakeTimeout('50'), 'FST_ERR_WSL_HANDSHAKE_TIMEOUT', 503, /handshakeTimeout of 50 ms$/],
    [
      notAWebsocketRoute('GET /'),
      'FST_ERR_WSL_NOT_A_WEBSOCKET_ROUTE',
      404,
      /^Route GET \/ takes no/,
    ],
    [
      websocketOnly('GET /'),
      'FST_ERR_WSL_WEBSOCKET_ONLY',
      404,
      /^Route GET \/ takes WebSocket connections only: open it with /,
    ],
    [
      routeBeforePlugin('GET /'),
      'FST_ERR_WSL_ROUTE_BEFORE_PLUGIN',
      500,
      /^Route GET \/ was declared before/,
    ],
    [
      clusterUnavailable('EVAL has failed'),
      'FST_ERR_WSL_CLUSTER_UNAVAILABLE',
      503,
      'Redis cannot be asked: EVAL has failed',
    ],
    [clusterKey('too long'), 'FST_ERR_WSL_CLUSTER_KEY', 500, 'too long'],
  ]

for (const [error, code, statusCode, message] of TABLE) {
  test(`${code} is answered with ${statusCode}`, async () => {
    const app = Fastify()
    app.get('/', () => {
      throw error
    })
    const response = await app.inject('/')
    const body: { code: string; message: string } = response.json()
    assert.equal(response.statusCode, statusCode)
    assert.equal(body.code, code)
    if (typeof message === 'string') assert.equal(body.message, message)
    else assert.match(body.message, message)
  })
}

test('a detail is taken as it is, whatever it looks like', () => {
  assert.equal(invalidOption('got `100%s`').message, 'got `100%s`')
})

test('each error is an Error of its own', () => {
  assert.ok(draining() instanceof Error)
  assert.notEqual(draining(), draining())
})

test('a closed connection says why, one that never opened says that', () => {
  const closed = new ConnectionClosedError('heartbeat-timeout')
  assert.equal(closed.message, 'The WebSocket connection is over: heartbeat-timeout')
  assert.equal(closed.closeCause, 'heartbeat-timeout')
  const unopened = new ConnectionClosedError(undefined)
  assert.equal(unopened.message, 'The WebSocket connection never opened')
  assert.equal(unopened.closeCause, undefined)
  for (const error of [closed, unopened]) {
    assert.ok(error instanceof Error)
    assert.equal(error.name, 'ConnectionClosedError')
    assert.equal(error.code, 'FST_ERR_WSL_CONNECTION_CLOSED')
  }
})
