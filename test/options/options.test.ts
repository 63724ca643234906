// Options as a whole: their defaults, what nobody knows, and how an error shows what is wrong.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { DEFAULTS } from '../../lib/options/defaults.js'
import { invalid, plugin, PLUGIN, route, ROUTE } from '../support/servers/resolve.js'

/** An object with one value, at a path such as `drain.code`. */
function at(path: string, value: unknown): object {
  return path.split('.').reduceRight((inner, name) => ({ [name]: inner }), value) as object
}

test('without options all defaults hold', () => {
  assert.deepEqual(plugin(), {
    route: {
      keepalive: { interval: 25_000, timeout: 20_000 },
      closeTimeout: 3_000,
      cleanupTimeout: 5_000,
      expectedCloseCodes: [1000, 1001, 1005],
      inbox: { maxMessages: 64, maxBytes: 1_048_576, concurrency: 1 },
      outbox: { highWaterMark: 65_536, maxBytes: 1_048_576, maxAge: 10_000, overflow: 'close' },
      idleTimeout: false,
      maxLifetime: false,
      expiresAt: undefined,
      groups: undefined,
      messageRate: false,
      handshakeTimeout: 10_000,
      allowedOrigins: 'same-origin',
      maxConnections: Infinity,
      maxConnectionsPerKey: undefined,
      refuse: 'http',
      history: false,
      onMessage: undefined,
      onInvalidMessage: undefined,
      resume: undefined,
      cluster: { durable: undefined },
      onSuspend: undefined,
      onResume: undefined,
      onUnexpectedClose: [],
      onClose: [],
      onShutdown: [],
      onHandlerError: [],
    },
    drain: {
      timeout: 8_000,
      spread: 0,
      code: 1012,
      reason: 'service restart',
      retryAfter: 1,
      reconnectWindow: 5_000,
    },
    websocket: { maxPayload: 1_048_576 },
    ignoreUpgrade: undefined,
  })
  assert.deepEqual(route(), plugin().route)
})

test('undefined is as good as nothing, at every level', () => {
  const ofBoth = Object.keys(DEFAULTS).filter((name) => name !== 'resume')
  const names = [...ofBoth, 'expiresAt', 'groups', 'maxConnectionsPerKey', 'onClose']
  const empty = Object.fromEntries(names.map((name) => [name, undefined]))
  assert.deepEqual(plugin(empty), plugin())
  for (const name of ['onMessage', 'resume', 'onSuspend', 'onResume', 'cluster']) {
    assert.deepEqual(route({ ...empty, [name]: undefined }), plugin().route)
  }
  const emptyGroups = {
    keepalive: { interval: undefined },
    inbox: { maxMessages: undefined },
    outbox: { maxAge: undefined, overflow: undefined },
    drain: { code: undefined },
  }
  assert.deepEqual(plugin(emptyGroups), plugin())
})

for (const [path, meant] of [
  ['closeTimout', 'closeTimeout'],
  ['keepAlive', 'keepalive'],
  ['onclose', 'onClose'],
  ['onHandleError', 'onHandlerError'],
  ['websockets', 'websocket'],
  ['keepalive.interva', 'keepalive.interval'],
  ['keepalive.timeOut', 'keepalive.timeout'],
  ['drain.reasn', 'drain.reason'],
  ['drain.retryafter', 'drain.retryAfter'],
  ['idletimeout', 'idleTimeout'],
  ['inbox.maxMessage', 'inbox.maxMessages'],
  ['outbox.maxbytes', 'outbox.maxBytes'],
] as const) {
  test(`\`${path}\` is no option, and \`${meant}\` is suggested`, () => {
    const message = `Expected a known option, got \`${path}\` (did you mean \`${meant}\`?), in ${PLUGIN}`
    assert.throws(() => plugin(at(path, 1)), invalid(message))
  })
}

test('what Fastify reads from the options of register is known', () => {
  const options = { prefix: '/v1', logLevel: 'warn', logSerializers: {} }
  assert.deepEqual(plugin(options), plugin())
})

test("a route's other options are others' business, those inside our groups are not", () => {
  assert.deepEqual(route({ url: '/', schema: {}, timeouts: 1, cors: {} }), plugin().route)
  assert.throws(
    () => route({ keepalive: { intervall: 100 } }),
    invalid(
      `Expected a known option, got \`keepalive.intervall\` (did you mean \`keepalive.interval\`?), in ${ROUTE}`,
    ),
  )
})

for (const name of [
  'noServer',
  'path',
  'WebSocket',
  'closeTimeout',
  'server',
  'host',
  'port',
  'backlog',
]) {
  test(`websocket.${name} is ours to set`, () => {
    assert.throws(
      () => plugin({ websocket: { [name]: 1 } }),
      invalid(
        `Expected \`websocket\` to leave \`${name}\` to the plugin, got \`1\` (number), in ${PLUGIN}`,
      ),
    )
  })
}

test('a reason that UTF-8 cannot carry is refused', () => {
  assert.throws(() => plugin({ drain: { reason: '\ud83d' } }), {
    code: 'FST_ERR_WSL_INVALID_OPTION',
  })
})

test('a value is shown in short', () => {
  const deep = { a: { b: { c: 1 } } }
  assert.throws(
    () => plugin({ onClose: deep }),
    invalid(
      `Expected \`onClose\` to be a function, got \`{ a: { b: [Object] } }\` (object), in ${PLUGIN}`,
    ),
  )
})

test('a value that shows itself by throwing is refused like any other', () => {
  const odd = {
    [inspect.custom]: () => {
      throw new Error('not for you')
    },
  }
  assert.throws(
    () => plugin({ onClose: odd }),
    invalid(`Expected \`onClose\` to be a function, got \`?\` (object), in ${PLUGIN}`),
  )
})
