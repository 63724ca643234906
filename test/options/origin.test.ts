// What `allowedOrigins` may be, how it is refused where it is something else, and whom each form of it lets in.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { runInNewContext } from 'node:vm'
import Fastify from 'fastify'
import { anchor } from '../../lib/core/admission/origin.js'
import type { LifecycleOptions } from '../../lib/index.js'
import { createPlugin } from '../../lib/plugin/plugin.js'
import { within } from '../support/time/bound.js'
import { type Answer, parseAnswer } from '../support/peers/client.js'
import { FAULTS } from '../support/models/faults.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { refused } from '../support/servers/refused.js'
import { invalid, plugin, PLUGIN, route, ROUTE } from '../support/servers/resolve.js'
import {
  endWith,
  type Observed,
  type OneRoute,
  portOf,
  serveOne,
} from '../support/servers/server.js'

type AllowedOrigins = NonNullable<LifecycleOptions['allowedOrigins']>

const OURS = 'https://app.example'
const STRANGER = 'https://evil.example'

const ONE_OF = "'same-origin', '*', an array of origins and patterns, or a function"
const ORIGIN =
  "an origin such as 'https://app.example' (scheme, host and port; no path, no `*`), or a pattern"

const resolved = (allowedOrigins: unknown): unknown =>
  plugin({ allowedOrigins }).route.allowedOrigins

/** That it is refused with that message, at both levels. */
function assertRefused(allowedOrigins: unknown, message: string): void {
  assert.throws(() => plugin({ allowedOrigins }), invalid(`${message}, in ${PLUGIN}`))
  assert.throws(() => route({ allowedOrigins }), invalid(`${message}, in ${ROUTE}`))
}

describe('`allowedOrigins` that is none of its forms is refused:', () => {
  for (const [value, shown] of [
    [OURS, "`'https://app.example'` (string)"],
    ['', "`''` (string)"],
    ['same-site', "`'same-site'` (string)"],
    ['Same-Origin', "`'Same-Origin'` (string)"],
    ['null', "`'null'` (string)"],
    [/^https:\/\/app\.example$/, '`/^https:\\/\\/app\\.example$/` (object)'],
    [true, '`true` (boolean)'],
    [false, '`false` (boolean)'],
    [null, '`null` (object)'],
    [0, '`0` (number)'],
    [{ origin: OURS }, "`{ origin: 'https://app.example' }` (object)"],
    [new Set([OURS]), "`Set(1) { 'https://app.example' }` (object)"],
    [Symbol('origin'), '`Symbol(origin)` (symbol)'],
  ] as const) {
    test(shown, () => {
      assertRefused(value, `Expected \`allowedOrigins\` to be ${ONE_OF}, got ${shown}`)
    })
  }
})

describe('an entry of a list that is neither an origin nor a pattern is refused:', () => {
  for (const [value, shown] of [
    ['app.example', "`'app.example'` (string)"],
    ['//app.example', "`'//app.example'` (string)"],
    ['https://app.example/', "`'https://app.example/'` (string)"],
    ['https://app.example/chat', "`'https://app.example/chat'` (string)"],
    ['https://app.example?', "`'https://app.example?'` (string)"],
    ['https://user@app.example', "`'https://user@app.example'` (string)"],
    ['https://app.example:65536', "`'https://app.example:65536'` (string)"],
    ['https://app.example, https://b', "`'https://app.example, https://b'` (string)"],
    [' https://app.example', "`' https://app.example'` (string)"],
    // What a page asks, and not where it came from.
    ['wss://app.example', "`'wss://app.example'` (string)"],
    ['WS://app.example', "`'WS://app.example'` (string)"],
    ['https://*.app.example', "`'https://*.app.example'` (string)"],
    ['*.app.example', "`'*.app.example'` (string)"],
    ['*', "`'*'` (string)"],
    ['same-origin', "`'same-origin'` (string)"],
    ['NULL', "`'NULL'` (string)"],
    ['', "`''` (string)"],
    [undefined, '`undefined` (undefined)'],
    [null, '`null` (object)'],
    [443, '`443` (number)'],
    [true, '`true` (boolean)'],
    [[OURS], "`[ 'https://app.example' ]` (object)"],
    [Object('https://a'), "`[String: 'https://a']` (object)"],
    [{ test: 1 }, '`{ test: 1 }` (object)'],
    [Math.max, '`[Function: max]` (function)'],
  ] as const) {
    test(shown, () => {
      const message = `to be ${ORIGIN}, got ${shown}`
      assertRefused([value], `Expected \`allowedOrigins[0]\` ${message}`)
      assertRefused([OURS, /a$/, value, 1], `Expected \`allowedOrigins[2]\` ${message}`)
    })
  }
})

describe('a pattern without `$` at its end is refused, and one with it suggested and accepted:', () => {
  for (const [pattern, suggested] of [
    [/^https:\/\/app\.example/, '/^https:\\/\\/app\\.example$/'],
    [/app\.example/i, '/app\\.example$/i'],
    [/^https:\/\/(?:a|b)\.example/, '/^https:\\/\\/(?:a|b)\\.example$/'],
    [/^https:\/\/a\.example$|b/, '/(?:^https:\\/\\/a\\.example$|b)$/'],
    [/(?:^https:\/\/a$)/, '/(?:^https:\\/\\/a$)$/'],
    [/^https:\/\/cash\$/, '/^https:\\/\\/cash\\$$/'],
    [/^https:\/\/[ab$]/, '/^https:\\/\\/[ab$]$/'],
    [new RegExp(''), '/(?:)$/'],
  ] as const) {
    test(String(pattern), () => {
      const why = 'for else it matches what only begins like an origin of yours'
      const expected = `a pattern that ends in \`$\`, such as ${suggested}, ${why}`
      const message = `to be ${expected}, got \`${String(pattern)}\` (object)`
      assertRefused([pattern], `Expected \`allowedOrigins[0]\` ${message}`)
      assertRefused([OURS, pattern], `Expected \`allowedOrigins[1]\` ${message}`)
      assert.deepEqual(resolved([anchor(pattern)]), [anchor(pattern)])
      assert.equal(String(anchor(pattern)), suggested)
    })
  }

  test('whatever its flags', () => {
    for (const flags of ['g', 'y', 'gy', 'i', 'dgimsuy']) {
      const pattern = new RegExp('^https://a', flags)
      assert.throws(() => resolved([pattern]), /ends in `\$`/)
      assert.doesNotThrow(() => resolved([anchor(pattern)]))
    }
  })
})

describe('`allowedOrigins`', () => {
  test('is kept as it is where it is a word or a function', () => {
    for (const value of ['same-origin', '*', () => true, async () => false]) {
      assert.equal(resolved(value), value)
      assert.equal(route({ allowedOrigins: value }).allowedOrigins, value)
    }
  })

  test('is a frozen list of origins as browsers write them', () => {
    const list = resolved(['HTTPS://App.Example:443', 'http://127.1:80', 'null', 'App://Main'])
    assert.deepEqual(list, [OURS, 'http://127.0.0.1', 'null', 'app://Main'])
    assert.ok(Object.isFrozen(list))
    assert.deepEqual(resolved([]), [])
  })

  test('has no holes', () => {
    const list = [OURS]
    list[2] = STRANGER
    assertRefused(
      list,
      `Expected \`allowedOrigins[1]\` to be ${ORIGIN}, got \`undefined\` (undefined)`,
    )
  })

  // Test runners give the code that they run a realm of its own.
  test('takes the patterns of another realm', () => {
    const [pattern, open] = runInNewContext('[/^https:a$/g, /^https:a/]') as [RegExp, RegExp]
    assert.equal(pattern instanceof RegExp, false)
    assert.deepEqual(resolved([pattern]), [/^https:a$/])
    assert.throws(() => resolved([open]), /ends in `\$`/)
  })

  test("of a route replaces the plugin's, and where it has none the plugin's holds", () => {
    const forms = ['same-origin', '*', [OURS], [], () => true]
    for (const base of forms) {
      assert.deepEqual(route({}, { allowedOrigins: base }).allowedOrigins, base)
      const none = { allowedOrigins: undefined }
      assert.deepEqual(route(none, { allowedOrigins: base }).allowedOrigins, base)
      for (const own of forms) {
        const settings = route({ allowedOrigins: own }, { allowedOrigins: base })
        assert.deepEqual(settings.allowedOrigins, own)
      }
    }
  })

  test('that is wrong fails the registration, or the declaration of the route', async (t) => {
    const app = Fastify()
    endWith(t, app)
    const wrong = { allowedOrigins: ['https://app.example/'] }
    const error = { code: 'FST_ERR_WSL_INVALID_OPTION', message: /`allowedOrigins\[0\]`/ }
    await assert.rejects(async () => Fastify().register(createPlugin(), wrong), error)
    await app.register(createPlugin())
    assert.throws(() => app.get('/ws', { websocket: true, ...wrong }, () => {}), error)
    app.get('/http', wrong, async () => 'not our business')
  })
})

/** What an upgrade of a page of that origin is answered. */
async function ask(port: number, headers: Record<string, string>, path = '/'): Promise<Answer> {
  const peer = await RawPeer.dial(port, path, { host: 'app.example', ...headers })
  const answer = parseAnswer(await within(peer.answer(), 'an answer'))
  peer.destroy()
  return answer
}

async function statusOf(port: number, origin: string, path = '/'): Promise<number> {
  return (await ask(port, { origin }, path)).status
}

async function serveOrigins(
  t: TestContext,
  allowedOrigins: AllowedOrigins,
  setup: OneRoute = {},
): Promise<Observed> {
  return serveOne(t, { ...setup, options: { allowedOrigins } })
}

test("a route's origins replace the plugin's", async (t) => {
  const { app } = await serveOrigins(t, [STRANGER], {
    routes: (app) => {
      const routes: Record<string, AllowedOrigins> = {
        '/same': 'same-origin',
        '/all': '*',
        '/list': ['https://b.example'],
        '/none': [],
      }
      for (const [url, allowedOrigins] of Object.entries(routes)) {
        app.get(url, { websocket: true, allowedOrigins }, () => {})
      }
    },
  })
  for (const [path, origin, status] of [
    ['/', STRANGER, 101],
    ['/', OURS, 403],
    ['/same', STRANGER, 403],
    ['/same', OURS, 101],
    ['/all', 'https://b.example', 101],
    ['/list', 'https://b.example', 101],
    ['/list', STRANGER, 403],
    ['/none', STRANGER, 403],
  ] as const) {
    assert.equal(await statusOf(portOf(app), origin, path), status, `${origin} to ${path}`)
  }
})

describe('a list', () => {
  test('lets in the origins that it names, in whatever way they are written', async (t) => {
    const { port } = await serveOrigins(t, [
      'HTTPS://One.Example:443',
      'http://[0::1]:3000',
      'null',
    ])
    for (const origin of [
      'https://one.example',
      'HTTPS://ONE.example',
      'http://[::1]:3000',
      'null',
    ]) {
      assert.equal(await statusOf(port, origin), 101, origin)
    }
    // Not its own host either, which it does not name.
    for (const origin of ['http://one.example', 'https://one.example:8443', OURS, '', '*']) {
      assert.equal(await statusOf(port, origin), 403, origin)
    }
  })

  test('without entries lets no page in', async (t) => {
    const { port } = await serveOrigins(t, [])
    assert.equal(await statusOf(port, OURS), 403)
    assert.equal((await ask(port, {})).status, 101)
  })

  for (const flags of ['', 'g', 'y', 'gy', 'i', 'gimsu']) {
    test(`has patterns that remember nothing, with the flags "${flags}"`, async (t) => {
      const { port } = await serveOrigins(t, [
        new RegExp('https:\\/\\/[a-z]+\\.app\\.example$', flags),
      ])
      for (let round = 0; round < 3; round++) {
        assert.equal(await statusOf(port, 'https://a.app.example'), 101)
        assert.equal(await statusOf(port, 'https://long.app.example'), 101)
        assert.equal(await statusOf(port, 'https://a.app.example.evil'), 403)
      }
    })
  }

  test('has patterns that see an origin as browsers write it, and nothing else', async (t) => {
    const { port } = await serveOrigins(t, [/^https:\/\/.*app\.example$/])
    assert.equal(await statusOf(port, 'HTTPS://A.APP.EXAMPLE:443'), 101)
    assert.equal(await statusOf(port, `${STRANGER}/.app.example`), 403)
    assert.equal(await statusOf(port, `${STRANGER}, https://a.app.example`), 403)
  })

  test('has sticky patterns that begin at the beginning', async (t) => {
    const { port } = await serveOrigins(t, [/(?:https:\/\/)?app\.example$/y])
    assert.equal(await statusOf(port, OURS), 101)
    assert.equal(await statusOf(port, 'https://evilapp.example'), 403)
  })

  test('is read once: what happens to it later changes nothing', async (t) => {
    const list = [OURS, /^https:\/\/a\.example$/]
    const { port } = await serveOrigins(t, list)
    list.splice(0, 2, STRANGER)
    assert.equal(await statusOf(port, OURS), 101)
    assert.equal(await statusOf(port, STRANGER), 403)
  })
})

test("'*' lets everybody in, whatever they say that they are", async (t) => {
  const { port, app } = await serveOrigins(t, '*')
  for (const origin of [OURS, STRANGER, 'null', '', 'garbage', '*', `${OURS}, ${STRANGER}`]) {
    assert.equal(await statusOf(port, origin), 101, origin)
  }
  assert.deepEqual(app.websocketLifecycle.stats().refused, refused())
})

test('what has no Origin is no browser, and passes, and no function is asked', async (t) => {
  const options: AllowedOrigins[] = ['same-origin', '*', [], () => assert.fail('it was asked')]
  for (const allowedOrigins of options) {
    const { port } = await serveOrigins(t, allowedOrigins)
    assert.equal((await ask(port, {})).status, 101)
  }
})

function thenable(answer: unknown): object {
  return { then: (resolve: (answer: unknown) => void) => resolve(answer) }
}

describe('a function', () => {
  test('gets the origin as browsers write it, and the request', async (t) => {
    const asked: unknown[] = []
    const { port } = await serveOrigins(t, (origin, { headers, url, wsScope }) => {
      asked.push([origin, headers.origin, url, wsScope !== undefined])
      return true
    })
    for (const origin of ['HTTPS://APP.example:443', 'null']) await statusOf(port, origin)
    assert.deepEqual(asked, [
      [OURS, 'HTTPS://APP.example:443', '/', true],
      ['null', 'null', '/', true],
    ])
  })

  test('is not asked about what is no origin', async (t) => {
    const { port } = await serveOrigins(t, () => assert.fail('it was asked'))
    for (const origin of ['', 'garbage', `${OURS}/`, `${OURS}, ${OURS}`]) {
      assert.equal(await statusOf(port, origin), 403, origin)
    }
  })

  const yes = [true, Promise.resolve(true), thenable(true)]
  const no = [false, undefined, null, 1, 'true', {}, [true], Object(true), () => true]

  test('lets in by true alone, now or later', async (t) => {
    let answer: unknown
    const { port, app } = await serveOrigins(t, (() => answer) as AllowedOrigins)
    for (answer of yes) assert.equal(await statusOf(port, STRANGER), 101)
    for (answer of no.flatMap((each) => [each, Promise.resolve(each), thenable(each)])) {
      // Of its own host too: nobody is let in behind its back.
      assert.equal(await statusOf(port, OURS), 403)
    }
    assert.deepEqual(app.websocketLifecycle.stats().refused, refused({ origin: 3 * no.length }))
  })

  for (const [name, fault] of Object.entries(FAULTS)) {
    for (const value of [new Error('not today'), 'no', '', 0, false, null, undefined]) {
      test(`${name} (${String(value) || "''"}) lets nobody in`, async (t) => {
        const seen: string[] = []
        const { app, port } = await serveOrigins(t, (() => fault(value)) as AllowedOrigins, {
          handler: () => void seen.push('handler'),
          routes: (app) => {
            app.addHook('onRequest', async () => void seen.push('onRequest'))
            app.addHook('onError', async () => void seen.push('onError'))
          },
        })
        assert.equal(await statusOf(port, OURS), 500)
        assert.ok(!seen.includes('handler'))
        assert.ok(!seen.includes('onRequest'))
        const { refused: counts, opened } = app.websocketLifecycle.stats()
        assert.deepEqual([counts, opened], [refused(), 0])
      })
    }
  }
})
