import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DrainOptions } from '../lib/api.js'
import {
  checkPluginTimeout,
  DEFAULTS,
  type PluginSettings,
  resolveDrainOptions,
  resolvePluginOptions,
  resolveRouteOptions,
  type RouteSettings,
} from '../lib/options.js'

const PLUGIN = 'the options of the plugin'
const ROUTE = 'the options of route GET /rooms/:id'
const LONGEST = 2 ** 31 - 1

/** For what JavaScript users may pass. */
function plugin(options: object = {}): PluginSettings {
  return resolvePluginOptions(options)
}

function route(options: object = {}, base: object = {}): RouteSettings {
  return resolveRouteOptions(options, plugin(base).route, 'GET /rooms/:id')
}

/** An object with one value, at a path such as `drain.code`. */
function at(path: string, value: unknown): object {
  return path.split('.').reduceRight((inner, name) => ({ [name]: inner }), value) as object
}

function valueAt(path: string, from: object): unknown {
  return path.split('.').reduce((value: unknown, name) => Reflect.get(value as object, name), from)
}

const invalid = (message: string): object => ({
  code: 'FST_ERR_WSL_INVALID_OPTION',
  statusCode: 500,
  message,
})

test('without options all defaults hold', () => {
  assert.deepEqual(plugin(), {
    route: {
      keepalive: { interval: 25_000, timeout: 20_000 },
      closeTimeout: 3_000,
      cleanupTimeout: 5_000,
      expectedCloseCodes: [1000, 1001, 1005],
      handshakeTimeout: 10_000,
      onUnexpectedClose: [],
      onClose: [],
      onShutdown: [],
      onHandlerError: [],
    },
    drain: { timeout: 8_000, spread: 0, code: 1012, reason: 'service restart', retryAfter: 1 },
    websocket: { maxPayload: 1_048_576 },
  })
  assert.deepEqual(route(), plugin().route)
})

test('undefined is as good as nothing, at every level', () => {
  const empty = Object.fromEntries(
    ['keepalive', 'closeTimeout', 'expectedCloseCodes', 'onClose', 'drain', 'websocket'].map(
      (name) => [name, undefined],
    ),
  )
  assert.deepEqual(plugin(empty), plugin())
  assert.deepEqual(route(empty), plugin().route)
  const emptyGroups = { keepalive: { interval: undefined }, drain: { code: undefined } }
  assert.deepEqual(plugin(emptyGroups), plugin())
})

interface Rule {
  readonly path: string
  readonly expected: string
  readonly good: readonly unknown[]
  readonly wrong: ReadonlyArray<readonly [value: unknown, shown: string]>
}

function duration(path: string, from: number, isOptional = false): Rule {
  const wrong = [
    [from - 1, `\`${from - 1}\` (number)`],
    [LONGEST + 1, '`2147483648` (number)'],
    [NaN, '`NaN` (number)'],
    [Infinity, '`Infinity` (number)'],
    ['3000', "`'3000'` (string)"],
    [null, '`null` (object)'],
    [true, '`true` (boolean)'],
  ] as const
  return {
    path,
    expected: `a number of milliseconds from ${from} to ${LONGEST}${isOptional ? ', or false' : ''}`,
    good: [from, from + 0.5, LONGEST, ...(isOptional ? [false] : [])],
    wrong: isOptional ? wrong : [...wrong, [false, '`false` (boolean)']],
  }
}

function hook(path: string): Rule {
  return {
    path,
    expected: 'a function',
    good: [],
    wrong: [
      ['log', "`'log'` (string)"],
      [null, '`null` (object)'],
      [[() => {}], '`[ [Function (anonymous)] ]` (object)'],
    ],
  }
}

const ROUTE_RULES: readonly Rule[] = [
  {
    path: 'keepalive',
    expected: 'an object, or false',
    good: [false],
    wrong: [
      [true, '`true` (boolean)'],
      [null, '`null` (object)'],
      [25_000, '`25000` (number)'],
      [[], '`[]` (object)'],
    ],
  },
  duration('keepalive.interval', 50),
  duration('keepalive.timeout', 50, true),
  duration('closeTimeout', 1),
  duration('cleanupTimeout', 1),
  duration('handshakeTimeout', 1, true),
  {
    path: 'expectedCloseCodes',
    expected: 'an array of close codes (integers from 1000 to 4999)',
    good: [[], [1000], [1006, 4999]],
    wrong: [
      [1000, '`1000` (number)'],
      [[999], '`[ 999 ]` (object)'],
      [[1000, 5000], '`[ 1000, 5000 ]` (object)'],
      [['1000'], "`[ '1000' ]` (object)"],
      [[1000.5], '`[ 1000.5 ]` (object)'],
    ],
  },
  hook('onUnexpectedClose'),
  hook('onClose'),
  hook('onShutdown'),
  hook('onHandlerError'),
]

const PLUGIN_RULES: readonly Rule[] = [
  ...['drain', 'websocket'].map((path) => ({
    path,
    expected: 'an object',
    good: [],
    wrong: [
      [false, '`false` (boolean)'],
      [null, '`null` (object)'],
      [[], '`[]` (object)'],
    ] as const,
  })),
  { ...duration('drain.timeout', 1), good: [1, LONGEST] },
  { ...duration('drain.spread', 0), good: [0, 8_000] },
  {
    path: 'drain.code',
    expected: 'a close code that may be sent',
    good: [1000, 1012, 3000, 4999],
    wrong: [
      [1005, '`1005` (number)'],
      [1006, '`1006` (number)'],
      [2000, '`2000` (number)'],
      ['1012', "`'1012'` (string)"],
    ],
  },
  {
    path: 'drain.reason',
    expected: 'a string of at most 123 bytes of UTF-8',
    good: ['', 'x'.repeat(123), '€'.repeat(41)],
    wrong: [
      ['x'.repeat(124), `\`'${'x'.repeat(100)}'... 24 more characters\` (string)`],
      ['€'.repeat(42), `\`'${'€'.repeat(42)}'\` (string)`],
      [1012, '`1012` (number)'],
    ],
  },
  {
    path: 'drain.retryAfter',
    expected: 'a whole number of seconds from 0',
    good: [0, 1, 3_600],
    wrong: [
      [-1, '`-1` (number)'],
      [0.5, '`0.5` (number)'],
      [Infinity, '`Infinity` (number)'],
      ['1', "`'1'` (string)"],
    ],
  },
]

for (const { path, expected, good, wrong } of ROUTE_RULES) {
  test(`\`${path}\` is ${expected}, in a route and in the plugin`, () => {
    for (const value of good) {
      assert.deepEqual(valueAt(path, route(at(path, value))), value)
      assert.deepEqual(valueAt(path, plugin(at(path, value)).route), value)
    }
    for (const [value, shown] of wrong) {
      const message = (where: string): string =>
        `Expected \`${path}\` to be ${expected}, got ${shown}, in ${where}`
      assert.throws(() => route(at(path, value)), invalid(message(ROUTE)))
      assert.throws(() => plugin(at(path, value)), invalid(message(PLUGIN)))
    }
  })
}

for (const { path, expected, good, wrong } of PLUGIN_RULES) {
  test(`\`${path}\` is ${expected}`, () => {
    for (const value of good) {
      assert.deepEqual(valueAt(path, plugin(at(path, value))), value)
    }
    for (const [value, shown] of wrong) {
      const message = `Expected \`${path}\` to be ${expected}, got ${shown}, in ${PLUGIN}`
      assert.throws(() => plugin(at(path, value)), invalid(message))
    }
  })
}

test('every option has its rule', () => {
  const named = [...ROUTE_RULES, ...PLUGIN_RULES].map(({ path }) => path)
  const groups = Object.entries(DEFAULTS).flatMap(([name, value]: [string, unknown]) => {
    const isGroup = name === 'keepalive' || name === 'drain'
    return isGroup ? Object.keys(value as object).map((field) => `${name}.${field}`) : []
  })
  const options = [...Object.keys(plugin().route), 'drain', 'websocket', ...groups]
  assert.deepEqual(named.toSorted(), options.toSorted())
})

for (const [path, meant] of [
  ['closeTimout', 'closeTimeout'],
  ['keepAlive', 'keepalive'],
  ['onclose', 'onClose'],
  ['onHandleError', 'onHandlerError'],
  ['ws', 'drain'],
  ['keepalive.interva', 'keepalive.interval'],
  ['keepalive.timeOut', 'keepalive.timeout'],
  ['drain.reasn', 'drain.reason'],
  ['drain.retryafter', 'drain.retryAfter'],
] as const) {
  test(`the unknown option \`${path}\` is refused, and \`${meant}\` suggested`, () => {
    const message = `Expected a known option, got \`${path}\` (did you mean \`${meant}\`?), in ${PLUGIN}`
    assert.throws(() => plugin(at(path, 1)), invalid(message))
  })
}

test('what Fastify reads from the options of register is known', () => {
  const options = { prefix: '/v1', logLevel: 'warn', logSerializers: {} }
  assert.deepEqual(plugin(options), plugin())
})

test("a route's other options are others' business, those inside our groups are not", () => {
  assert.deepEqual(route({ url: '/', schema: {}, closeTimout: 1, drain: 1 }), plugin().route)
  assert.throws(
    () => route({ keepalive: { intervall: 100 } }),
    invalid(
      `Expected a known option, got \`keepalive.intervall\` (did you mean \`keepalive.interval\`?), in ${ROUTE}`,
    ),
  )
})

test("a route's value replaces the plugin's", () => {
  const base = {
    closeTimeout: 1,
    cleanupTimeout: 2,
    handshakeTimeout: 3,
    expectedCloseCodes: [4000],
  }
  const own = { closeTimeout: 10, handshakeTimeout: false, expectedCloseCodes: [] }
  const { closeTimeout, cleanupTimeout, handshakeTimeout, expectedCloseCodes } = route(own, base)
  assert.deepEqual(
    [closeTimeout, cleanupTimeout, handshakeTimeout, expectedCloseCodes],
    [10, 2, false, []],
  )
})

test('keepalive merges field by field', () => {
  for (const [own, base, merged] of [
    [{ interval: 100 }, { timeout: 200 }, { interval: 100, timeout: 200 }],
    [undefined, { timeout: 200 }, { interval: 25_000, timeout: 200 }],
    [{}, { interval: 100 }, { interval: 100, timeout: 20_000 }],
    [{ timeout: false }, { interval: 100 }, { interval: 100, timeout: false }],
    [false, { interval: 100 }, false],
    [undefined, false, false],
    [{ interval: 100 }, false, { interval: 100, timeout: 20_000 }],
  ] as const) {
    assert.deepEqual(route({ keepalive: own }, { keepalive: base }).keepalive, merged)
  }
})

test("a hook that is given twice runs at both levels, the route's first", () => {
  for (const name of ['onUnexpectedClose', 'onClose', 'onShutdown', 'onHandlerError'] as const) {
    const [own, base] = [() => 1, () => 2]
    assert.deepEqual(route({ [name]: own }, { [name]: base })[name], [own, base])
    assert.deepEqual(route({ [name]: own })[name], [own])
    assert.deepEqual(route({}, { [name]: base })[name], [base])
  }
})

test('websocket is handed on to ws, over its default', () => {
  const perMessageDeflate = { threshold: 10 }
  assert.deepEqual(plugin({ websocket: { perMessageDeflate } }).websocket, {
    maxPayload: 1_048_576,
    perMessageDeflate,
  })
  assert.deepEqual(plugin({ websocket: { maxPayload: 1 } }).websocket, { maxPayload: 1 })
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

test('a drain cannot be spread over more than its time', () => {
  const message = `Expected \`drain.spread\` to be at most \`drain.timeout\` (100), got \`101\` (number), in ${PLUGIN}`
  assert.throws(() => plugin({ drain: { timeout: 100, spread: 101 } }), invalid(message))
  assert.equal(plugin({ drain: { timeout: 100, spread: 100 } }).drain.spread, 100)
})

test("the options of drain() are laid over the plugin's, and checked as they are", () => {
  const base = { ...DEFAULTS.drain, spread: 50, code: 4000 }
  const where = 'the options of drain()'
  const drain = (options: DrainOptions | undefined): object =>
    resolveDrainOptions(options, base, where)
  assert.equal(drain(undefined), base)
  assert.deepEqual(drain({ timeout: 60 }), { ...base, timeout: 60 })
  for (const [options, message] of [
    [
      { timeout: 40 },
      `Expected \`drain.spread\` to be at most \`drain.timeout\` (40), got \`50\` (number), in ${where}`,
    ],
    [
      { code: 1006 },
      `Expected \`drain.code\` to be a close code that may be sent, got \`1006\` (number), in ${where}`,
    ],
    [
      { tiemout: 1 },
      `Expected a known option, got \`drain.tiemout\` (did you mean \`drain.timeout\`?), in ${where}`,
    ],
    [5_000, `Expected \`drain\` to be an object, got \`5000\` (number), in ${where}`],
    [null, `Expected \`drain\` to be an object, got \`null\` (object), in ${where}`],
  ] as const) {
    assert.throws(() => drain(options as DrainOptions), invalid(message))
  }
})

test('a drain must be over 1.5 s before Fastify gives up on it', () => {
  const drain = { ...DEFAULTS.drain, timeout: 8_500 }
  checkPluginTimeout(drain, 10_000)
  assert.throws(
    () => checkPluginTimeout({ ...drain, timeout: 8_501 }, 10_000),
    invalid(
      `Expected \`drain.timeout\` to be at most 8500, which is Fastify's \`pluginTimeout\` of 10000 less 1500, got \`8501\` (number), in ${PLUGIN}: lower the one, or raise the other to 10001`,
    ),
  )
})

test('where Fastify never gives up, a drain may take as long as it likes', () => {
  checkPluginTimeout({ ...DEFAULTS.drain, timeout: LONGEST }, 0)
})

test('settings are frozen, and no longer those of the caller', () => {
  const options = {
    keepalive: { interval: 100 },
    expectedCloseCodes: [1000],
    drain: { code: 4000 },
  }
  const settings = plugin(options)
  options.keepalive.interval = 1
  options.expectedCloseCodes.push(1006)
  options.drain.code = 1
  assert.deepEqual(settings.route.keepalive, { interval: 100, timeout: 20_000 })
  assert.deepEqual(settings.route.expectedCloseCodes, [1000])
  assert.equal(settings.drain.code, 4000)
  const { keepalive, expectedCloseCodes } = settings.route
  for (const part of [settings.route, keepalive, expectedCloseCodes, settings.drain]) {
    assert.ok(Object.isFrozen(part))
  }
})

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
