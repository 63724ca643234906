import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  CloseCode,
  isCloseCode,
  isRetryable,
  isSendableCode,
  isUnexpectedClose,
  toReason,
  toSendableCode,
  truncateReason,
} from '../../../lib/core/close/codes.js'

/** Every code that 16 bits can carry. */
const CODES: readonly number[] = Array.from({ length: 65_536 }, (_, code) => code)

const RETRYABLE = [1001, 1005, 1006, 1011, 1012, 1013, 1014, 3008]

test('the names of the codes are those of RFC 6455 and of the IANA registry', () => {
  assert.deepEqual(
    { ...CloseCode },
    {
      NormalClosure: 1000,
      GoingAway: 1001,
      ProtocolError: 1002,
      UnsupportedData: 1003,
      NoStatusReceived: 1005,
      AbnormalClosure: 1006,
      InvalidFramePayloadData: 1007,
      PolicyViolation: 1008,
      MessageTooBig: 1009,
      MandatoryExtension: 1010,
      InternalError: 1011,
      ServiceRestart: 1012,
      TryAgainLater: 1013,
      BadGateway: 1014,
      TlsHandshake: 1015,
      Unauthorized: 3000,
      Forbidden: 3003,
      Timeout: 3008,
    },
  )
  assert.ok(Object.isFrozen(CloseCode))
})

test('of all codes only the listed ones are retryable', () => {
  assert.deepEqual(CODES.filter(isRetryable), RETRYABLE)
})

test('a code may be sent exactly where ws accepts it', () => {
  const ws = createRequire(import.meta.resolve('ws'))('./lib/validation.js') as {
    readonly isValidStatusCode: (code: number) => boolean
  }
  assert.deepEqual(CODES.filter(isSendableCode), CODES.filter(ws.isValidStatusCode))
})

test('a code may be sent where RFC 6455 has given it a meaning, or to the application', () => {
  const defined = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014]
  const sendable = CODES.filter(isSendableCode)
  assert.deepEqual(
    sendable.filter((code) => code < 3000),
    defined,
  )
  assert.deepEqual(
    sendable.filter((code) => code >= 3000),
    CODES.slice(3000, 5000),
  )
})

test('what may not be sent is replaced: 1005 by no code, what tells of a loss by our error', () => {
  for (const code of CODES.filter(isSendableCode)) assert.equal(toSendableCode(code, 4000), code)
  assert.equal(toSendableCode(undefined, 4000), undefined)
  assert.equal(toSendableCode(1005, 4000), undefined)
  assert.deepEqual([toSendableCode(1006, 4000), toSendableCode(1015, 4000)], [1011, 1011])
  for (const code of [null, '1005', '1006', NaN, 999, 1004, 1016, 2999, 5000, {}]) {
    assert.equal(toSendableCode(code, 4000), 4000)
  }
})

test('what is no integer may not be sent', () => {
  for (const code of [undefined, null, '1000', NaN, Infinity, -1000, 1000.5, 3000.5, 1000n, {}]) {
    assert.equal(isSendableCode(code), false)
  }
})

test('a close is asked about by its code', () => {
  assert.equal(isCloseCode({ code: 1001 }, 1000, 1001), true)
  assert.equal(isCloseCode({ code: 1006 }, 1000, 1001), false)
  assert.equal(isUnexpectedClose({ code: 1001 }, 1000, 1001), false)
  assert.equal(isUnexpectedClose({ code: 1006 }, 1000, 1001), true)
})

test('without expected codes every close is unexpected, and has none of the codes', () => {
  assert.ok(CODES.every((code) => isUnexpectedClose({ code })))
  assert.ok(CODES.every((code) => !isCloseCode({ code })))
})

test('a reason that fits stays as it is', () => {
  assert.equal(truncateReason(''), '')
  assert.equal(truncateReason('x'.repeat(123)), 'x'.repeat(123))
  assert.equal(truncateReason('€'.repeat(41)), '€'.repeat(41))
})

test('a reason is cut at the border of a character, whatever its length in UTF-8', () => {
  assert.equal(truncateReason('x'.repeat(124)), 'x'.repeat(123))
  for (const [character, bytes] of [
    ['é', 2],
    ['€', 3],
    ['🙂', 4],
  ] as const) {
    for (let before = 0; before < bytes; before++) {
      const cut = truncateReason('x'.repeat(before) + character.repeat(124))
      const whole = Math.floor((123 - before) / bytes)
      assert.equal(cut, 'x'.repeat(before) + character.repeat(whole))
    }
  }
})

test('a lone surrogate becomes U+FFFD', () => {
  assert.equal(truncateReason('a\ud83db'), 'a\ufffdb')
})

test('a cut reason fits, is valid UTF-8, begins as the whole one, and is as long as can be', () => {
  const reasons = fc.oneof(
    fc.string({ unit: 'binary', minLength: 30, maxLength: 200 }),
    fc.string({ unit: 'grapheme', minLength: 20, maxLength: 150 }),
    fc
      .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 150 })
      .map((units) => String.fromCharCode(...units)),
  )
  fc.assert(
    fc.property(reasons, (reason) => {
      const cut = truncateReason(reason)
      const wellFormed = Array.from(Buffer.from(reason).toString())
      const characters = Array.from(cut)
      const bytes = Buffer.from(cut)
      assert.ok(bytes.length <= 123)
      assert.equal(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes), cut)
      assert.deepEqual(characters, wellFormed.slice(0, characters.length))
      const following = wellFormed[characters.length]
      if (following !== undefined) assert.ok(bytes.length + Buffer.byteLength(following) > 123)
      assert.equal(truncateReason(cut), cut)
    }),
  )
})

test('a reason in bytes is the text that it would be as a whole, cut', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: 3 }), (bytes, from) => {
      const view = bytes.subarray(from)
      assert.equal(toReason(view), truncateReason(Buffer.from(view).toString()))
    }),
  )
})

test('what is no string is no reason', () => {
  for (const reason of [undefined, null, 1000, {}]) {
    assert.throws(() => truncateReason(reason as never), {
      name: 'TypeError',
      message: /^Expected `reason` to be a string, got \w+$/,
    })
  }
})
