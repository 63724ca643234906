import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { TransportFacts } from '../../../lib/core/close/info.js'
import { CLOSE_CAUSES, type CloseCause } from '../../../lib/core/close/policy.js'
import { CloseRecord } from '../../../lib/core/close/record.js'

const FACTS: TransportFacts = {
  transportError: undefined,
  received: undefined,
  isSentHandedOver: true,
  openedAt: 1_700_000_000_000,
  duration: 1,
  messagesReceived: 0,
  messagesSent: 0,
  bytesReceived: 0,
  bytesSent: 0,
  latency: undefined,
  history: undefined,
}

const badFrame = Object.assign(new Error('bad'), { code: 'WS_ERR_INVALID_OPCODE' })
const reset = new Error('read ECONNRESET')

function causeOf(record: CloseRecord, facts: Partial<TransportFacts> = {}): CloseCause {
  return record.conclude({ ...FACTS, ...facts }, []).cause
}

test('the first cause wins, with its error', () => {
  const record = new CloseRecord()
  const error = new Error('first')
  record.note('handler-error', error)
  record.note('shutdown')
  record.noteOwnClose('server-close')
  record.noteFinished()
  record.trustFinished(false)
  assert.equal(record.cause, 'handler-error')
  const close = record.conclude({ ...FACTS, transportError: reset }, [])
  assert.deepEqual([close.cause, close.error], ['handler-error', error])
})

test('a close() of the app is a server-close', () => {
  const record = new CloseRecord()
  record.noteOwnClose('server-close')
  assert.equal(record.cause, 'server-close')
  record.trustOwnClose()
  assert.equal(causeOf(record), 'server-close')
})

test("a protocol error that is told right after close() says that the close() was ws's", () => {
  const record = new CloseRecord()
  record.noteOwnClose('server-close')
  record.explain('protocol-error', badFrame)
  const close = record.conclude(FACTS, [])
  assert.deepEqual([close.cause, close.error], ['protocol-error', badFrame])
})

test('one that is told later explains nothing', () => {
  const record = new CloseRecord()
  record.noteOwnClose('server-close')
  record.trustOwnClose()
  record.explain('protocol-error', badFrame)
  assert.equal(causeOf(record), 'server-close')
})

test('nor does a second one', () => {
  const record = new CloseRecord()
  record.noteOwnClose('server-close')
  record.explain('message-too-big', badFrame)
  record.explain('protocol-error', reset)
  assert.equal(causeOf(record), 'message-too-big')
})

test('nor one without a close() before it, or after another cause', () => {
  const fresh = new CloseRecord()
  fresh.explain('protocol-error', badFrame)
  assert.equal(fresh.cause, undefined)
  const record = new CloseRecord()
  record.note('handler-error')
  record.noteOwnClose('server-close')
  record.explain('protocol-error', badFrame)
  assert.equal(causeOf(record), 'handler-error')
})

test('a FIN without a close frame is a lost connection', () => {
  const record = new CloseRecord()
  record.noteFinished()
  assert.equal(record.cause, undefined)
  record.trustFinished(false)
  assert.equal(record.cause, 'connection-lost')
  assert.equal(causeOf(record), 'connection-lost')
})

test('a close frame that was parsed after the FIN came before it, and wins', () => {
  const record = new CloseRecord()
  record.noteFinished()
  record.note('server-terminate')
  assert.equal(record.cause, undefined)
  assert.equal(causeOf(record, { received: { code: 1000, reason: '' } }), 'client-close')
})

test('so does one that was seen before the transport was gone', () => {
  const record = new CloseRecord()
  record.noteFinished()
  record.trustFinished(true)
  assert.equal(record.cause, 'client-close')
  assert.equal(causeOf(record), 'client-close')
})

test('so does a protocol error in what stood before the FIN', () => {
  const record = new CloseRecord()
  record.noteFinished()
  record.noteOwnClose('server-close')
  record.explain('protocol-error', badFrame)
  assert.equal(causeOf(record), 'protocol-error')
})

test('once all that stood before the FIN was parsed, nothing else explains the end', () => {
  const record = new CloseRecord()
  record.noteFinished()
  record.trustFinished(false)
  record.explain('protocol-error', badFrame)
  assert.equal(causeOf(record), 'connection-lost')
})

test('a FIN that never came is not to be trusted', () => {
  const record = new CloseRecord()
  record.trustFinished(false)
  assert.equal(record.cause, undefined)
  assert.equal(causeOf(record, { transportError: reset }), 'connection-reset')
})

test('a FIN after another sign of an end says nothing', () => {
  const record = new CloseRecord()
  record.note('server-close')
  record.noteFinished()
  assert.equal(causeOf(record, { transportError: reset }), 'server-close')
})

test('our close frame counts as sent once the stream has it, as empty if it had no code', () => {
  const record = new CloseRecord()
  record.noteOwnClose('server-close')
  record.noteSent(4000, 'bye')
  assert.deepEqual(record.conclude(FACTS, []).sent, { code: 4000, reason: 'bye' })
  assert.equal(record.conclude({ ...FACTS, isSentHandedOver: false }, []).sent, undefined)
  record.noteSent(undefined, 'ignored')
  assert.deepEqual(record.conclude(FACTS, []).sent, { code: 1005, reason: '' })
})

test('the verdict is the cause from then on', () => {
  const record = new CloseRecord()
  assert.equal(record.cause, undefined)
  record.conclude({ ...FACTS, transportError: reset }, [])
  assert.equal(record.cause, 'connection-reset')
})

type Event =
  | { readonly kind: 'note'; readonly cause: CloseCause }
  | { readonly kind: 'close' | 'trust close' | 'explain' | 'fin' | 'trust fin' }

const events: fc.Arbitrary<Event[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('note' as const), cause: fc.constantFrom(...CLOSE_CAUSES) }),
    fc.record({
      kind: fc.constantFrom(
        'close' as const,
        'trust close' as const,
        'explain' as const,
        'fin' as const,
        'trust fin' as const,
      ),
    }),
  ),
)

function tell(record: CloseRecord, event: Event): void {
  if (event.kind === 'note') record.note(event.cause)
  if (event.kind === 'close') record.noteOwnClose('server-close')
  if (event.kind === 'trust close') record.trustOwnClose()
  if (event.kind === 'explain') record.explain('protocol-error', badFrame)
  if (event.kind === 'fin') record.noteFinished()
  if (event.kind === 'trust fin') record.trustFinished(false)
}

test('in any order of events the first cause stays, but for an explanation of a close()', () => {
  fc.assert(
    fc.property(events, (told) => {
      const record = new CloseRecord()
      for (const event of told) {
        const before = record.cause
        tell(record, event)
        if (before === undefined || record.cause === before) continue
        assert.deepEqual([event.kind, before], ['explain', 'server-close'])
      }
      const { cause } = record
      const close = record.conclude(FACTS, [])
      if (cause !== undefined) assert.equal(close.cause, cause)
      assert.ok(Object.isFrozen(close))
    }),
  )
})

test('a FIN as the first sign leaves three ways to read the end, whatever follows', () => {
  fc.assert(
    fc.property(events, fc.boolean(), (told, hasFrame) => {
      const record = new CloseRecord()
      record.noteFinished()
      for (const event of told) tell(record, event)
      const cause = causeOf(record, hasFrame ? { received: { code: 1000, reason: '' } } : {})
      assert.ok(['client-close', 'connection-lost', 'protocol-error'].includes(cause), cause)
      if (told.every(({ kind }) => kind !== 'explain' && kind !== 'trust fin')) {
        assert.equal(cause, hasFrame ? 'client-close' : 'connection-lost')
      }
    }),
  )
})
