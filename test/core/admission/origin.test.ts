// What is an origin, and which of them is the same as that of a host.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import {
  isListed,
  isSameOrigin,
  LastOrigin,
  normalizeOrigin,
} from '../../../lib/core/admission/origin.js'

/** Over which connections, plain or with TLS, a page of that Origin may talk to that host. */
type Over = 'both' | 'plain' | 'none'

type Row = readonly [why: string, origin: string, host: string, over: Over]

const ANY = 'both'
const PLAIN = 'plain'
const NONE = 'none'

/** One for all: what it remembers must never show. */
const last = new LastOrigin()

/** By the header as it came, as the default of `allowedOrigins` decides. */
function mayTalk(header: string, host: string, isEncrypted: boolean): boolean {
  const origin = last.normalize(header)
  return origin !== undefined && isSameOrigin(origin, host, isEncrypted, last)
}

const APP = 'app.example'

/**
 * gorilla/websocket's `checkSameOrigin` and coder/websocket's `authenticateOrigin` compare the text of
 * the Origin's host and of Host, letter case aside, and nothing else: where a row decides otherwise, its
 * theme says why. RFC 6454 §4 and §5 (scheme, host and port, with the default ports) and WHATWG's URL
 * (how a host is read) say what browsers mean.
 */
const THEMES: Readonly<Record<string, readonly Row[]>> = {
  // Those two let any scheme pass: a page that a network attacker has changed could talk over TLS.
  'the scheme of a page': [
    ['https, whatever ended TLS', 'https://app.example', APP, ANY],
    ['http is the weaker one over TLS', 'http://app.example', APP, PLAIN],
    ['no page is of ws', 'ws://app.example', APP, NONE],
    ['no page is of wss', 'wss://app.example', APP, NONE],
    ['ftp', 'ftp://app.example', APP, NONE],
    ['an extension of that name', 'chrome-extension://app.example', APP, NONE],
    ['an extension', 'moz-extension://6b9f6b1e-8b3c-4c6e-9f2f-0a1b2c3d4e5f', APP, NONE],
    ['an app in a web view', 'capacitor://localhost', 'localhost', NONE],
    ['a script', 'javascript://app.example', APP, NONE],
    ['a local file', 'file://', APP, NONE],
    ['a local file, and no host', 'file://', '', NONE],
    ['a local file of that host', 'file://app.example', APP, NONE],
    ['a letter that folds to one of https', 'httpſ://app.example', APP, NONE],
    ['https and more', 'httpss://app.example', APP, NONE],
    ['a scheme that begins with a digit', '1https://app.example', APP, NONE],
  ],
  // Those two fold no ports. Browsers leave a default port out, in Origin and in Host.
  'the port of a page': [
    ['443 is that of https', 'https://app.example:443', APP, ANY],
    ['443 is that of https, in Host', 'https://app.example', 'app.example:443', ANY],
    ['443 in both', 'https://app.example:443', 'app.example:443', ANY],
    ['80 is that of http', 'http://app.example:80', APP, PLAIN],
    ['80 is that of http, in Host', 'http://app.example', 'app.example:80', PLAIN],
    ['80 is not that of https', 'https://app.example:80', APP, NONE],
    ['80 is not that of https, in Host', 'https://app.example', 'app.example:80', NONE],
    ['443 is not that of http', 'http://app.example:443', APP, NONE],
    ['443 is not that of http, in Host', 'http://app.example', 'app.example:443', NONE],
    ['another one, in both', 'https://app.example:8443', 'app.example:8443', ANY],
    ['another one, in both, of http', 'http://app.example:8080', 'app.example:8080', PLAIN],
    ['another one, in Origin alone', 'https://app.example:8443', APP, NONE],
    ['another one, in Host alone', 'https://app.example', 'app.example:8443', NONE],
    ['two others', 'https://app.example:8443', 'app.example:8444', NONE],
    ['an empty one is the default (RFC 3986 §6.2.3)', 'https://app.example:', APP, ANY],
    ['zeros before it are none', 'https://app.example:0443', APP, ANY],
    ['the last one', 'https://app.example:65535', 'app.example:65535', ANY],
    ['beyond the last one', 'https://app.example:65536', 'app.example:65536', NONE],
    ['443 once around', 'https://app.example:65979', APP, NONE],
    ['below the first one', 'https://app.example:-1', 'app.example:-1', NONE],
    ['no number', 'https://app.example:https', 'app.example:https', NONE],
    ['a number and more', 'https://app.example:443a', APP, NONE],
    ['digits that are not of ASCII', 'https://app.example:４４３', APP, NONE],
    ['two of them', 'https://app.example:443:443', APP, NONE],
  ],
  'the host of a page': [
    ['upper case is lower case', 'HTTPS://APP.EXAMPLE', APP, ANY],
    ['upper case is lower case, in Host', 'https://app.example', 'App.EXAMPLE', ANY],
    ['a parent', 'https://example', APP, NONE],
    ['a child', 'https://sub.app.example', APP, NONE],
    ['a sibling', 'https://www.example', APP, NONE],
    ['it begins alike', 'https://app.example.evil', APP, NONE],
    ['it ends alike', 'https://evilapp.example', APP, NONE],
    ['it is shorter', 'https://app.exampl', APP, NONE],
    ['a wildcard is a name like any other', 'https://*.example', APP, NONE],
    ['localhost by its address', 'https://localhost', '127.0.0.1', NONE],
    // WHATWG's URL: another host, for which browsers keep other cookies and another storage.
    ['a dot at the end, in Origin alone', 'https://app.example.', APP, NONE],
    ['a dot at the end, in Host alone', 'https://app.example', 'app.example.', NONE],
    ['a dot at the end of both', 'https://app.example.', 'app.example.', ANY],
    ['two dots at the end', 'https://app.example..', APP, NONE],
    ['a dot at the beginning', 'https://.app.example', APP, NONE],
    ['punycode', 'https://xn--mnchen-3ya.example', 'xn--mnchen-3ya.example', ANY],
    ['what punycode is made of', 'https://münchen.example', 'xn--mnchen-3ya.example', ANY],
    ['a letter of another script', 'https://аpp.example', APP, NONE],
    ['a percent sign with digits is that letter', 'https://%61pp.example', APP, ANY],
    ['a percent sign without', 'https://%app.example', '%app.example', NONE],
    ['an escaped NUL', 'https://app.example%00', APP, NONE],
    ['none', 'https://', '', NONE],
    ['none, and a port', 'https://:443', ':443', NONE],
  ],
  // WHATWG's URL: every form of an address is the same host. Browsers send the shortest.
  'the address of a page': [
    ['of IPv4', 'http://127.0.0.1:3000', '127.0.0.1:3000', PLAIN],
    ['of IPv4, another', 'http://127.0.0.2:3000', '127.0.0.1:3000', NONE],
    ['of IPv4, in short', 'http://127.1', '127.0.0.1', PLAIN],
    ['of IPv4, as a number', 'http://2130706433', '127.0.0.1', PLAIN],
    ['of IPv4, hexadecimal', 'http://0x7f.0.0.1', '127.0.0.1', PLAIN],
    ['of IPv4, octal', 'http://0177.0.0.1', '127.0.0.1', PLAIN],
    ['of IPv4, with a dot at the end', 'http://127.0.0.1.', '127.0.0.1', PLAIN],
    ['of IPv4, out of range', 'http://256.0.0.1', '256.0.0.1', NONE],
    ['of IPv6', 'https://[::1]:3000', '[::1]:3000', ANY],
    ['of IPv6, with the default port', 'https://[::1]:443', '[::1]', ANY],
    ['of IPv6, another', 'https://[::2]', '[::1]', NONE],
    ['of IPv6, in full', 'https://[0:0:0:0:0:0:0:1]', '[::1]', ANY],
    ['of IPv6, upper case', 'https://[2001:DB8::A]', '[2001:db8::a]', ANY],
    ['of IPv6, ending as IPv4', 'https://[::ffff:127.0.0.1]', '[::ffff:7f00:1]', ANY],
    ['of IPv6 that stands for IPv4', 'https://[::ffff:127.0.0.1]', '127.0.0.1', NONE],
    ['of IPv6, with a zone', 'http://[fe80::1%25eth0]', '[fe80::1%25eth0]', NONE],
    ['of IPv6, without brackets', 'http://::1', '::1', NONE],
    ['of IPv6, half of it', 'http://[::1', '[::1', NONE],
    ['of IPv6, and more', 'http://[::1].app.example', APP, NONE],
  ],
  // RFC 6454 §7.1: nothing stands beside them. To those two the last of these is app.example.
  'more than scheme, host and port': [
    ['a slash', 'https://app.example/', APP, NONE],
    ['a path', 'https://app.example/chat', APP, NONE],
    ['a query', 'https://app.example?a=b', APP, NONE],
    ['a fragment', 'https://app.example#a', APP, NONE],
    ['a backslash', 'https://app.example\\', APP, NONE],
    ['our name as a path', 'https://evil.example/app.example', APP, NONE],
    ['our name as a query', 'https://evil.example?app.example', APP, NONE],
    ['our name as a fragment', 'https://evil.example#app.example', APP, NONE],
    ['our name behind a backslash', 'https://evil.example\\app.example', APP, NONE],
    ['our name behind an escaped slash', 'https://evil.example%2fapp.example', APP, NONE],
    ['our name as a user', 'https://app.example@evil.example', APP, NONE],
    ['our name as a user, with our port', 'https://app.example:443@evil.example', APP, NONE],
    ['our name as a user, and a backslash', 'https://app.example\\@evil.example', APP, NONE],
    ['no user, but its sign', 'https://@app.example', APP, NONE],
    ['a password', 'https://user:password@app.example', APP, NONE],
    ['a user', 'https://evil.example@app.example', APP, NONE],
  ],
  // RFC 6454 §7.3: one field, and §6.1: `null` is nobody. The empty one is no lack of one: to gorilla
  // it is a stranger too, to coder it is no browser.
  'what is no origin': [
    ['the empty one', '', '', NONE],
    ['null', 'null', APP, NONE],
    ['null, and a host of that name', 'null', 'null', NONE],
    ['null in upper case', 'NULL', APP, NONE],
    ['a host', 'app.example', APP, NONE],
    ['a host and port', 'app.example:443', 'app.example:443', NONE],
    ['a host behind slashes', '//app.example', APP, NONE],
    ['one slash less', 'https:/app.example', APP, NONE],
    ['no slash', 'https:app.example', APP, NONE],
    ['one slash more', 'https:///app.example', APP, NONE],
    ['backslashes', 'https:\\\\app.example', APP, NONE],
    ['a blob', 'blob:https://app.example', APP, NONE],
    ['data', 'data:text/html,https://app.example', APP, NONE],
    ['about:blank', 'about:blank', APP, NONE],
    ['a wildcard', '*', '*', NONE],
    ['two fields, joined as node does', 'https://app.example, https://app.example', APP, NONE],
    ['two fields, a stranger first', 'https://evil.example, https://app.example', APP, NONE],
    ['two fields, one empty', 'https://app.example, ', APP, NONE],
    ['a list, as in redirects', 'https://app.example https://app.example', APP, NONE],
    ['a list without spaces', 'https://app.example,https://app.example', APP, NONE],
    ['a list that begins with null', 'null, https://app.example', APP, NONE],
    ['a space before it', ' https://app.example', APP, NONE],
    ['a space behind it', 'https://app.example ', APP, NONE],
    ['a space in it', 'https://app .example', APP, NONE],
    ['a tab, which URL leaves out', 'https://app\t.example', APP, NONE],
    ['an end of line, which URL leaves out', 'https://app.example\n', APP, NONE],
    ['a space that is not of ASCII', 'https://app.example\u00a0', APP, NONE],
    ['a byte order mark', '\ufeffhttps://app.example', APP, NONE],
    ['a NUL', 'https://app.example\0', APP, NONE],
    ['a control character before it', '\x1fhttps://app.example', APP, NONE],
    ['garbage', '%s{}<>|^"`', APP, NONE],
    ['what a script makes of nothing', 'undefined', 'undefined', NONE],
  ],
  'a Host that is none': [
    ['the empty one', 'https://app.example', '', NONE],
    ['with a scheme', 'https://app.example', 'https://app.example', NONE],
    ['with a path', 'https://app.example', 'app.example/', NONE],
    ['with a query', 'https://app.example', 'app.example?', NONE],
    ['with a fragment', 'https://app.example', 'app.example#', NONE],
    ['with a backslash', 'https://app.example', 'app.example\\', NONE],
    ['with a user', 'https://app.example', 'user@app.example', NONE],
    ['with a stranger behind it', 'https://app.example', 'app.example@evil.example', NONE],
    ['with spaces', 'https://app.example', ' app.example', NONE],
    ['two of them', 'https://app.example', 'app.example, app.example', NONE],
    ['with a control character behind', 'https://app.example', 'app.example\x01', NONE],
    ['with a port that is none', 'https://app.example', 'app.example:a', NONE],
  ],
}

describe('a page may talk to app.example, or to the host that is named:', () => {
  for (const [theme, rows] of Object.entries(THEMES)) {
    describe(theme, () => {
      for (const [why, origin, host, over] of rows) {
        const to = host === APP ? '' : ` to ${JSON.stringify(host)}`
        test(`${why}: ${JSON.stringify(origin)}${to} over ${over}`, () => {
          assert.equal(mayTalk(origin, host, false), over !== NONE)
          assert.equal(mayTalk(origin, host, true), over === ANY)
        })
      }
    })
  }
})

test('an origin is read as browsers write it', () => {
  for (const [text, origin] of [
    ['https://app.example', 'https://app.example'],
    ['HTTPS://App.Example:443', 'https://app.example'],
    ['http://app.example:080', 'http://app.example'],
    ['http://app.example:443', 'http://app.example:443'],
    ['https://app.example.', 'https://app.example.'],
    ['https://münchen.example', 'https://xn--mnchen-3ya.example'],
    ['http://127.1:8080', 'http://127.0.0.1:8080'],
    ['http://[0::0:1]:80', 'http://[::1]'],
    ['null', 'null'],
    ['file://', 'file://'],
    ['Chrome-Extension://abcdefghijklmnop', 'chrome-extension://abcdefghijklmnop'],
    ['capacitor://localhost', 'capacitor://localhost'],
    // WHATWG's URL leaves the host of a scheme that it does not know as it is.
    ['capacitor://LocalHost:80', 'capacitor://LocalHost:80'],
    ['null, null', undefined],
    ['https://app.example/', undefined],
    ['', undefined],
  ] as const) {
    assert.equal(normalizeOrigin(text), origin, text)
  }
})

const ports = fc.oneof(fc.constantFrom(80, 443, 8080), fc.integer({ min: 1, max: 65_535 }))
const hosts = fc.oneof(
  fc.domain(),
  fc.ipV4(),
  fc.ipV6().map((address) => `[${address}]`),
  fc.constantFrom('localhost', 'App.Example', 'app.example.', 'münchen.example'),
)

/** What the page of an address says that it is, and how it names whom it asks. */
const pageOf = (scheme: string, host: string, port: number): string =>
  new URL(`${scheme}://${host}:${port}`).origin
const hostOf = (scheme: string, host: string, port: number): string =>
  new URL(`${scheme === 'https' ? 'wss' : 'ws'}://${host}:${port}`).host

test('whatever its scheme, host and port, only a page may talk to where it came from', () => {
  const schemes = fc.constantFrom('http', 'https')
  fc.assert(
    fc.property(schemes, hosts, hosts, ports, ports, (scheme, host, other, port, otherPort) => {
      const asked = hostOf(scheme, host, port)
      const isEncrypted = scheme === 'https'
      const talks = (page: string): boolean => mayTalk(page, asked, isEncrypted)
      assert.equal(talks(pageOf(scheme, host, port)), true)
      const isElsewhere = pageOf('http', other, 1) !== pageOf('http', host, 1)
      assert.equal(talks(pageOf(scheme, other, port)), !isElsewhere)
      assert.equal(talks(pageOf(scheme, host, otherPort)), otherPort === port)
      assert.equal(mayTalk(pageOf('http', host, port), hostOf('https', host, port), true), false)
    }),
    { numRuns: 1_000 },
  )
})

test('nothing that is added to an origin leaves it what it was', () => {
  const additions = fc.tuple(fc.constantFrom(...'/\\?#@,;!-_ \t\n'.split('')), fc.string())
  fc.assert(
    fc.property(hosts, ports, additions, (host, port, [sign, text]) => {
      const addition = sign + text
      const header = `${pageOf('https', host, port)}${addition}`
      assert.equal(mayTalk(header, hostOf('https', host, port), true), false)
    }),
    { numRuns: 1_000 },
  )
})

test('whatever is read as an origin is read again as the same, and as URL reads it', () => {
  const texts = fc.oneof(fc.webUrl(), fc.webAuthority(), fc.string(), fc.string({ unit: 'binary' }))
  fc.assert(
    fc.property(fc.constantFrom('', 'http://', 'https://', 'a://'), texts, (scheme, text) => {
      const origin = normalizeOrigin(`${scheme}${text}`)
      if (origin === undefined || origin === 'null') return
      assert.equal(normalizeOrigin(origin), origin)
      if (/^https?:/.test(origin)) assert.equal(new URL(`${scheme}${text}`).origin, origin)
    }),
    { numRuns: 1_000 },
  )
})

test('a list holds origins as they are, and patterns', () => {
  const list = ['https://app.example', /^https:\/\/[a-z]+\.app\.example$/, /^moz-extension:.*$/]
  for (const origin of ['https://app.example', 'https://a.app.example', 'moz-extension://a']) {
    assert.equal(isListed(origin, list), true, origin)
  }
  for (const origin of [
    'https://app.example.evil',
    'https://app.example:8443',
    'http://app.example',
    'https://a.b.app.example',
    'https://a.app.example.evil',
    'null',
  ]) {
    assert.equal(isListed(origin, list), false, origin)
    assert.equal(isListed(origin, []), false, origin)
  }
  assert.equal(isListed('null', ['null']), true)
})
