// Which pages may connect behind a real nginx that ends TLS: by what it forwards, and whom the app trusts.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { refused } from '../support/servers/refused.js'
import { type Behind, FORWARDED, HOST, serveBehind, TRUSTING } from './support/behind.js'

/** Pages, by their origin; `host` is where the page's own server is found, with its port. */
const OWN = (host: string): string => `https://${host}`
const WITHOUT_TLS = (host: string): string => `http://${host}`
const ANOTHER_PORT = (): string => 'https://localhost:1'
const ANOTHER_SITE = (): string => 'https://evil.example'
const LOOKALIKE = (host: string): string => `https://${host}.evil.example`
const NOWHERE = (): string => 'null'

/** It passes, or the message names this as the host that was asked for. */
type Verdict = 'passes' | ((host: string) => string)

const ASKED: Verdict = (host) => host
const PORT_LOST: Verdict = () => 'localhost'
/** The name of nginx's `upstream`: what it sends as Host unless it is told otherwise. */
const UPSTREAM: Verdict = () => 'app'

interface Page {
  readonly title: string
  readonly origin: (host: string) => string
  readonly trusting: Verdict
  readonly notTrusting: Verdict
}

interface Told {
  readonly location: string
  readonly pages: readonly Page[]
}

function page(
  title: string,
  origin: Page['origin'],
  trusting: Verdict,
  notTrusting: Verdict,
): Page {
  return { title, origin, trusting, notTrusting }
}

const CASES: Readonly<Record<string, Told>> = {
  'forwards the host as it was asked for, and what it was asked over': {
    location: HOST + FORWARDED,
    pages: [
      page('one of its own', OWN, 'passes', 'passes'),
      page('one of its own host, without TLS', WITHOUT_TLS, ASKED, 'passes'),
      page('one of another port', ANOTHER_PORT, ASKED, ASKED),
      page('one of another site', ANOTHER_SITE, ASKED, ASKED),
      page('one of a site whose name begins like it', LOOKALIKE, ASKED, ASKED),
      page('one without a site', NOWHERE, ASKED, ASKED),
    ],
  },
  'forwards the host as it was asked for, and nothing else': {
    location: HOST,
    pages: [
      page('one of its own', OWN, 'passes', 'passes'),
      // Nobody tells the app that there was TLS.
      page('one of its own host, without TLS', WITHOUT_TLS, 'passes', 'passes'),
      page('one of another site', ANOTHER_SITE, ASKED, ASKED),
    ],
  },
  'puts the port of its own to the host': {
    location: 'proxy_set_header Host $host:$server_port;',
    pages: [
      page('one of its own', OWN, 'passes', 'passes'),
      page('one of another site', ANOTHER_SITE, ASKED, ASKED),
    ],
  },
  'loses the port': {
    location: 'proxy_set_header Host $host;',
    pages: [
      page('one of its own', OWN, PORT_LOST, PORT_LOST),
      page('one of another site', ANOTHER_SITE, PORT_LOST, PORT_LOST),
    ],
  },
  'loses the port, but forwards the host beside it': {
    location: `proxy_set_header Host $host; ${FORWARDED}`,
    pages: [
      page('one of its own', OWN, 'passes', PORT_LOST),
      page('one of its own host, without TLS', WITHOUT_TLS, ASKED, PORT_LOST),
      page('one of another site', ANOTHER_SITE, ASKED, PORT_LOST),
    ],
  },
  'was told nothing, and sends a host of its own': {
    location: '',
    pages: [
      page('one of its own', OWN, UPSTREAM, UPSTREAM),
      page('one of another site', ANOTHER_SITE, UPSTREAM, UPSTREAM),
    ],
  },
  'sends a host of its own, but forwards the one that was asked for beside it': {
    location: FORWARDED,
    pages: [
      page('one of its own', OWN, 'passes', UPSTREAM),
      page('one of another site', ANOTHER_SITE, ASKED, UPSTREAM),
    ],
  },
}

async function assertPasses(
  { app, open, nextSocket }: Behind,
  headers: Record<string, string>,
): Promise<void> {
  const client = await open({ headers })
  await nextSocket()
  await client.roundTrip()
  assert.deepEqual(app.websocketLifecycle.stats().refused, refused())
}

async function assertRefused(
  { app, refusal }: Behind,
  headers: Record<string, string>,
  named: string,
): Promise<void> {
  const { status, body } = await refusal({ headers })
  assert.equal(status, 403)
  const { code, message } = JSON.parse(body)
  assert.equal(code, 'FST_ERR_WSL_ORIGIN')
  assert.ok(message.includes(JSON.stringify(headers['origin'])), message)
  assert.ok(message.includes(JSON.stringify(named)), message)
  const { opened, refused: counts } = app.websocketLifecycle.stats()
  assert.equal(opened, 0)
  assert.deepEqual(counts, refused({ origin: 1 }))
}

async function assertVerdict(
  t: TestContext,
  fastify: { trustProxy?: string },
  location: string,
  origin: Page['origin'],
  verdict: Verdict,
): Promise<void> {
  const behind = await serveBehind(t, { location, fastify })
  const headers = { origin: origin(behind.host) }
  if (verdict === 'passes') await assertPasses(behind, headers)
  else await assertRefused(behind, headers, verdict(behind.host))
}

for (const [told, { location, pages }] of Object.entries(CASES)) {
  describe(`a page, where nginx ${told}`, () => {
    for (const { title, origin, trusting, notTrusting } of pages) {
      const tell = (verdict: Verdict): string => (verdict === 'passes' ? 'passes' : 'is refused')
      test(`${title} ${tell(trusting)} at an app that trusts nginx`, async (t) => {
        await assertVerdict(t, TRUSTING, location, origin, trusting)
      })
      test(`${title} ${tell(notTrusting)} at an app that does not`, async (t) => {
        await assertVerdict(t, {}, location, origin, notTrusting)
      })
    }
  })
}

describe('on the default port, a page of its own passes', () => {
  for (const [forwarded, location] of [
    ['$http_host', HOST],
    ['$host', 'proxy_set_header Host $host;'],
    ['$http_host, beside a host of its own', FORWARDED],
  ] as const) {
    for (const host of ['app.example', 'app.example:443', 'APP.example']) {
      test(`where nginx forwards ${forwarded}, and the browser asks for ${host}`, async (t) => {
        const behind = await serveBehind(t, { location, fastify: TRUSTING })
        await assertPasses(behind, { host, origin: 'https://app.example' })
      })
    }
  }
})

describe('a client that is no browser', () => {
  for (const [app, fastify] of [
    ['trusts nginx', TRUSTING],
    ['does not', {}],
  ] as const) {
    test(`passes without an origin, at an app that ${app}`, async (t) => {
      await assertPasses(await serveBehind(t, { location: '', fastify }), {})
    })
  }

  test('gains nothing by what it says of its host, where nginx says it', async (t) => {
    const behind = await serveBehind(t, { fastify: TRUSTING })
    const headers = { origin: 'https://evil.example', 'x-forwarded-host': 'evil.example' }
    await assertRefused(behind, headers, behind.host)
  })
})
