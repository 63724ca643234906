// What a validator of messages may answer, and when.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { roundTrip } from '../support/peers/exchange.js'
import { gone } from '../support/servers/gone.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne } from '../support/servers/server.js'
import { type SchemaRoute, speak, telling } from '../support/peers/spoken.js'
import { until } from '../support/time/timed.js'
import { answering } from '../support/servers/schemas.js'

const { frame } = RawPeer

interface Answer {
  readonly answers: (value: unknown) => unknown
  readonly becomes: string
}

const failure = (): Error => new Error('not so')

const ANSWERS: Readonly<Record<string, Answer>> = {
  true: { answers: () => true, becomes: 'valid: {"a":1}' },
  nothing: { answers: () => undefined, becomes: 'valid: {"a":1}' },
  false: { answers: () => false, becomes: 'invalid: The message does not match its schema' },
  'false, with errors as ajv leaves them': {
    answers: Object.assign(() => false, {
      errors: [
        { instancePath: '/a', message: 'must be even' },
        { instancePath: '', message: 'is odd' },
      ],
    }),
    becomes: 'invalid: message/a must be even, message is odd',
  },
  'a value': { answers: () => ({ value: [2] }), becomes: 'valid: [2]' },
  'a value, and no error': {
    answers: () => ({ value: [2], error: undefined }),
    becomes: 'valid: [2]',
  },
  'an Error': { answers: () => ({ error: failure() }), becomes: 'invalid: not so' },
  'an Error beside a value': {
    answers: (value) => ({ value, error: failure() }),
    becomes: 'invalid: not so',
  },
  'a list of errors': {
    answers: () => ({ error: [{ instancePath: '/a', message: 'is odd' }] }),
    becomes: 'invalid: message/a is odd',
  },
  'true, later': { answers: async () => true, becomes: 'valid: {"a":1}' },
  'false, later': {
    answers: async () => false,
    becomes: 'invalid: The message does not match its schema',
  },
  'a rejection': { answers: () => Promise.reject(failure()), becomes: 'invalid: not so' },
  // What ajv's asynchronous schemas resolve with is the message itself: it decides nothing.
  'the message, later': { answers: async (value) => value, becomes: 'valid: {"a":1}' },
  'later what would be a verdict of its own': {
    answers: async () => ({ error: failure(), value: [2] }),
    becomes: 'valid: {"a":1}',
  },
}

describe('a validator', () => {
  for (const [name, { answers, becomes }] of Object.entries(ANSWERS)) {
    test(`may answer ${name}: ${becomes.split(':', 1).join()}`, async (t) => {
      const { ask } = await speak(t, { ...telling({}), validatorCompiler: answering(answers) })
      assert.equal(await ask('{"a":1}'), becomes)
      assert.equal(await ask('{"a":1}'), becomes)
    })
  }

  test('that is asynchronous in ajv cannot be talked into a verdict by the message', async (t) => {
    const schema = { $async: true, type: 'object', required: ['a'] }
    const { ask } = await speak(t, telling(schema))
    for (const valid of ['{"a":1}', '{"a":1,"error":"x"}', '{"a":1,"value":7}']) {
      assert.equal(await ask(valid), `valid: ${valid}`)
    }
    assert.equal(await ask('{"value":{"a":1}}'), 'invalid: validation failed')
  })

  test('keeps messages in order while it takes its time', async (t) => {
    const slow = gate()
    const answers = async (value: unknown): Promise<boolean> => {
      if (value === 1) await slow.opened
      return value !== 2
    }
    const route = { ...telling({}), validatorCompiler: answering(answers) }
    const { peer } = await speak(t, route)
    peer.send(...['1', '2', '3'].map((text) => frame(OPCODE.text, text)))
    await roundTrip(peer)
    slow.open()
    const got = [await peer.next(), await peer.next(), await peer.next()]
    assert.deepEqual(
      got.map((one) => one?.payload.toString()),
      ['valid: 1', 'invalid: The message does not match its schema', 'valid: 3'],
    )
  })

  test('that throws is a handler-error, and no invalid message', async (t) => {
    const errors: Error[] = []
    const fault = new Error('broke')
    const route: SchemaRoute = {
      ...telling({}),
      validatorCompiler: answering(() => {
        throw fault
      }),
      onHandlerError: (_socket, _request, error) => errors.push(error),
    }
    const { provoke, socket } = await speak(t, route)
    assert.equal(await provoke('{}'), 1011)
    const { cause, error } = await socket.closed
    assert.equal(cause, 'handler-error')
    assert.equal(error, fault)
    assert.deepEqual(errors, [fault])
  })

  test('an Error of its own reaches onInvalidMessage as it is, and says what it is about', async (t) => {
    const own = Object.assign(failure(), { code: 'OWN', details: [1] })
    const errors: Error[] = []
    const route: SchemaRoute = {
      ...telling({}),
      validatorCompiler: answering(() => ({ error: own })),
      onInvalidMessage: (socket, _request, error) => {
        errors.push(error)
        socket.send('sorry')
      },
    }
    const { ask } = await speak(t, route)
    await ask('{}')
    assert.equal(errors[0], own)
    assert.deepEqual(Object.entries(own), [
      ['code', 'OWN'],
      ['details', [1]],
      ['validationContext', 'message'],
    ])
  })

  for (const valid of [true, false]) {
    test(`that says ${valid} after the connection was left behind calls nobody`, async (t) => {
      const clock = new FakeClock()
      const verdict = gate()
      const calls: string[] = []
      const route: SchemaRoute = {
        schema: { message: {} },
        cleanupTimeout: 1_000,
        validatorCompiler: answering(async () => {
          calls.push('validator')
          await verdict.opened
          return valid
        }),
        onMessage: () => calls.push('onMessage'),
        onInvalidMessage: () => calls.push('onInvalidMessage'),
        onClose: () => calls.push('onClose'),
      }
      const { peer, socket } = await connectOne(t, { route, clock })
      peer.send(frame(OPCODE.text, '{}'))
      await until(() => calls.length > 0)
      peer.destroy()
      await gone({ socket })
      await clock.advance(1_000)
      await socket.closed
      verdict.open()
      await turns()
      assert.deepEqual(calls, ['validator', 'onClose'])
    })
  }

  test('what is being validated when another message fails the connection is dropped, and counted', async (t) => {
    const verdict = gate()
    const handled: unknown[] = []
    const route: SchemaRoute = {
      schema: { message: {} },
      inbox: { concurrency: 2 },
      validatorCompiler: answering(async (value) => {
        if (value === 'slow') await verdict.opened
        return true
      }),
      onMessage: (_socket, _request, value) => {
        handled.push(value)
        throw new Error('fault')
      },
    }
    const { app, peer, socket } = await connectOne(t, { route })
    peer.send(frame(OPCODE.text, '"slow"'), frame(OPCODE.text, '"fails"'))
    await peer.nextOf(OPCODE.close)
    verdict.open()
    peer.send(RawPeer.closeFrame(1011))
    await socket.closed
    assert.deepEqual(handled, ['fails'])
    assert.equal(app.websocketLifecycle.stats().dropped, 1)
  })
})
