import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { TransportFacts } from '../../../lib/core/close/info.js'
import {
  type CloseCall,
  type Effect,
  Life,
  type Settled,
  type Termination,
} from '../../../lib/core/close/life.js'
import { CLOSE_CAUSES, POLICY } from '../../../lib/core/close/policy.js'

const CALL: CloseCall = {
  code: undefined,
  reason: undefined,
  isOpen: true,
  isCloseFrameReceived: false,
  hasParserFailed: false,
  isGone: false,
}

const OPEN: Termination = { isClosed: false, isGone: false }

const SETTLED: Settled = { isCloseFrameReceived: false, isParsing: false, isSendQueued: false }

const GONE: TransportFacts = {
  transportError: undefined,
  received: undefined,
  isSentHandedOver: true,
  openedAt: 0,
  duration: 1,
  messagesReceived: 0,
  messagesSent: 0,
  bytesReceived: 0,
  bytesSent: 0,
  latency: undefined,
  history: undefined,
}

const frame = (code: number | undefined, reason = ''): Effect => ({
  type: 'send close frame',
  code,
  reason,
})

const error = new Error('mine')

interface Row {
  readonly what: string
  /** What happens; the effects of the last one count. */
  readonly happen: (life: Life) => readonly Effect[]
  readonly effects: readonly Effect[]
  readonly phase: Life['phase']
  readonly cause: Life['cause']
}

const ROWS: readonly Row[] = [
  {
    what: 'the app closes: nothing more reaches who reads for it, and its frame is sent',
    happen: (life) => life.closeCalled({ ...CALL, code: 4000, reason: 'bye' }),
    effects: [{ type: 'dismiss readers' }, frame(4000, 'bye')],
    phase: 'closing',
    cause: 'server-close',
  },
  {
    what: 'the app closes with a code that may not be sent: it is warned',
    happen: (life) => life.closeCalled({ ...CALL, code: 1006 }),
    effects: [
      { type: 'dismiss readers' },
      { type: 'warn of code', given: 1006, sent: 1011 },
      frame(1011),
    ],
    phase: 'closing',
    cause: 'server-close',
  },
  {
    what: 'ws echoes the close frame of the peer: what is not compressed is in the way',
    happen: (life) =>
      life.closeCalled({ ...CALL, code: 1001, reason: 'left', isCloseFrameReceived: true }),
    effects: [{ type: 'drop what is not compressed' }, frame(1001, 'left')],
    phase: 'closing',
    cause: 'client-close',
  },
  {
    what: 'ws closes because its parser has failed, and has not said why',
    happen: (life) => life.closeCalled({ ...CALL, code: 1002, hasParserFailed: true }),
    effects: [frame(1002, 'protocol-error')],
    phase: 'closing',
    cause: 'protocol-error',
  },
  {
    what: 'ws says why',
    happen: (life) => {
      life.closeCalled({ ...CALL, code: 1009, hasParserFailed: true })
      return life.peerFailed('message-too-big', error)
    },
    effects: [],
    phase: 'closing',
    cause: 'message-too-big',
  },
  {
    what: 'a second close is left to ws',
    happen: (life) => {
      life.ended('idle-timeout', 3008, 'idle-timeout')
      return life.closeCalled({ ...CALL, code: 1000, isOpen: false })
    },
    effects: [{ type: 'leave it to ws' }],
    phase: 'closing',
    cause: 'idle-timeout',
  },
  {
    what: 'the app terminates',
    happen: (life) => life.terminated('server-terminate', OPEN),
    effects: [{ type: 'dismiss readers' }, { type: 'terminate' }],
    phase: 'closing',
    cause: 'server-terminate',
  },
  {
    what: 'the app terminates what is over',
    happen: (life) => life.terminated('server-terminate', { ...OPEN, isClosed: true }),
    effects: [{ type: 'leave it to ws' }],
    phase: 'open',
    cause: undefined,
  },
  {
    what: 'the app terminates what has broken already: that is no cause',
    happen: (life) => life.terminated('server-terminate', { ...OPEN, isGone: true }),
    effects: [{ type: 'terminate' }],
    phase: 'closing',
    cause: undefined,
  },
  {
    what: 'the app closes what has broken already: that is no cause',
    happen: (life) => life.closeCalled({ ...CALL, code: 4000, isGone: true }),
    effects: [frame(4000)],
    phase: 'closing',
    cause: undefined,
  },
  {
    what: 'a dead peer: what it has sent is handled',
    happen: (life) => life.terminated('heartbeat-timeout', OPEN),
    effects: [{ type: 'terminate' }],
    phase: 'closing',
    cause: 'heartbeat-timeout',
  },
  {
    what: 'a callback fails: what waits is dropped, and the hook may still choose how it ends',
    happen: (life) => life.callbackFailed(error),
    effects: [{ type: 'drop messages' }],
    phase: 'open',
    cause: 'handler-error',
  },
  {
    what: 'an error on the socket that is not of the peer: no frame can follow',
    happen: (life) => {
      life.callbackFailed(error)
      return life.socketFailed()
    },
    effects: [],
    phase: 'closing',
    cause: 'handler-error',
  },
  {
    what: 'a FIN, while bytes are not parsed: the cause is not certain',
    happen: (life) => {
      life.finReceived()
      return life.settled({ ...SETTLED, isParsing: true })
    },
    effects: [],
    phase: 'closing',
    cause: undefined,
  },
  {
    what: 'a FIN, and all is parsed: it was a loss',
    happen: (life) => {
      life.finReceived()
      return life.settled(SETTLED)
    },
    effects: [{ type: 'abort signal' }],
    phase: 'closing',
    cause: 'connection-lost',
  },
  {
    what: 'a FIN behind a close frame',
    happen: (life) => {
      life.finReceived()
      return life.settled({ ...SETTLED, isParsing: true, isCloseFrameReceived: true })
    },
    effects: [{ type: 'abort signal' }],
    phase: 'closing',
    cause: 'client-close',
  },
  {
    what: 'the signal waits for our close frame',
    happen: (life) => {
      life.ended('shutdown', 1012, 'service restart')
      return life.settled({ ...SETTLED, isSendQueued: true })
    },
    effects: [],
    phase: 'closing',
    cause: 'shutdown',
  },
]

describe('what happens to a connection, and what is to be done', () => {
  for (const { what, happen, effects, phase, cause } of ROWS) {
    test(what, () => {
      const life = new Life()
      assert.deepEqual(happen(life), effects)
      assert.equal(life.phase, phase)
      assert.equal(life.cause, cause)
    })
  }
})

test('whether the app has ended it is known, whatever ended it before', () => {
  const life = new Life()
  assert.equal(life.wantsNoMore, false)
  life.closeCalled({ ...CALL, isCloseFrameReceived: true })
  assert.equal(life.wantsNoMore, false, 'it was ws, which echoes once')
  life.closeCalled({ ...CALL, isCloseFrameReceived: true, isOpen: false })
  assert.equal(life.wantsNoMore, true)
})

test('whether our frame was sent is known', () => {
  const life = new Life()
  assert.equal(life.hasSentClose, false)
  life.ended('auth-expired', POLICY['auth-expired'].code, 'auth-expired')
  assert.equal(life.hasSentClose, true)
})

const EVENTS: ReadonlyArray<(life: Life) => unknown> = [
  (life) => life.closeCalled(CALL),
  (life) => life.closeCalled({ ...CALL, isOpen: false }),
  (life) => life.closeCalled({ ...CALL, isCloseFrameReceived: true }),
  (life) => life.closeCalled({ ...CALL, hasParserFailed: true }),
  (life) => life.terminated('shutdown', OPEN),
  (life) => life.ended('rate-limited', 1008, 'rate-limited'),
  (life) => life.callbackFailed(error),
  (life) => life.peerFailed('protocol-error', error),
  (life) => life.socketFailed(),
  (life) => life.finReceived(),
  (life) => life.settled(SETTLED),
]

test('whatever happens in whatever order, a life goes forwards, and ends with one cause', () => {
  const phases: ReadonlyArray<Life['phase']> = ['open', 'closing', 'closed', 'released']
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...EVENTS), { maxLength: 8 }), (events) => {
      const life = new Life()
      let stage = 0
      for (const happen of events) {
        happen(life)
        const next = phases.indexOf(life.phase)
        assert.ok(next >= stage, `from ${phases[stage]} to ${life.phase}`)
        stage = next
      }
      const { cause } = life.transportGone(GONE, [])
      assert.ok(CLOSE_CAUSES.includes(cause))
      assert.equal(life.cause, cause)
      assert.equal(life.phase, 'closed')
      life.released()
      assert.equal(life.phase, 'released')
    }),
  )
})
