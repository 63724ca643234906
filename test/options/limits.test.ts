// What the options of limits may be, at which level they hold, and what is said of a wrong one.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import Fastify from 'fastify'
import { fastifyWebsocketLifecycle } from '../../lib/index.js'
import { endWith } from '../support/servers/server.js'
import { invalid, plugin, PLUGIN, route, ROUTE } from '../support/servers/resolve.js'

const COUNT = 'a whole number of connections from 0, or Infinity'

/** Values that are no count, as an error shows them. */
const NO_COUNTS: ReadonlyArray<readonly [value: unknown, shown: string]> = [
  [-1, '`-1` (number)'],
  [1.5, '`1.5` (number)'],
  [NaN, '`NaN` (number)'],
  [-Infinity, '`-Infinity` (number)'],
  [2 ** 53, '`9007199254740992` (number)'],
  ['100', "`'100'` (string)"],
  [10n, '`10n` (bigint)'],
  [true, '`true` (boolean)'],
  [false, '`false` (boolean)'],
  [null, '`null` (object)'],
  [{ max: 1 }, '`{ max: 1 }` (object)'],
  [() => 1, '`[Function (anonymous)]` (function)'],
]

/** Values of each option that are refused: what is expected, and how an error shows them. */
const WRONG: ReadonlyArray<
  readonly [options: (value: unknown) => object, name: string, expected: string, typeof NO_COUNTS]
> = [
  [(maxConnections) => ({ maxConnections }), 'maxConnections', COUNT, NO_COUNTS],
  [
    (max) => ({ maxConnectionsPerKey: { max } }),
    'maxConnectionsPerKey.max',
    COUNT,
    [...NO_COUNTS, [undefined, '`undefined` (undefined)']],
  ],
  [
    (key) => ({ maxConnectionsPerKey: { max: 1, key } }),
    'maxConnectionsPerKey.key',
    'a function',
    [
      ['ip', "`'ip'` (string)"],
      [null, '`null` (object)'],
      [false, '`false` (boolean)'],
      [{}, '`{}` (object)'],
    ],
  ],
  [
    (whenFull) => ({ maxConnectionsPerKey: { max: 1, whenFull } }),
    'maxConnectionsPerKey.whenFull',
    "'refuse' or 'replace'",
    [
      ['newest', "`'newest'` (string)"],
      [true, '`true` (boolean)'],
      [null, '`null` (object)'],
    ],
  ],
  [
    (scope) => ({ maxConnectionsPerKey: { max: 1, whenFull: 'replace', scope } }),
    'maxConnectionsPerKey.scope',
    "'server' or 'cluster'",
    [
      ['node', "`'node'` (string)"],
      [true, '`true` (boolean)'],
    ],
  ],
  [
    (scope) => ({ maxConnectionsPerKey: { max: 1, scope } }),
    'maxConnectionsPerKey.scope',
    "'server' unless `maxConnectionsPerKey.whenFull` is 'replace'",
    [['cluster', "`'cluster'` (string)"]],
  ],
  [
    (max) => ({ maxConnectionsPerKey: { max, whenFull: 'replace' } }),
    'maxConnectionsPerKey.max',
    "at least 1 where `maxConnectionsPerKey.whenFull` is 'replace'",
    [[0, '`0` (number)']],
  ],
  [
    (maxConnectionsPerKey) => ({ maxConnectionsPerKey }),
    'maxConnectionsPerKey',
    'an object',
    [
      [5, '`5` (number)'],
      [Infinity, '`Infinity` (number)'],
      [false, '`false` (boolean)'],
      [null, '`null` (object)'],
      ['5', "`'5'` (string)"],
      [[5], '`[ 5 ]` (object)'],
      [() => 5, '`[Function (anonymous)]` (function)'],
    ],
  ],
  [
    (refuse) => ({ refuse }),
    'refuse',
    "'http' or 'close-frame'",
    [
      ['close', "`'close'` (string)"],
      ['HTTP', "`'HTTP'` (string)"],
      ['', "`''` (string)"],
      [1013, '`1013` (number)'],
      [true, '`true` (boolean)'],
      [false, '`false` (boolean)'],
      [null, '`null` (object)'],
      [['http'], "`[ 'http' ]` (object)"],
    ],
  ],
]

for (const [options, name, expected, values] of WRONG) {
  for (const [value, shown] of values) {
    const message = (where: string): string =>
      `Expected \`${name}\` to be ${expected}, got ${shown}, in ${where}`
    test(`\`${name}\` of ${shown} is refused`, () => {
      assert.throws(() => route(options(value)), invalid(message(ROUTE)))
      assert.throws(() => plugin(options(value)), invalid(message(PLUGIN)))
    })
  }
}

for (const max of [0, 1, 100, Number.MAX_SAFE_INTEGER, Infinity]) {
  test(`a limit may be ${max}`, () => {
    assert.equal(plugin({ maxConnections: max }).route.maxConnections, max)
    assert.equal(route({ maxConnections: max }).maxConnections, max)
    const perKey = { maxConnectionsPerKey: { max } }
    assert.equal(plugin(perKey).route.maxConnectionsPerKey?.max, max)
    assert.equal(route(perKey).maxConnectionsPerKey?.max, max)
  })
}

test('nothing is limited, and refusals are HTTP, unless told otherwise', () => {
  const { maxConnections, maxConnectionsPerKey, refuse } = plugin().route
  assert.deepEqual([maxConnections, maxConnectionsPerKey, refuse], [Infinity, undefined, 'http'])
})

test('undefined is as good as nothing', () => {
  const nothing = { maxConnections: undefined, maxConnectionsPerKey: undefined, refuse: undefined }
  assert.deepEqual(plugin(nothing), plugin())
  assert.deepEqual(route(nothing), plugin().route)
  const base = { maxConnectionsPerKey: { max: 3 }, refuse: 'close-frame' }
  assert.deepEqual(route(nothing, base), route({}, base))
})

test("the plugin's maxConnections is the server's, not that of each route", () => {
  assert.equal(route({}, { maxConnections: 5 }).maxConnections, Infinity)
  assert.equal(route({ maxConnections: 3 }, { maxConnections: 5 }).maxConnections, 3)
})

test("a route's maxConnections may be above the plugin's: both hold", () => {
  assert.equal(route({ maxConnections: 9 }, { maxConnections: 5 }).maxConnections, 9)
})

test("a route's maxConnectionsPerKey replaces the plugin's as a whole", () => {
  const base = {
    maxConnectionsPerKey: { max: 5, key: (): string => 'user', whenFull: 'replace' },
  }
  const { key } = base.maxConnectionsPerKey
  assert.equal(route({}, base).maxConnectionsPerKey?.key, key)
  const own = route({ maxConnectionsPerKey: { max: 3 } }, base).maxConnectionsPerKey
  assert.equal(own?.max, 3)
  assert.notEqual(own?.key, key)
  assert.equal(own?.whenFull, 'refuse')
  assert.throws(
    () => route({ maxConnectionsPerKey: { key } }, base),
    invalid(
      `Expected \`maxConnectionsPerKey.max\` to be ${COUNT}, got \`undefined\` (undefined), in ${ROUTE}`,
    ),
  )
})

test("a route's refuse replaces the plugin's", () => {
  assert.equal(route({}, { refuse: 'close-frame' }).refuse, 'close-frame')
  assert.equal(route({ refuse: 'http' }, { refuse: 'close-frame' }).refuse, 'http')
  assert.equal(route({ refuse: 'close-frame' }).refuse, 'close-frame')
})

test('what is changed in the options later changes nothing', () => {
  const option = { max: 1 }
  const options = { maxConnections: 1, maxConnectionsPerKey: option }
  const { route } = plugin(options)
  option.max = 100
  options.maxConnections = 100
  assert.deepEqual([route.maxConnections, route.maxConnectionsPerKey?.max], [1, 1])
})

for (const [options, given, meant] of [
  [{ maxConnection: 1 }, 'maxConnection', 'maxConnections'],
  [{ maxconnections: 1 }, 'maxconnections', 'maxConnections'],
  [{ maxConnectionPerKey: { max: 1 } }, 'maxConnectionPerKey', 'maxConnectionsPerKey'],
  [{ refused: 'http' }, 'refused', 'refuse'],
  [
    { maxConnectionsPerKey: { max: 1, keys: () => 'a' } },
    'maxConnectionsPerKey.keys',
    'maxConnectionsPerKey.key',
  ],
  [
    { maxConnectionsPerKey: { maxx: 1, max: 1 } },
    'maxConnectionsPerKey.maxx',
    'maxConnectionsPerKey.max',
  ],
] as const) {
  test(`\`${given}\` is no option, and \`${meant}\` is suggested`, () => {
    const message = `Expected a known option, got \`${given}\` (did you mean \`${meant}\`?), in ${PLUGIN}`
    assert.throws(() => plugin(options), invalid(message))
  })
}

/** For what JavaScript users may pass. */
function wrong(options: object): object {
  return options
}

test('the registration rejects for a wrong limit of the plugin', async (t: TestContext) => {
  const app = Fastify()
  endWith(t, app)
  await assert.rejects(
    async () => app.register(fastifyWebsocketLifecycle, wrong({ maxConnections: -1 })),
    invalid(`Expected \`maxConnections\` to be ${COUNT}, got \`-1\` (number), in ${PLUGIN}`),
  )
})

test('the declaration throws for a wrong limit of a route, and names it', async (t: TestContext) => {
  const app = Fastify()
  endWith(t, app)
  await app.register(fastifyWebsocketLifecycle)
  const declare = (options: object): unknown =>
    app.get('/rooms/:id', { websocket: true, ...options }, () => {})
  assert.throws(
    () => declare({ maxConnectionsPerKey: { max: '5' } }),
    invalid(
      `Expected \`maxConnectionsPerKey.max\` to be ${COUNT}, got \`'5'\` (string), in ${ROUTE}`,
    ),
  )
  assert.throws(
    () => declare({ refuse: 'frame' }),
    invalid(
      `Expected \`refuse\` to be 'http' or 'close-frame', got \`'frame'\` (string), in ${ROUTE}`,
    ),
  )
})
