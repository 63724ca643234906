// Options by the names that they have elsewhere, with a slip, or at the other level.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  DRAIN_CHECKS,
  INBOX_CHECKS,
  KEEPALIVE_CHECKS,
  OUTBOX_CHECKS,
  PLUGIN_CHECKS,
  ROUTE_CHECKS,
} from '../../lib/options/tables.js'
import { FOREIGN_NAMES, plain } from '../../lib/options/other-names.js'
import { KNOWN_TO_WS } from '../../lib/options/websocket.js'
import { OURS_TO_SET } from '../../lib/platform/ws-options.js'
import { serve } from '../support/servers/server.js'
import { invalid, plugin, PLUGIN, route, ROUTE } from '../support/servers/resolve.js'

const OPENED = 'the handler of the route, which is called when it has opened'
const ELSEWHERE = 'leave it out: the server and its paths are those of Fastify'

/** By where they come from. */
const FOREIGN: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '@fastify/websocket': {
    options: '`websocket`',
    errorHandler: '`onHandlerError`',
    preClose: '`onShutdown`, which is called before connections are closed, or `drain`',
  },
  'socket.io': {
    pingInterval: '`keepalive.interval`',
    pingTimeout: '`keepalive.timeout`',
    maxHttpBufferSize: '`websocket.maxPayload`',
    connectTimeout: '`handshakeTimeout`',
    upgradeTimeout: '`handshakeTimeout`',
    cors: '`allowedOrigins`',
    allowRequest: 'a hook such as `onRequest`, or `allowedOrigins`',
    connectionStateRecovery: '`resume` of a route',
    onConnection: OPENED,
    onDisconnect: '`onClose`',
  },
  'Bun and uWebSockets.js': {
    maxPayloadLength: '`websocket.maxPayload`',
    backpressureLimit: '`outbox.maxBytes`',
    maxBackpressure: '`outbox.maxBytes`',
    sendPings: '`keepalive`',
    sendPingsAutomatically: '`keepalive`',
    message: '`onMessage` of a route',
    open: OPENED,
    close: '`onClose`',
  },
  'gorilla/websocket': {
    CheckOrigin: '`allowedOrigins`',
    EnableCompression: '`websocket.perMessageDeflate`',
    Subprotocols: '`websocket.handleProtocols`',
    pongWait: '`keepalive.timeout`',
    pingPeriod: '`keepalive.interval`',
    writeWait: '`outbox.maxAge`',
  },
  'websockets of Python': {
    ping_interval: '`keepalive.interval`',
    ping_timeout: '`keepalive.timeout`',
    max_size: '`websocket.maxPayload`',
    max_queue: '`inbox.maxMessages`',
  },
  people: {
    heartbeat: '`keepalive`',
    heartbeatInterval: '`keepalive.interval`',
    idle: '`idleTimeout`',
    onError: '`onHandlerError`, or `onUnexpectedClose`',
    timeout:
      '`idleTimeout`, `keepalive.timeout`, `handshakeTimeout`, `closeTimeout`, `cleanupTimeout` or `drain.timeout`',
    gracePeriod: '`drain.timeout`',
    rateLimit: '`messageRate`',
    maxConnectionsPerIp: '`maxConnectionsPerKey`',
  },
  ws: Object.fromEntries(KNOWN_TO_WS.map((name) => [name, `\`websocket.${name}\``])),
}

for (const [where, names] of Object.entries(FOREIGN)) {
  test(`the names of ${where} are told what they are here`, () => {
    for (const [name, meant] of Object.entries(names)) {
      const message = `Expected a known option, got \`${name}\` (did you mean ${meant}?), in ${PLUGIN}`
      assert.throws(() => plugin({ [name]: 1 }), invalid(message))
    }
  })
}

test('what is told to write instead is an option, and no name of ours is told to be another', () => {
  const groups: Readonly<Record<string, object>> = {
    keepalive: KEEPALIVE_CHECKS,
    inbox: INBOX_CHECKS,
    outbox: OUTBOX_CHECKS,
    drain: DRAIN_CHECKS,
    websocket: Object.fromEntries(KNOWN_TO_WS.map((name) => [name, 1])),
  }
  const known = new Set([...Object.keys(PLUGIN_CHECKS), ...Object.keys(ROUTE_CHECKS)])
  for (const [name, meant] of Object.entries(FOREIGN_NAMES)) {
    assert.equal(plain(name), name)
    assert.ok(![...known].map(plain).includes(name), name)
    for (const [, option = ''] of meant.matchAll(/`([^`]+)`/g)) {
      const [group = '', field] = option.split('.')
      if (field !== undefined) assert.ok(Object.hasOwn(groups[group] ?? {}, field), option)
      else assert.ok(known.has(group) || ['onRequest', 'key'].includes(group), option)
    }
  }
})

test('what the server of Fastify decides is left out', () => {
  for (const name of OURS_TO_SET.filter((each) => each !== 'closeTimeout')) {
    const message = `Expected a known option, got \`${name}\` (${ELSEWHERE}), in ${PLUGIN}`
    assert.throws(() => plugin({ [name]: 1 }), invalid(message))
  }
})

for (const [name, own] of [
  ['onMessage', 'onMessage'],
  ['onInvalidMessage', 'onInvalidMessage'],
  ['onmessage', 'onMessage'],
  ['resume', 'resume'],
  ['onSuspend', 'onSuspend'],
  ['onResume', 'onResume'],
] as const) {
  test(`${name} is no option of the plugin, and the plugin says whose it is`, () => {
    const message = `Expected a known option, got \`${name}\` (\`${own}\` is an option of a route), in ${PLUGIN}`
    assert.throws(() => plugin({ [name]: () => {} }), invalid(message))
  })
}

test('in a group the names of others count that are of that group; else all of it are listed', () => {
  for (const [options, hint] of [
    [{ keepalive: { pongWait: 1 } }, '`keepalive.pongWait` (did you mean `keepalive.timeout`?)'],
    [{ drain: { gracePeriod: 1 } }, '`drain.gracePeriod` (did you mean `drain.timeout`?)'],
    [
      { inbox: { highWaterMark: 1 } },
      '`inbox.highWaterMark` (known are `inbox.maxMessages`, `inbox.maxBytes`, `inbox.concurrency`)',
    ],
  ] as const) {
    const message = `Expected a known option, got ${hint}, in ${PLUGIN}`
    assert.throws(() => plugin(options), invalid(message))
  }
})

test('what is like none of our names is told all of them', () => {
  assert.throws(() => plugin({ xyz: 1 }), {
    message: /^Expected a known option, got `xyz` \(known are `keepalive`, .*`drain`, .*\), in /,
  })
})

for (const [name, hint] of [
  ['idleTimeOut', 'did you mean `idleTimeout`?'],
  ['closeTimout', 'did you mean `closeTimeout`?'],
  ['idelTimeout', 'did you mean `idleTimeout`?'],
  ['keepAlive', 'did you mean `keepalive`?'],
  ['onclose', 'did you mean `onClose`?'],
  ['onMessages', 'did you mean `onMessage`?'],
  ['maxConnection', 'did you mean `maxConnections`?'],
  ['Resume', 'did you mean `resume`?'],
  ['webSocket', 'did you mean `websocket`?'],
  ['drain', 'it is an option of the plugin, for all routes'],
  ['Drain', 'did you mean `drain` of the plugin?'],
  ['maxPayload', 'did you mean `websocket.maxPayload` of the plugin?'],
  ['perMessageDeflate', 'did you mean `websocket.perMessageDeflate` of the plugin?'],
] as const) {
  test(`\`${name}\` of a WebSocket route is refused`, () => {
    const message = `Expected a known option, got \`${name}\` (${hint}), in ${ROUTE}`
    assert.throws(() => route({ url: '/', [name]: 1 }), invalid(message))
    assert.deepEqual(route({ url: '/', [name]: undefined }), route())
  })
}

/** What Fastify itself and its plugins read, or set, on a route; and what people have there for hooks of their own. */
const OF_OTHERS = `
  method url path routePath prefix schema attachValidation exposeHeadRoute handler wsHandler websocket
  errorHandler validatorCompiler serializerCompiler schemaErrorFormatter bodyLimit logLevel
  logSerializers config version constraints prefixTrailingSlash handlerTimeout childLoggerFactory
  onRequest preParsing preValidation preHandler preSerialization onSend onResponse onTimeout onError
  onRequestAbort rateLimit cors helmet hide timeout compress decompress csrf cache caching etag auth
  security tags summary description operationId multipart rawBody sse stream proxy upstream session
  cookie view layout swagger openapi otel trace metrics pressureHandler circuitBreaker idempotency
  roles permissions scope limit max timeWindow keyGenerator origin heartbeat messages message inboxes2
  refresh reuse2 train2 connections reply close
`
  .trim()
  .split(/\s+/)

test('what others read on a WebSocket route is theirs', () => {
  for (const name of OF_OTHERS) assert.deepEqual(route({ [name]: 1 }), plugin().route, name)
})

test('a route that is none of ours may have what it likes', async (t) => {
  const app = await serve(t, {
    routes: (app) => {
      app.get('/', { drain: 1, idleTimeOut: 1, maxPayload: 1 } as object, async () => 'plain')
      assert.throws(() => app.get('/ws', { websocket: true, idleTimeOut: 1 } as object, () => {}), {
        code: 'FST_ERR_WSL_INVALID_OPTION',
        message: /`idleTimeout`.*GET \/ws$/,
      })
      assert.throws(
        () =>
          app.route({
            method: 'GET',
            url: '/both',
            handler: async () => '',
            wsHandler: () => {},
            drain: {},
          } as never),
        { code: 'FST_ERR_WSL_INVALID_OPTION', message: /`drain`.*GET \/both$/ },
      )
    },
  })
  assert.equal((await app.inject('/')).body, 'plain')
})

test('`websocket` of a route is true, or false: ws options have their place in the plugin', async (t) => {
  const app = await serve(t, {
    routes: (app) => {
      for (const websocket of [{ maxPayload: 10 }, 1, 'yes']) {
        assert.throws(() => app.get('/', { websocket } as object, () => {}), {
          code: 'FST_ERR_WSL_INVALID_OPTION',
          message:
            /^Expected `websocket` to be true \(options for ws belong into `websocket` of the plugin\), got .*, in the options of route GET \/$/,
        })
      }
      app.get('/plain', { websocket: false }, async () => 'plain')
    },
  })
  assert.equal((await app.inject('/plain')).body, 'plain')
})
