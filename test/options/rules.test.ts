// What each option may be, in a route and in the plugin.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DEFAULTS } from '../../lib/options/defaults.js'
import { invalid, LONGEST, plugin, PLUGIN, route, ROUTE } from '../support/servers/resolve.js'

/** An object with one value, at a path such as `drain.code`. */
function at(path: string, value: unknown): object {
  return path.split('.').reduceRight((inner, name) => ({ [name]: inner }), value) as object
}

/** The options in which a rule's option has that value. */
function given({ path, beside }: Rule, value: unknown): object {
  if (beside === undefined) return at(path, value)
  const [group = '', name = ''] = path.split('.')
  return { [group]: { ...beside, [name]: value } }
}

function valueAt(path: string, from: object): unknown {
  return path.split('.').reduce((value: unknown, name) => Reflect.get(value as object, name), from)
}

interface Rule {
  readonly path: string
  /** What has to stand beside it in its group. */
  readonly beside?: object
  readonly expected: string
  readonly good: readonly unknown[]
  readonly wrong: ReadonlyArray<readonly [value: unknown, shown: string]>
}

function duration(path: string, from: number, isOptional = false, to = LONGEST): Rule {
  const wrong = [
    [from - 1, `\`${from - 1}\` (number)`],
    [to + 1, `\`${to + 1}\` (number)`],
    [NaN, '`NaN` (number)'],
    [Infinity, '`Infinity` (number)'],
    ['3000', "`'3000'` (string)"],
    [null, '`null` (object)'],
    [true, '`true` (boolean)'],
  ] as const
  return {
    path,
    expected: `a number of milliseconds from ${from} to ${to}${isOptional ? ', or false' : ''}`,
    good: [from, from + 0.5, to, ...(isOptional ? [false] : [])],
    wrong: isOptional ? wrong : [...wrong, [false, '`false` (boolean)']],
  }
}

function whole(path: string, of: string, from: number, atMost: number): Rule {
  return {
    path,
    expected: `a whole number of ${of} from ${from}`,
    good: [from, atMost],
    wrong: [
      [from - 1, `\`${from - 1}\` (number)`],
      [1.5, '`1.5` (number)'],
      [Infinity, '`Infinity` (number)'],
      [2 ** 53, '`9007199254740992` (number)'],
      ['64', "`'64'` (string)"],
      [false, '`false` (boolean)'],
    ],
  }
}

function connections(path: string): Rule {
  const rule = whole(path, 'connections', 0, 1_000_000)
  return {
    ...rule,
    expected: `${rule.expected}, or Infinity`,
    good: [...rule.good, Infinity],
    wrong: [...rule.wrong.filter(([value]) => value !== Infinity), [NaN, '`NaN` (number)']],
  }
}

function group(path: string, isOptional = false): Rule {
  const wrong = [
    [true, '`true` (boolean)'],
    [null, '`null` (object)'],
    [25_000, '`25000` (number)'],
    [[], '`[]` (object)'],
  ] as const
  return {
    path,
    expected: isOptional ? 'an object, or false' : 'an object',
    good: isOptional ? [false] : [],
    wrong: isOptional ? wrong : [...wrong, [false, '`false` (boolean)']],
  }
}

function hook(path: string, good: readonly unknown[] = []): Rule {
  return {
    path,
    expected: 'a function',
    good,
    wrong: [
      ['log', "`'log'` (string)"],
      [null, '`null` (object)'],
      [[() => {}], '`[ [Function (anonymous)] ]` (object)'],
    ],
  }
}

const ROUTE_RULES: readonly Rule[] = [
  group('keepalive', true),
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
  {
    path: 'history',
    expected: 'true or false',
    good: [true, false],
    wrong: [
      [1, '`1` (number)'],
      ['yes', "`'yes'` (string)"],
      [null, '`null` (object)'],
    ],
  },
  group('inbox'),
  whole('inbox.maxMessages', 'messages', 1, 100_000),
  whole('inbox.maxBytes', 'bytes', 1, 2 ** 40),
  whole('inbox.concurrency', 'messages', 1, 64),
  group('outbox'),
  whole('outbox.highWaterMark', 'bytes', 0, 1_048_576),
  whole('outbox.maxBytes', 'bytes', 1, 2 ** 40),
  duration('outbox.maxAge', 50, true),
  {
    path: 'outbox.overflow',
    expected: "'close' or 'drop'",
    good: ['close', 'drop'],
    wrong: [
      ['Drop', "`'Drop'` (string)"],
      [false, '`false` (boolean)'],
      [null, '`null` (object)'],
    ],
  },
  duration('idleTimeout', 1, true),
  duration('maxLifetime', 1, true),
  hook('expiresAt', [() => undefined, async () => new Date()]),
  hook('groups', [() => undefined, () => 'room', () => ['a', 'b']]),
  group('messageRate', true),
  { ...whole('messageRate.max', 'messages', 1, 1_000_000), beside: { window: 1_000 } },
  { ...duration('messageRate.window', 1), beside: { max: 10 } },
  {
    path: 'allowedOrigins',
    expected: "'same-origin', '*', an array of origins and patterns, or a function",
    good: ['same-origin', '*', [], ['https://app.example', /^https:\/\/app\.example$/], () => true],
    wrong: [
      ['same-site', "`'same-site'` (string)"],
      [true, '`true` (boolean)'],
      [null, '`null` (object)'],
      [/example$/, '`/example$/` (object)'],
    ],
  },
  connections('maxConnections'),
  group('maxConnectionsPerKey'),
  connections('maxConnectionsPerKey.max'),
  { ...hook('maxConnectionsPerKey.key', [() => 'anna']), beside: { max: 10 } },
  {
    path: 'refuse',
    expected: "'http' or 'close-frame'",
    good: ['http', 'close-frame'],
    wrong: [
      ['close', "`'close'` (string)"],
      [false, '`false` (boolean)'],
    ],
  },
  hook('onUnexpectedClose'),
  hook('onClose'),
  hook('onShutdown'),
  hook('onHandlerError'),
]

/** Options of a route alone: what they do, no two routes do alike. */
const ROUTES_OWN_RULES: readonly Rule[] = [
  hook('onMessage', [() => {}, async () => {}]),
  hook('onInvalidMessage', [() => {}, async () => {}]),
  group('resume'),
  hook('resume.key', [() => 'anna', () => null]),
  { ...duration('resume.window', 1_000, false, 86_400_000), beside: { key: () => 'anna' } },
  { ...whole('resume.maxBytes', 'bytes', 1, 2 ** 40), beside: { key: () => 'anna' } },
  hook('onSuspend'),
  hook('onResume'),
  group('cluster'),
  group('cluster.durable'),
  hook('cluster.durable.release', [() => {}]),
  hook('cluster.durable.data', []),
  {
    path: 'cluster.durable.name',
    expected: 'a string that is not empty',
    good: [],
    wrong: [
      ['', "`''` (string)"],
      [7, '`7` (number)'],
    ],
  },
  {
    path: 'cluster.durable.whenCutOff',
    expected: "'continue' or 'close'",
    good: [],
    wrong: [
      ['end', "`'end'` (string)"],
      [true, '`true` (boolean)'],
    ],
  },
]

const PLUGIN_RULES: readonly Rule[] = [
  group('drain'),
  group('websocket'),
  hook('ignoreUpgrade', [() => true]),
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
    path: 'drain.reconnectWindow',
    expected: 'a number of milliseconds from 0 to 2147483647',
    good: [0, 5_000, 2 ** 31 - 1],
    wrong: [
      [-1, '`-1` (number)'],
      [Infinity, '`Infinity` (number)'],
      ['5s', "`'5s'` (string)"],
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

describe('in a route and in the plugin', () => {
  for (const rule of ROUTE_RULES) {
    const { path, expected, good, wrong } = rule
    test(`\`${path}\` is ${expected}`, () => {
      for (const value of good) {
        assert.deepEqual(valueAt(path, route(given(rule, value))), value)
        assert.deepEqual(valueAt(path, plugin(given(rule, value)).route), value)
      }
      for (const [value, shown] of wrong) {
        const message = (where: string): string =>
          `Expected \`${path}\` to be ${expected}, got ${shown}, in ${where}`
        assert.throws(() => route(given(rule, value)), invalid(message(ROUTE)))
        assert.throws(() => plugin(given(rule, value)), invalid(message(PLUGIN)))
      }
    })
  }
})

describe('in a route alone', () => {
  for (const rule of ROUTES_OWN_RULES) {
    const { path, expected, good, wrong } = rule
    test(`\`${path}\` is ${expected}`, () => {
      for (const value of good) {
        assert.equal(valueAt(path, route(given(rule, value))), value)
        assert.throws(() => plugin(given(rule, value)), {
          code: 'FST_ERR_WSL_INVALID_OPTION',
          message: new RegExp(`\`${path.split('.')[0]}\` is an option of a route.*, in ${PLUGIN}$`),
        })
      }
      for (const [value, shown] of wrong) {
        const message = `Expected \`${path}\` to be ${expected}, got ${shown}, in ${ROUTE}`
        assert.throws(() => route(given(rule, value)), invalid(message))
      }
    })
  }
})

describe('in the plugin alone', () => {
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
})

const DURABLE = {
  cluster: { durable: { release: () => {}, data: () => 7, name: 'x', whenCutOff: 'close' } },
}

test('what is recorded is complete', () => {
  assert.deepEqual(route(DURABLE).cluster, DURABLE.cluster)
  const { release } = DURABLE.cluster.durable
  assert.deepEqual(route({ cluster: { durable: { release } } }).cluster.durable, {
    release,
    data: undefined,
    name: '/rooms/:id',
    whenCutOff: 'continue',
  })
  const nothing = { durable: undefined }
  assert.deepEqual(route({ cluster: nothing }).cluster, nothing)
  assert.throws(
    () => route({ cluster: { durable: {} } }),
    invalid(
      `Expected \`cluster.durable.release\` to be a function, got \`undefined\` (undefined), in ${ROUTE}`,
    ),
  )
})

test('every option has its rule', () => {
  const named = [...ROUTE_RULES, ...ROUTES_OWN_RULES, ...PLUGIN_RULES].map(({ path }) => path)
  const { keepalive, inbox, outbox, drain } = DEFAULTS
  const messageRate = { max: undefined, window: undefined }
  const maxConnectionsPerKey = { max: undefined, key: undefined }
  const resume = { key: undefined, ...DEFAULTS.resume }
  const groups = {
    keepalive,
    inbox,
    outbox,
    drain,
    messageRate,
    maxConnectionsPerKey,
    resume,
    cluster: DURABLE.cluster,
    'cluster.durable': DURABLE.cluster.durable,
  }
  const fields = Object.entries(groups).flatMap(([name, group]) =>
    Object.keys(group).map((field) => `${name}.${field}`),
  )
  const options = [
    ...Object.keys(plugin()).filter((name) => name !== 'route'),
    ...Object.keys(plugin().route),
    ...fields,
  ]
  assert.deepEqual(named.toSorted(), options.toSorted())
})
