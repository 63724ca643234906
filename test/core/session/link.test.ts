import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  ack,
  back,
  type Control,
  MARK,
  offered,
  PROBE,
  protocolIn,
  readControl,
  readOffer,
  type ResumeRequest,
  type Welcome,
  welcome,
} from '../../../lib/core/session/link.js'

/** 15 digits. */
const LARGEST = 999_999_999_999_999
/** Objects as the code makes them. */
const PLAIN = { noNullPrototype: true } as const

const counts = fc.oneof(fc.nat(100), fc.integer({ min: 0, max: LARGEST }))
const tokens = fc.stringMatching(/^[\w.-]{1,64}$/)
const sessions: fc.Arbitrary<Welcome> = fc.record(
  {
    token: tokens,
    isResumed: fc.boolean(),
    received: counts,
    window: fc.integer({ min: 1_000, max: 86_400_000 }),
  },
  PLAIN,
)

test('what one side says, the other one reads', () => {
  fc.assert(
    fc.property(counts, sessions, (count, session) => {
      assert.deepEqual(readControl(ack(count)), { kind: 'ack', value: count })
      assert.deepEqual(readControl(back(count)), { kind: 'back', value: count })
      // Our client does not need the window.
      const { window: _window, ...value } = session
      assert.deepEqual(readControl(welcome(session)), { kind: 'welcome', value })
    }),
  )
  assert.deepEqual(readControl(welcome(undefined)), { kind: 'welcome', value: undefined })
  assert.deepEqual(readControl(PROBE), { kind: 'probe' })
})

test('the frames are those of the specification, to the byte', () => {
  const session = { token: 'a-b_c.d', isResumed: true, received: 17, window: 60_000 }
  assert.equal(MARK, '\0')
  assert.equal(welcome(session), '\0w{"v":1,"t":"a-b_c.d","r":1,"n":17,"w":60000}')
  assert.equal(welcome(undefined), '\0w{"v":1}')
  assert.deepEqual([ack(0), ack(32), back(5_000), PROBE], ['\0a0', '\0a32', '\0b5000', '\0p'])
})

for (const [text, what] of [
  ['\0', 'no kind'],
  ['\0a', 'no number'],
  ['\0a-1', 'a number below 0'],
  ['\0a1.5', 'a fraction'],
  ['\0a1e3', 'an exponent'],
  ['\0a 1', 'a space'],
  ['\0a1\n', 'a line end'],
  ['\0a1000000000000000', '16 digits'],
  ['\0a١', 'digits of other scripts'],
  ['\0bsoon', 'words'],
  ['\0p1', 'a probe with more'],
  ['\0w', 'no JSON'],
  ['\0w{"v":1', 'half of it'],
  ['\0wnull', 'JSON that is no object'],
  ['\0w[1]', 'an array'],
  ['\0w{"v":2}', 'another version'],
  ['\0w{"v":"1"}', 'a version as text'],
  ['\0w{"v":1,"t":null,"n":0,"w":1}', 'no text for a token'],
  ['\0w{"v":1,"t":"","n":0,"w":1}', 'an empty token'],
  ['\0w{"v":1,"t":"a b","n":0,"w":1}', 'a token that no header can hold'],
  [`\0w{"v":1,"t":"${'x'.repeat(65)}","n":0,"w":1}`, 'a token that is too long'],
  ['\0w{"v":1,"t":"x","w":1}', 'no count'],
  ['\0w{"v":1,"t":"x","n":-1,"w":1}', 'a count below 0'],
  ['\0w{"v":1,"t":"x","n":0.5,"w":1}', 'half a count'],
  ['\0w{"v":1,"t":"x","n":1e300,"w":1}', 'a count that is not exact'],
] as const) {
  test(`malformed: ${what}, ${JSON.stringify(text)}`.slice(0, 80), () => {
    assert.equal(readControl(text), undefined)
  })
}

test('what a later version adds to a welcome is left alone', () => {
  const text = '\0w{"v":1,"t":"x","r":2,"n":0,"w":1000,"later":[true]}'
  const value = { token: 'x', isResumed: false, received: 0 }
  assert.deepEqual(readControl(text), { kind: 'welcome', value })
})

const digits = fc.stringMatching(/^\d{0,17}$/)
const bodies = fc.oneof(
  fc.string({ unit: 'binary' }),
  digits,
  fc.json(),
  fc
    .dictionary(fc.constantFrom('v', 't', 'r', 'n', 'w'), fc.oneof(fc.constant(1), fc.jsonValue()))
    .map((told) => JSON.stringify(told)),
)

/** What a control frame has to be made of, by the words of the specification. */
function expectedOf(
  kind: string,
  body: string,
): Control['kind'] | 'malformed' | 'a welcome, or malformed' {
  const isNumber = /^[0-9]{1,15}$/.test(body) && !body.includes('\n')
  if (kind === 'a') return isNumber ? 'ack' : 'malformed'
  if (kind === 'b') return isNumber ? 'back' : 'malformed'
  if (kind === 'p') return body === '' ? 'probe' : 'malformed'
  if (kind === 'w') return 'a welcome, or malformed'
  return 'unknown'
}

test('whatever comes as a control frame, it is read without a throw, and nothing is invented', () => {
  const kinds = fc.oneof(
    fc.constantFrom('a', 'b', 'p', 'w'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  )
  fc.assert(
    fc.property(kinds, bodies, (kind, body) => {
      const read = readControl(`\0${kind}${body}`)
      const expected = expectedOf(kind, body)
      const kindOf = read?.kind ?? 'malformed'
      if (expected !== 'a welcome, or malformed') assert.equal(kindOf, expected)
      else assert.ok(kindOf === 'welcome' || kindOf === 'malformed')
      if (read?.kind === 'ack' || read?.kind === 'back') assert.equal(read.value, Number(body))
      if (read?.kind !== 'welcome' || read.value === undefined) return
      const told = JSON.parse(body) as Record<string, unknown>
      const { token, isResumed, received } = read.value
      assert.deepEqual([told['v'], told['t'], Number(told['n'])], [1, token, received])
      assert.equal(isResumed, told['r'] === 1)
    }),
    { numRuns: 3_000 },
  )
})

/** Names of subprotocols, some of which look like those of the link (RFC 9110 §5.6.2). */
const names = fc.oneof(
  fc.stringMatching(/^[\w!#$%&'*+.^`|~-]{1,12}$/),
  fc.constantFrom(
    'chat',
    'chat.v1',
    'wsl',
    'wsl.1',
    'wsl.10',
    'wsl.1.chat',
    'wsl.r.1.2.x',
    'wsl.r.',
  ),
)
const requests: fc.Arbitrary<ResumeRequest> = fc.record(
  {
    attempt: counts,
    received: counts,
    token: tokens,
  },
  PLAIN,
)

function asked(request: ResumeRequest | undefined): [] | [number, number, string] {
  return request ? [request.attempt, request.received, request.token] : []
}

test('what a client offers, the server reads: the names of the app, and the session', () => {
  const lists = fc.uniqueArray(names, { maxLength: 4 })
  fc.assert(
    fc.property(lists, fc.option(requests, { nil: undefined }), (protocols, request) => {
      const offer = readOffer(offered(protocols, ...asked(request)).join(', '))
      assert.deepEqual(offer.protocols, protocols)
      assert.deepEqual(offer.resume, request)
      for (const name of protocols.length > 0 ? protocols : ['']) {
        assert.equal(protocolIn(String(offer.answerTo(name))), name)
      }
    }),
    { numRuns: 1_000 },
  )
})

test('the offers are those of the specification, to the byte', () => {
  const request = [3, 41, 'x'] as const
  assert.deepEqual(offered([]), ['wsl.1'])
  assert.deepEqual(offered([], ...request), ['wsl.1', 'wsl.r.3.41.x'])
  assert.deepEqual(offered(['b', 'a'], ...request), ['wsl.1.b', 'wsl.1.a', 'wsl.r.3.41.x'])
})

test('an answer names the subprotocol of the app, or tells that the server does not speak the link', () => {
  assert.deepEqual(['wsl.1', 'wsl.1.chat', 'wsl.1.wsl.1'].map(protocolIn), ['', 'chat', 'wsl.1'])
  for (const answer of ['', 'chat', 'wsl', 'wsl.', 'wsl.1.', 'wsl.10', 'wsl.2', 'WSL.1']) {
    assert.equal(protocolIn(answer), undefined, answer)
  }
})

test('a name that is offered with the link and without it is answered with the link', () => {
  for (const header of ['chat, wsl.1.chat', 'wsl.1.chat,chat']) {
    const offer = readOffer(header)
    assert.deepEqual(offer.protocols, ['chat'], header)
    assert.equal(offer.answerTo('chat'), 'wsl.1.chat', header)
  }
})

test('a name that is offered without the link is answered without it', () => {
  const offer = readOffer('plain, wsl.1.chat')
  assert.deepEqual(offer.protocols, ['plain', 'chat'])
  assert.deepEqual(
    [offer.answerTo('plain'), offer.answerTo('chat'), offer.answerTo('other')],
    [undefined, 'wsl.1.chat', undefined],
  )
})

test('where the app has chosen nothing, the answer is what was offered, or none', () => {
  assert.equal(readOffer('wsl.1').answerTo(''), 'wsl.1')
  assert.equal(readOffer('wsl.1.chat, wsl.1').answerTo(''), 'wsl.1')
  // A browser fails a connection whose answer it has not offered.
  assert.equal(readOffer('wsl.1.chat').answerTo(''), undefined)
  assert.equal(readOffer('chat').answerTo(''), undefined)
})

for (const [request, what] of [
  ['', 'nothing'],
  ['1', 'one part'],
  ['1.2', 'two parts'],
  ['1.2.', 'an empty token'],
  ['.2.x', 'an empty attempt'],
  ['a.2.x', 'an attempt in letters'],
  ['1.-2.x', 'a count below 0'],
  ['1000000000000000.2.x', '16 digits'],
  ['1.2.a b', 'a space in the token'],
  ['1.2.a+b', 'a sign in the token that ours never have'],
  [`1.2.${'x'.repeat(65)}`, 'a long token'],
] as const) {
  test(`a request to resume of ${what} is a fresh start`, () => {
    const offer = readOffer(`wsl.1.chat, wsl.r.${request}`)
    assert.deepEqual([offer.protocols, offer.resume], [['chat'], undefined])
  })
}

test('of several requests to resume none counts, and without a link none either', () => {
  for (const header of ['wsl.1, wsl.r.1.0.x, wsl.r.2.0.x', 'wsl.r.1.0.x', 'chat, wsl.r.1.0.x']) {
    assert.equal(readOffer(header).resume, undefined, header)
  }
})

/** A header as no client of ours sends it. */
const headers = fc
  .array(
    fc.oneof(
      names,
      names.map((name) => `wsl.1.${name}`),
      fc.constantFrom('wsl.1', 'wsl.1.', 'wsl.', 'wsl.2', '', 'a b', '"', 'ü'),
      fc.tuple(digits, digits, tokens).map((parts) => `wsl.r.${parts.join('.')}`),
      fc.string({ unit: 'binary', maxLength: 20 }).map((text) => `wsl.r.${text}`),
      fc.string({ unit: 'binary', maxLength: 20 }),
    ),
    { maxLength: 8 },
  )
  .chain((parts) => fc.constantFrom(',', ', ', ' ,\t').map((separator) => parts.join(separator)))

test('whatever is offered, it is read without a throw, and nothing is invented', () => {
  fc.assert(
    fc.property(headers, (header) => {
      const given = header.split(',').map((name) => name.trim())
      const requests = given.filter((name) => name.startsWith('wsl.r.'))
      const offer = readOffer(header)
      for (const name of offer.protocols) {
        assert.ok(given.includes(name) || given.includes(`wsl.1.${name}`), name)
        // It may hold the token of a session.
        assert.ok(!requests.includes(name) || given.includes(`wsl.1.${name}`), name)
      }
      for (const chosen of ['', 'chat', ...offer.protocols, ...given]) {
        const answer = offer.answerTo(chosen)
        if (answer === undefined) continue
        assert.ok(given.includes(answer), `${answer} was not offered`)
        assert.equal(protocolIn(answer), chosen)
      }
      if (offer.resume === undefined) return
      const { attempt, received, token } = offer.resume
      const [, one, two, ...rest] = /^wsl\.r\.(\d+)\.(\d+)\.(.+)$/.exec(requests.join()) ?? []
      assert.deepEqual([attempt, received, token], [Number(one), Number(two), rest.join()])
      assert.ok(given.some((name) => protocolIn(name) !== undefined))
    }),
    { numRuns: 3_000 },
  )
})
