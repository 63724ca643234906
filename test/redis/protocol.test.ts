import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { decode, encodeAnswer, encodeRequest, type Request } from '../../lib/redis/protocol.js'

const KEY = fc.string({ minLength: 1, maxLength: 100, unit: 'grapheme' })
const SENT = fc.oneof(fc.string({ unit: 'grapheme' }), fc.uint8Array())

const REQUEST: fc.Arbitrary<Request> = fc.oneof(
  fc.record({ op: fc.constant('find' as const), key: KEY }),
  fc.record({
    op: fc.constant('close' as const),
    key: KEY,
    code: fc.integer({ min: 3000, max: 4999 }),
    reason: fc.string(),
  }),
  fc.record({ op: fc.constant('send' as const), key: KEY, data: SENT, asks: fc.boolean() }),
  fc.record({ op: fc.constant('replace' as const), places: fc.array(fc.string()) }),
  fc.record({ op: fc.constant('count' as const) }),
)

const MEMBER = fc.record({
  id: fc.uuid(),
  route: fc.string(),
  openedAt: fc.nat(),
  suspended: fc.boolean(),
})

const ANSWER = fc.record(
  {
    part: fc.nat(),
    isLast: fc.boolean(),
    found: fc.array(MEMBER),
    closed: fc.nat(),
    open: fc.nat(),
  },
  { requiredKeys: ['part', 'isLast'] },
)

/** Bytes as plain bytes, whatever their class; and records without their prototypes. */
function plain(value: object): unknown {
  return JSON.parse(
    JSON.stringify(value, (_name, one: unknown) => {
      const bytes = one instanceof Uint8Array ? one : undefined
      if (bytes !== undefined) return { bytes: [...bytes] }
      const { type, data } = (one ?? {}) as { type?: unknown; data?: unknown }
      return type === 'Buffer' ? { bytes: data } : one
    }),
  )
}

test('what is sent is read as it was', () => {
  fc.assert(
    fc.property(fc.nat(), REQUEST, (id, request) => {
      const read = decode(encodeRequest('a-_9', id, request))
      assert.deepEqual(plain(read ?? {}), plain({ from: 'a-_9', id, request }))
    }),
  )
  fc.assert(
    fc.property(fc.nat(), ANSWER, (id, answer) => {
      const read = decode(encodeAnswer('b', id, answer))
      assert.deepEqual(plain(read ?? {}), plain({ from: 'b', id, answer }))
    }),
  )
})

test('bytes in the middle of others are sent alone', () => {
  const data = new Uint8Array([1, 2, 3, 4]).subarray(1, 3)
  const { request } =
    decode(encodeRequest('a', 1, { op: 'send', key: 'k', data, asks: true })) ?? {}
  assert.ok(request?.op === 'send')
  assert.deepEqual([...(request.data as Uint8Array)], [2, 3])
})

test('whatever else comes is no message', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.json(), (text, json) => {
      assert.equal(decode(text), undefined)
      assert.equal(decode(`1${text}`), undefined)
      assert.equal(decode(`1${json}\nt`), undefined)
    }),
  )
})

test('a message with one wrong field is no message', () => {
  const requests: Array<Record<string, unknown>> = [
    { op: 'find', key: 'k' },
    { op: 'close', key: 'k', code: 1000, reason: '' },
    { op: 'replace', places: ['1'] },
    { op: 'answer', part: 0, isLast: true, closed: 1 },
    { op: 'answer', part: 0, isLast: true, open: 1 },
    {
      op: 'answer',
      part: 0,
      isLast: true,
      found: [{ id: 'i', route: '/', openedAt: 1, suspended: false }],
    },
  ]
  for (const fields of requests) {
    const whole = { from: 'a', id: 1, ...fields }
    assert.ok(decode(`1${JSON.stringify(whole)}`), JSON.stringify(whole))
    assert.equal(decode(`2${JSON.stringify(whole)}`), undefined)
    for (const name of Object.keys(whole)) {
      for (const wrong of [null, {}, [{}], [null], 1.5, `${'x'.repeat(600)}!`]) {
        const changed = JSON.stringify({ ...whole, [name]: wrong })
        const isFine = name === 'reason' && typeof wrong === 'string'
        assert.equal(decode(`1${changed}`) === undefined, !isFine, changed)
      }
    }
  }
  const send = JSON.stringify({ from: 'a', id: 1, op: 'send', key: 'k', asks: false })
  assert.ok(decode(`1${send}\nt`))
  for (const text of [send, `${send}\n`, `${send}\nx`, send.replace('false', '0').concat('\nt')]) {
    assert.equal(decode(`1${text}`), undefined, text)
  }
  assert.equal(
    decode(`1${JSON.stringify({ from: 'a', id: 1, op: 'find', key: 'k\u0000' })}`)?.id,
    1,
  )
  assert.equal(
    decode(
      `1${JSON.stringify({ from: 'a', id: 1, op: 'close', key: 'k', code: 1005, reason: '' })}`,
    ),
    undefined,
  )
})
