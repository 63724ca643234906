// `same-origin` behind a proxy: which host a page has asked, and over what.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isFastifySince } from '../support/servers/fastify-version.js'
import { serveOne } from '../support/servers/server.js'
import { HOST, OURS, STRANGER, ask } from '../support/servers/origins.js'
import { DIFFERS_OVER_TLS } from '../support/servers/tls-pass.js'

const HTTP = `http://${HOST}`
const UPSTREAM = 'upstream:3000'

type Proxied = readonly [
  what: string,
  trustProxy: boolean | string,
  headers: Record<string, string>,
  passes: readonly string[],
  refused: readonly string[],
]

/** What arrives where a proxy names itself as Host, and tells whom the client has asked, and how. */
function via(host: string, proto: string): Record<string, string> {
  return { host: UPSTREAM, 'x-forwarded-host': host, 'x-forwarded-proto': proto }
}

/** What arrives where a proxy leaves Host as it is. */
function kept(proto: string): Record<string, string> {
  return { host: HOST, 'x-forwarded-proto': proto }
}

const PROXIES: readonly Proxied[] = [
  // Nobody knows whether it ended TLS.
  ['is not trusted, and forwards Host', false, kept('https'), [OURS, HTTP], [STRANGER]],
  ['is not trusted', false, via(HOST, 'https'), [`http://${UPSTREAM}`], [OURS, HTTP]],
  ['is trusted', true, via(HOST, 'https'), [OURS, `${OURS}:443`], [HTTP, STRANGER]],
  ['is trusted, and has a name', true, via(HOST, 'https'), [], [`https://${UPSTREAM}`]],
  ['is trusted, and forwards Host', true, kept('https'), [OURS], [HTTP, STRANGER]],
  ['is trusted, and has no TLS', true, via(HOST, 'http'), [HTTP, OURS], [STRANGER]],
  ['names the default port', true, via(`${HOST}:443`, 'https'), [OURS], [`${OURS}:8443`]],
  ['names another port', true, via(`${HOST}:8443`, 'https'), [`${OURS}:8443`], [OURS]],
  ['names garbage', true, via(`${HOST}/`, 'https'), [], [OURS, HTTP, STRANGER]],
  ['is the nearest', true, via(`evil.example, ${HOST}`, 'http, https'), [OURS], [HTTP, STRANGER]],
  ['is trusted by its address', '127.0.0.1', via(HOST, 'https'), [OURS], [HTTP]],
  // Before 5.9 Fastify believes whoever forwards, as soon as it trusts somebody.
  isFastifySince('5.9.0')
    ? ['is not the trusted one', '10.0.0.1', via(HOST, 'https'), [`http://${UPSTREAM}`], [OURS]]
    : ['is not the trusted one', '10.0.0.1', via(HOST, 'https'), [OURS], [`http://${UPSTREAM}`]],
  // Traefik says so of upgrades.
  ['says wss', true, via(HOST, 'wss'), [OURS], [HTTP, STRANGER]],
  ['says ws', true, via(HOST, 'ws'), [OURS, HTTP], [STRANGER]],
  // RFC 3986 §3.1: schemes are case-insensitive.
  ['says HTTPS', true, via(HOST, 'HTTPS'), [OURS], [HTTP]],
]

const isPlain = (origin: string): boolean => origin.startsWith('http:')

describe('behind a proxy that', () => {
  for (const [what, trustProxy, headers, passes, refused] of PROXIES) {
    const skip = trustProxy !== true && passes.some(isPlain) && DIFFERS_OVER_TLS.scheme
    test(`${what}: ${passes.join(' and ') || 'nobody'} may connect`, { skip }, async (t) => {
      const { port } = await serveOne(t, { fastify: { trustProxy } })
      for (const origin of passes) {
        assert.equal((await ask(port, { ...headers, origin })).status, 101, origin)
      }
      for (const origin of refused) {
        assert.equal((await ask(port, { ...headers, origin })).status, 403, origin)
      }
    })
  }
})
