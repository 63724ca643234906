// What options given at both levels make together, and options that have to do with each other.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DrainOptions } from '../../lib/api/option-groups.js'
import { DEFAULTS } from '../../lib/options/defaults.js'
import { toExpiry } from '../../lib/options/expiry.js'
import { checkPluginTimeout, resolveDrainOptions } from '../../lib/options/resolve.js'
import { invalid, LONGEST, plugin, PLUGIN, route, ROUTE } from '../support/servers/resolve.js'

const soon = (): Date => new Date()
const key = (): string => 'anna'

test("a route's value replaces the plugin's", () => {
  const base = {
    closeTimeout: 1,
    cleanupTimeout: 2,
    handshakeTimeout: 3,
    expectedCloseCodes: [4000],
    idleTimeout: 4,
    maxLifetime: 5,
    expiresAt: () => undefined,
    messageRate: { max: 6, window: 7 },
  }
  for (const [own, merged] of [
    [
      { closeTimeout: 10, handshakeTimeout: false, expectedCloseCodes: [] },
      { ...base, closeTimeout: 10, handshakeTimeout: false, expectedCloseCodes: [] },
    ],
    [
      { idleTimeout: false, messageRate: { max: 1, window: 2 } },
      { ...base, idleTimeout: false, messageRate: { max: 1, window: 2 } },
    ],
    [
      { maxLifetime: 10, messageRate: false, expiresAt: soon },
      { ...base, maxLifetime: 10, messageRate: false, expiresAt: soon },
    ],
  ] as const) {
    assert.deepEqual(route(own, base), { ...plugin().route, ...merged })
  }
})

for (const name of ['inbox', 'outbox'] as const) {
  test(`${name} merges field by field`, () => {
    const defaults = DEFAULTS[name]
    const own = { maxBytes: 500_000 }
    const base = { maxBytes: 200_000, ...(name === 'inbox' ? { concurrency: 3 } : { maxAge: 99 }) }
    assert.deepEqual(route({}, { [name]: base })[name], { ...defaults, ...base })
    assert.deepEqual(route({ [name]: {} }, { [name]: base })[name], { ...defaults, ...base })
    assert.deepEqual(route({ [name]: own })[name], { ...defaults, ...own })
    assert.deepEqual(route({ [name]: own }, { [name]: base })[name], {
      ...defaults,
      ...base,
      ...own,
    })
  })
}

test('a rate says both of its numbers, and no others', () => {
  for (const [rate, message] of [
    [
      { window: 1_000 },
      `Expected \`messageRate.max\` to be a whole number of messages from 1, got \`undefined\` (undefined), in ${ROUTE}`,
    ],
    [
      { max: 10 },
      `Expected \`messageRate.window\` to be a number of milliseconds from 1 to ${LONGEST}, got \`undefined\` (undefined), in ${ROUTE}`,
    ],
    [
      { max: 10, window: 1_000, burst: 5 },
      `Expected a known option, got \`messageRate.burst\` (known are \`messageRate.max\`, \`messageRate.window\`), in ${ROUTE}`,
    ],
  ] as const) {
    // The plugin's does not fill in what is missing.
    const base = { messageRate: { max: 1, window: 1 } }
    assert.throws(() => route({ messageRate: rate }, base), invalid(message))
  }
})

test('sessions of a route have a key, and defaults for the rest', () => {
  const defaults = { window: 60_000, maxBytes: 268_435_456 }
  assert.deepEqual(route({ resume: { key } }).resume, { key, ...defaults })
  assert.deepEqual(route({ resume: { key, window: undefined } }).resume, { key, ...defaults })
  assert.deepEqual(route({ resume: { key, window: 5_000 } }).resume, {
    key,
    ...defaults,
    window: 5_000,
  })
  for (const [resume, message] of [
    [{}, 'Expected `resume.key` to be a function, got `undefined` (undefined), in '],
    [{ window: 5_000 }, 'Expected `resume.key` to be a function, got `undefined` (undefined), in '],
    [
      { key, timeout: 5_000 },
      'Expected a known option, got `resume.timeout` (known are `resume.key`, `resume.window`, `resume.maxBytes`), in ',
    ],
  ] as const) {
    assert.throws(() => route({ resume }), invalid(message + ROUTE))
  }
})

for (const name of ['onSuspend', 'onResume'] as const) {
  test(`${name} is called for sessions only`, () => {
    const [own, resume] = [() => {}, { key: () => null }]
    assert.equal(route({ resume, [name]: own })[name], own)
    const message = `Expected \`${name}\` to be on a route with \`resume\`, got \`[Function (anonymous)]\` (function), in ${ROUTE}`
    assert.throws(() => route({ [name]: own }), invalid(message))
  })
}

/** A bound, and what may not be above it. */
const BOUNDED = [
  { group: 'inbox', name: 'concurrency', bound: 'maxMessages', defaults: [1, 64] },
  { group: 'outbox', name: 'highWaterMark', bound: 'maxBytes', defaults: [65_536, 1_048_576] },
] as const

for (const { group, name, bound, defaults } of BOUNDED) {
  const resolved = (own: object, base: object = {}): unknown[] => {
    const settings: object = route({ [group]: own }, { [group]: base })[group]
    assert.ok(Object.isFrozen(settings))
    return [Reflect.get(settings, name), Reflect.get(settings, bound)]
  }
  const [value, limit] = defaults

  test(`${group}.${name} is at most ${group}.${bound}: one that was not given follows`, () => {
    assert.deepEqual(resolved({}), [value, limit])
    assert.deepEqual(resolved({ [name]: limit }), [limit, limit])
    assert.deepEqual(resolved({ [name]: limit + 1 }), [limit + 1, limit + 1])
    assert.deepEqual(resolved({ [bound]: value }), [value, value])
    assert.deepEqual(resolved({ [bound]: 7 }, { [name]: 8 }), [7, 7])
    assert.deepEqual(resolved({ [name]: 8 }, { [bound]: 7 }), [8, 8])
    assert.deepEqual(resolved({}, { [name]: 7, [bound]: 7 }), [7, 7])
    assert.deepEqual(resolved({ [name]: 2, [bound]: 3 }, { [name]: 5, [bound]: 6 }), [2, 3])
  })

  test(`${group}.${name} and ${group}.${bound} that contradict each other are refused`, () => {
    const both = { [group]: { [name]: 8, [bound]: 7 } }
    const message = `Expected \`${group}.${name}\` to be at most \`${group}.${bound}\` (7), got \`8\` (number), in `
    assert.throws(() => route(both), invalid(message + ROUTE))
    assert.throws(() => plugin(both), invalid(message + PLUGIN))
  })
}

test('the end of credentials is a Date, or epoch milliseconds', () => {
  const at = Date.UTC(2030, 1, 1)
  assert.equal(toExpiry(new Date(at), 'here'), at)
  assert.equal(toExpiry(at, 'here'), at)
  assert.equal(toExpiry(1e11, 'here'), 1e11)
  for (const [when, shown] of [
    [at / 1_000, `\`${at / 1_000}\` (number)`],
    [1e11 - 1, '`99999999999` (number)'],
    [NaN, '`NaN` (number)'],
    [new Date(NaN), '`Invalid Date` (object)'],
    ['2030-01-01', 'string'],
    [null, 'null'],
    [undefined, 'undefined'],
  ] as const) {
    const message = `Expected a Date, or a number of milliseconds since 1970 from 100000000000 (are these seconds?), got ${shown}, in here`
    assert.throws(() => toExpiry(when, 'here'), invalid(message))
  }
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
    inbox: { maxBytes: 100 },
    outbox: { maxAge: 100 },
    messageRate: { max: 100, window: 100 },
  }
  const sessions = { resume: { key: () => null, window: 5_000 } }
  const settings = plugin(options)
  const { resume } = route(sessions)
  sessions.resume.window = 1
  assert.equal(resume?.window, 5_000)
  assert.ok(Object.isFrozen(resume))
  options.keepalive.interval = 1
  options.inbox.maxBytes = 1
  options.outbox.maxAge = 1
  options.messageRate.max = 1
  options.expectedCloseCodes.push(1006)
  options.drain.code = 1
  assert.deepEqual(settings.route.keepalive, { interval: 100, timeout: 20_000 })
  assert.deepEqual(settings.route.expectedCloseCodes, [1000])
  assert.equal(settings.drain.code, 4000)
  const { keepalive, expectedCloseCodes, inbox, outbox, messageRate } = settings.route
  assert.deepEqual([inbox.maxBytes, outbox.maxAge], [100, 100])
  assert.deepEqual(messageRate, { max: 100, window: 100 })
  const groups = [keepalive, expectedCloseCodes, inbox, outbox, messageRate, settings.drain]
  for (const part of [settings.route, ...groups]) assert.ok(Object.isFrozen(part))
})
