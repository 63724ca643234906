import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  type CloseEvidence,
  type CloseFrame,
  type CloseInfo,
  closeLogLevel,
  deriveCloseInfo,
  type TransportFacts,
} from '../../../lib/core/close/info.js'
import {
  CLOSE_CAUSES,
  type CloseCause,
  type CloseInitiator,
} from '../../../lib/core/close/policy.js'

const EXPECTED_CODES = [1000, 1001, 1005]

interface Known extends CloseEvidence, TransportFacts {}

/** An end of which nothing is known: no frame, no error, no cause. */
const NOTHING: Known = {
  cause: undefined,
  error: undefined,
  finished: false,
  sent: undefined,
  received: undefined,
  transportError: undefined,
  isSentHandedOver: false,
  openedAt: 1_700_000_000_000,
  duration: 12.5,
  messagesReceived: 1,
  messagesSent: 2,
  bytesReceived: 3,
  bytesSent: 4,
  latency: 5.5,
  history: undefined,
}

function derive(evidence: Partial<Known>, expected = EXPECTED_CODES): CloseInfo {
  const known = { ...NOTHING, ...evidence }
  return deriveCloseInfo(known, known, expected)
}

function frame(code: number, reason = ''): CloseFrame {
  return { code, reason }
}

/** A peer that echoes what it gets. */
const echoed = (code: number): Partial<Known> => ({ sent: frame(code), received: frame(code) })
const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })

interface Row {
  readonly cause: CloseCause
  readonly wire: Partial<Known>
  readonly initiator: CloseInitiator
  readonly expected: boolean
  readonly retryable: boolean
}

const TABLE: readonly Row[] = [
  {
    cause: 'client-close',
    wire: echoed(1000),
    initiator: 'client',
    expected: true,
    retryable: false,
  },
  {
    cause: 'client-close',
    wire: echoed(1001),
    initiator: 'client',
    expected: true,
    retryable: true,
  },
  {
    cause: 'client-close',
    wire: echoed(1005),
    initiator: 'client',
    expected: true,
    retryable: true,
  },
  {
    cause: 'client-close',
    wire: echoed(4000),
    initiator: 'client',
    expected: false,
    retryable: false,
  },
  {
    cause: 'server-close',
    wire: echoed(4000),
    initiator: 'server',
    expected: true,
    retryable: false,
  },
  { cause: 'server-terminate', wire: {}, initiator: 'server', expected: true, retryable: true },
  { cause: 'shutdown', wire: echoed(1012), initiator: 'server', expected: true, retryable: true },
  {
    cause: 'idle-timeout',
    wire: echoed(3008),
    initiator: 'server',
    expected: true,
    retryable: true,
  },
  {
    cause: 'lifetime-expired',
    wire: echoed(1001),
    initiator: 'server',
    expected: true,
    retryable: true,
  },
  {
    cause: 'auth-expired',
    wire: echoed(3000),
    initiator: 'server',
    expected: true,
    retryable: false,
  },
  {
    cause: 'replaced',
    wire: echoed(4409),
    initiator: 'server',
    expected: true,
    retryable: false,
  },
  {
    cause: 'handler-error',
    wire: echoed(1011),
    initiator: 'server',
    expected: false,
    retryable: true,
  },
  {
    cause: 'slow-consumer',
    wire: echoed(1013),
    initiator: 'server',
    expected: false,
    retryable: true,
  },
  {
    cause: 'node-fenced',
    wire: echoed(1012),
    initiator: 'server',
    expected: false,
    retryable: true,
  },
  {
    cause: 'rate-limited',
    wire: echoed(1008),
    initiator: 'server',
    expected: false,
    retryable: false,
  },
  { cause: 'heartbeat-timeout', wire: {}, initiator: 'network', expected: false, retryable: true },
  { cause: 'connection-lost', wire: {}, initiator: 'network', expected: false, retryable: true },
  { cause: 'connection-reset', wire: {}, initiator: 'network', expected: false, retryable: true },
  {
    cause: 'protocol-error',
    wire: echoed(1002),
    initiator: 'client',
    expected: false,
    retryable: false,
  },
  {
    cause: 'protocol-error',
    wire: { sent: frame(1007) },
    initiator: 'client',
    expected: false,
    retryable: false,
  },
  {
    cause: 'message-too-big',
    wire: { sent: frame(1009) },
    initiator: 'client',
    expected: false,
    retryable: false,
  },
]

for (const { cause, wire, initiator, expected, retryable } of TABLE) {
  const code = (wire.sent ?? wire.received)?.code ?? 'nothing'
  test(`${cause} with ${code} on the wire is of the ${initiator}'s making`, () => {
    const close = derive({ cause, ...wire })
    assert.deepEqual(
      {
        cause: close.cause,
        initiator: close.initiator,
        expected: close.expected,
        retryable: close.retryable,
      },
      { cause, initiator, expected, retryable },
    )
  })
}

test('the table has every cause', () => {
  assert.deepEqual(new Set(TABLE.map(({ cause }) => cause)), new Set(CLOSE_CAUSES))
  assert.equal(CLOSE_CAUSES.length, 17)
})

test('with 1006 among the expected codes the losses of the network are expected, nothing else', () => {
  const expected = CLOSE_CAUSES.filter((cause) => derive({ cause }, [1006]).expected)
  const always = new Set(CLOSE_CAUSES.filter((cause) => derive({ cause }, []).expected))
  assert.deepEqual(
    expected.filter((cause) => !always.has(cause)),
    ['client-close', 'heartbeat-timeout', 'connection-lost', 'connection-reset'],
  )
})

test('code and reason are what the peer said, or 1006 and nothing', () => {
  const said = derive({
    cause: 'server-close',
    sent: frame(4001, 'ours'),
    received: frame(4002, 'theirs'),
  })
  assert.deepEqual([said.code, said.reason], [4002, 'theirs'])
  const silent = derive({ cause: 'server-close', sent: frame(4001, 'ours') })
  assert.deepEqual([silent.code, silent.reason], [1006, ''])
})

test('whether to retry follows from what we sent, whatever the peer echoes', () => {
  for (const received of [undefined, frame(1000), frame(1001), frame(1005)]) {
    assert.equal(derive({ cause: 'server-close', sent: frame(4000), received }).retryable, false)
    assert.equal(derive({ cause: 'shutdown', sent: frame(1012), received }).retryable, true)
    assert.equal(derive({ cause: 'protocol-error', sent: frame(1002), received }).retryable, false)
  }
})

test('where we sent nothing it follows from the code that the record shows', () => {
  assert.equal(derive({ cause: 'protocol-error' }).retryable, true)
  assert.equal(derive({ cause: 'server-terminate', received: frame(1000) }).retryable, false)
})

test('a close is clean if there are both frames', () => {
  assert.equal(derive({ sent: frame(1000), received: frame(1000) }).clean, true)
  assert.equal(derive({ sent: frame(1000) }).clean, false)
  assert.equal(derive({ received: frame(1000) }).clean, false)
  assert.equal(derive({}).clean, false)
})

test('without a cause, a frame means a close by the client, before or after its FIN', () => {
  assert.equal(derive({ received: frame(1000) }).cause, 'client-close')
  assert.equal(derive({ received: frame(1000), finished: true }).cause, 'client-close')
  assert.equal(derive({ received: frame(1000), transportError: reset }).cause, 'client-close')
})

test('without a cause and a frame, an errno means a reset, unless a FIN came first', () => {
  const close = derive({ transportError: reset })
  assert.deepEqual([close.cause, close.error], ['connection-reset', reset])
  assert.equal(derive({ transportError: reset, finished: true }).cause, 'connection-lost')
  assert.equal(derive({ finished: true }).cause, 'connection-lost')
  assert.equal(derive({}).cause, 'connection-lost')
})

test('the error is what was recorded with the cause', () => {
  const error = new Error('mine')
  assert.equal(derive({ cause: 'handler-error', error, transportError: reset }).error, error)
  assert.equal(derive({ cause: 'server-close', transportError: reset }).error, undefined)
})

test('an end is logged as debug if expected, else as info if the network did it, else as warn', () => {
  assert.equal(closeLogLevel(derive({ cause: 'shutdown' })), 'debug')
  assert.equal(closeLogLevel(derive({ cause: 'connection-lost' })), 'info')
  assert.equal(closeLogLevel(derive({ cause: 'handler-error' })), 'warn')
  assert.equal(closeLogLevel(derive({ cause: 'client-close', received: frame(4000) })), 'warn')
})

const frames: fc.Arbitrary<CloseFrame | undefined> = fc.option(
  fc.tuple(fc.integer({ min: 1000, max: 4999 }), fc.string()).map((said) => frame(...said)),
  { nil: undefined },
)
const errors = fc.option(
  fc.string().map((message) => new Error(message)),
  { nil: undefined },
)
const count = fc.nat()
const evidences: fc.Arbitrary<Known> = fc.record({
  cause: fc.option(fc.constantFrom(...CLOSE_CAUSES), { nil: undefined }),
  error: errors,
  finished: fc.boolean(),
  sent: frames,
  received: frames,
  transportError: errors,
  isSentHandedOver: fc.boolean(),
  openedAt: count,
  duration: fc.double({ min: 0, max: 1e12, noNaN: true }),
  messagesReceived: count,
  messagesSent: count,
  bytesReceived: count,
  bytesSent: count,
  latency: fc.option(count, { nil: undefined }),
  history: fc.constantFrom(undefined, [{ at: 1, fact: 'opened' }] as const),
})

test('whatever the evidence, there is a verdict: frozen, consistent, and fit for JSON', () => {
  fc.assert(
    fc.property(evidences, fc.array(fc.integer({ min: 1000, max: 4999 })), (evidence, expected) => {
      const close = derive(evidence, expected)
      assert.ok(Object.isFrozen(close))
      assert.ok(CLOSE_CAUSES.includes(close.cause))
      if (evidence.cause !== undefined) assert.equal(close.cause, evidence.cause)
      assert.equal(close.clean, evidence.sent !== undefined && evidence.received !== undefined)
      assert.equal(close.code, evidence.received?.code ?? 1006)
      if (close.initiator === 'server') assert.notEqual(close.cause, 'client-close')
      const { error: _error, ...rest } = close
      assert.deepEqual(JSON.parse(JSON.stringify(rest)), withoutUndefined(rest))
    }),
  )
})

test('a verdict follows from the evidence alone', () => {
  fc.assert(
    fc.property(evidences, (evidence) => {
      assert.deepEqual(derive(evidence), derive(structuredClone(evidence)))
    }),
  )
})

function withoutUndefined(record: object): object {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined))
}
