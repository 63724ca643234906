// `schema.message`: what becomes of messages that match it, and of those that do not.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LifecycleSocket, Message } from '../../lib/index.js'
import { turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { logLines } from '../support/servers/log-lines.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, portOf, serve } from '../support/servers/server.js'
import { type SchemaRoute, speak, telling } from '../support/peers/spoken.js'
import { until } from '../support/time/timed.js'
import { MOVE } from '../support/models/move.js'

const { frame } = RawPeer

const NOT_JSON = 'invalid: Expected a message in JSON'

describe('a message that matches', () => {
  for (const [schema, message, value] of [
    [{ type: 'object' }, '{"a":[1,{"b":null}]}', '{"a":[1,{"b":null}]}'],
    [{ type: 'array' }, ' [ 1, "zwei" ]\n', '[1,"zwei"]'],
    [{ type: 'string' }, '"grüezi 🦊"', '"grüezi 🦊"'],
    [{ type: 'null' }, 'null', 'null'],
    [{ type: 'boolean' }, 'false', 'false'],
    [{}, '0', '0'],
    [true, '{"any":"thing"}', '{"any":"thing"}'],
  ] as const) {
    test(`of ${JSON.stringify(schema)}, ${JSON.stringify(message)}, is handled as its value`, async (t) => {
      const { ask } = await speak(t, telling(schema))
      assert.equal(await ask(message), `valid: ${value}`)
    })
  }

  test('is handed over as values, not as text', async (t) => {
    const values: unknown[] = []
    const onMessage = (socket: LifecycleSocket, _request: unknown, value: unknown): void => {
      values.push(value)
      socket.send('handled')
    }
    const { ask } = await speak(t, { ...telling(MOVE), onMessage })
    await ask('{"to":"left","by":3}')
    assert.deepEqual(values, [{ to: 'left', by: 3 }])
  })

  test('is coerced, completed and stripped as a body is', async (t) => {
    const { ask } = await speak(t, telling(MOVE))
    assert.equal(await ask('{"to":"left"}'), 'valid: {"to":"left","by":1}')
    assert.equal(await ask('{"to":"left","by":"2"}'), 'valid: {"to":"left","by":2}')
    assert.equal(await ask('{"to":"right","extra":1}'), 'valid: {"to":"right","by":1}')
  })

  test('is taken as it is where the instance is configured so', async (t) => {
    const customOptions = { coerceTypes: false, useDefaults: false, removeAdditional: false }
    const setup = { fastify: { ajv: { customOptions } } }
    const { ask } = await speak(t, telling(MOVE), setup)
    assert.equal(await ask('{"to":"left"}'), 'valid: {"to":"left"}')
    assert.equal(await ask('{"to":"left","by":"2"}'), 'invalid: message/by must be integer')
    assert.equal(
      await ask('{"to":"left","extra":1}'),
      'invalid: message must NOT have additional properties',
    )
  })

  test('is coerced also where it is a scalar itself', async (t) => {
    const { ask } = await speak(t, telling({ type: 'integer' }))
    assert.equal(await ask('"5"'), 'valid: 5')
    assert.equal(await ask('5'), 'valid: 5')
    assert.equal(await ask('"five"'), 'invalid: message must be integer')
  })

  test('may be described by schemas of the app', async (t) => {
    const { ask } = await speak(t, telling({ type: 'array', items: { $ref: 'move#' } }), {
      before: (app) => app.addSchema({ ...MOVE, $id: 'move' }),
    })
    assert.equal(await ask('[{"to":"left"}]'), 'valid: [{"to":"left","by":1}]')
    assert.match(String(await ask('[{"to":"up"}]')), /^invalid: message\/0\/to must be equal/)
  })
})

const INVALID = {
  'text that is no JSON': ['{"to":', undefined],
  'an empty text': ['', undefined],
  'blanks alone': [' \n', undefined],
  'more than one value': ['{"to":"left"} {}', undefined],
  'JSON of another shape': ['{"by":1}', "must have required property 'to'"],
  'JSON of another type': ['["left"]', 'must be object'],
  'a binary frame': [Buffer.from('{"to":"left"}'), undefined],
} as const

describe('a message that does not match', () => {
  for (const [name, [message, detail]] of Object.entries(INVALID)) {
    test(`${name} reaches onInvalidMessage as an error, and the next one is handled`, async (t) => {
      const errors: Error[] = []
      const onInvalidMessage = (socket: LifecycleSocket, _request: unknown, error: Error): void => {
        errors.push(error)
        socket.send('sorry')
      }
      const { ask, socket } = await speak(t, { ...telling(MOVE), onInvalidMessage })
      assert.equal(await ask(message), 'sorry')
      assert.equal(await ask('{"to":"left"}'), 'valid: {"to":"left","by":1}')
      assert.equal(socket.readyState, socket.OPEN)
      assert.equal(errors.length, 1)
      const [error] = errors
      assert.ok(error instanceof Error)
      assert.equal(Reflect.get(error, 'validationContext'), 'message')
      assert.equal(Reflect.get(error, 'code'), 'FST_ERR_VALIDATION')
      if (detail === undefined) return
      const [first] = Reflect.get(error, 'validation') as [{ message: string }]
      assert.equal(first.message, detail)
      assert.equal(error.message, `message ${detail}`)
    })

    test(`${name} ends the connection with 1007 where there is no onInvalidMessage`, async (t) => {
      const handled: unknown[] = []
      const route: SchemaRoute = {
        schema: { message: MOVE },
        onMessage: (_socket, _request, value) => handled.push(value),
      }
      const { socket, events, provoke } = await speak(t, route)
      assert.equal(await provoke(message), 1007)
      const { cause, initiator, expected, sent, error, retryable } = await socket.closed
      assert.deepEqual(
        { cause, initiator, expected, sent, error, retryable },
        {
          cause: 'protocol-error',
          initiator: 'client',
          expected: false,
          sent: { code: 1007, reason: 'invalid-message' },
          error: undefined,
          retryable: false,
        },
      )
      assert.deepEqual(handled, [])
      assert.deepEqual(events, ['abort', 'unexpected', 'close', 'release'])
    })
  }

  test('onInvalidMessage is called in place of onMessage, with the instance and the connection', async (t) => {
    const calls: unknown[][] = []
    const route: SchemaRoute = {
      ...telling(MOVE),
      onMessage: () => calls.push(['onMessage']),
      onInvalidMessage(socket, request) {
        calls.push([this, socket, request])
        socket.send('sorry')
      },
    }
    const { app, ask, socket } = await speak(t, route)
    await ask('{}')
    assert.equal(calls.length, 1)
    const [instance, ofSocket, ofRequest] = calls[0] as unknown[]
    assert.equal(Reflect.get(instance as object, 'server'), app.server)
    assert.equal(ofSocket, socket)
    assert.equal(ofRequest, socket.request)
  })

  test('onInvalidMessage is awaited before the next message, in the order of arrival', async (t) => {
    const { opened, open } = gate()
    const order: string[] = []
    const route: SchemaRoute = {
      schema: { message: MOVE },
      onMessage: (socket, _request, value) => {
        order.push(JSON.stringify(value))
        socket.send('done')
      },
      async onInvalidMessage(_socket, _request, error) {
        order.push(error.message)
        await opened
        order.push('settled')
      },
    }
    const { peer } = await speak(t, route)
    peer.send(frame(OPCODE.text, '?'), frame(OPCODE.text, '{"to":"left"}'))
    await until(() => order.length > 0)
    await turns()
    assert.deepEqual(order, ['Expected a message in JSON'])
    open()
    await peer.next()
    assert.deepEqual(order.slice(1), ['settled', '{"to":"left","by":1}'])
  })

  for (const [name, fail] of [
    [
      'throws',
      () => {
        throw new Error('fault')
      },
    ],
    ['rejects', () => Promise.reject(new Error('fault'))],
  ] as const) {
    test(`an onInvalidMessage that ${name} is a handler-error`, async (t) => {
      const { lines, fastify } = logLines()
      const errors: Error[] = []
      const route: SchemaRoute = {
        ...telling(MOVE),
        onInvalidMessage: fail,
        onHandlerError: (_socket, _request, error) => errors.push(error),
      }
      const { provoke, socket } = await speak(t, route, { fastify })
      assert.equal(await provoke('{}'), 1011)
      const { cause, error } = await socket.closed
      assert.equal(cause, 'handler-error')
      assert.equal(error?.message, 'fault')
      assert.deepEqual(errors, [error])
      const steps = lines.filter(({ step }) => step !== undefined).map(({ step }) => step)
      assert.deepEqual(steps, ['onInvalidMessage'])
    })
  }
})

describe('what would poison prototypes', () => {
  const PROTO = '{"a":1,"__proto__":{"x":7}}'
  const CONSTRUCTOR = '{"a":1,"constructor":{"prototype":{"x":7}}}'
  for (const [mode, ofProto, ofConstructor] of [
    [undefined, NOT_JSON, NOT_JSON],
    ['error', NOT_JSON, NOT_JSON],
    ['remove', 'valid: {"a":1}', 'valid: {"a":1}'],
    ['ignore', `valid: ${PROTO}`, `valid: ${CONSTRUCTOR}`],
  ] as const) {
    test(`follows onProtoPoisoning and onConstructorPoisoning of the app, ${mode ?? 'none given'}`, async (t) => {
      const fastify =
        mode === undefined ? {} : { onProtoPoisoning: mode, onConstructorPoisoning: mode }
      const { ask } = await speak(t, telling({ type: 'object' }), { fastify })
      assert.equal(await ask(PROTO), ofProto)
      assert.equal(await ask(CONSTRUCTOR), ofConstructor)
      assert.equal(await ask('{"b":2}'), 'valid: {"b":2}')
      assert.equal(Reflect.get({}, 'x'), undefined)
    })
  }
})

describe('raw readers of a route with a schema', () => {
  const FRAMES = [frame(OPCODE.text, 'no JSON'), frame(OPCODE.binary, Buffer.of(1))]

  test('a plain listener hears each message as ws brings it, just before the hook of the route', async (t) => {
    const order: string[] = []
    const route: SchemaRoute = {
      schema: { message: MOVE },
      onMessage: (_socket, _request, value) => order.push(JSON.stringify(value)),
      onInvalidMessage: (socket) => {
        order.push('invalid')
        if (order.length > 5) socket.send('done')
      },
    }
    const { peer } = await speak(t, route, {
      handler: (socket) => {
        socket.on('message', (data: Buffer, isBinary: boolean) => {
          order.push(`${isBinary ? 'binary' : 'text'} ${data.toString('latin1')}`)
        })
      },
    })
    peer.send(frame(OPCODE.text, '{"to":"left"}'), ...FRAMES)
    await peer.next()
    assert.deepEqual(order, [
      'text {"to":"left"}',
      '{"to":"left","by":1}',
      'text no JSON',
      'invalid',
      'binary \u0001',
      'invalid',
    ])
  })

  test('a plain listener without onMessage hears what nobody has validated', async (t) => {
    const { ask } = await speak(
      t,
      { schema: { message: MOVE } },
      {
        handler: (socket) => {
          socket.on('message', (data) => void socket.send(data as Buffer))
        },
      },
    )
    assert.equal(await ask('no JSON'), 'no JSON')
    assert.equal(await ask(Buffer.of(1)), '\u0001')
  })

  test('messages() gives what nobody has validated', async (t) => {
    const got: Message[] = []
    const { peer, socket } = await speak(
      t,
      { schema: { message: MOVE } },
      {
        handler: async (socket) => {
          for await (const message of socket.messages()) got.push(message)
        },
      },
    )
    peer.send(frame(OPCODE.text, '{"to":"left"}'), ...FRAMES, RawPeer.closeFrame(1000))
    await socket.closed
    assert.deepEqual(got, ['{"to":"left"}', 'no JSON', Buffer.of(1)])
  })
})

test('a wsHandler has its messages validated, and its HTTP side does not notice', async (t) => {
  const app = await serve(t, {
    routes: (app) => {
      app.route({
        method: 'GET',
        url: '/both',
        ...telling(MOVE),
        handler: () => 'http',
        wsHandler: () => {},
      } as Parameters<typeof app.route>[0])
    },
  })
  const peer = await RawPeer.open(portOf(app), '/both')
  peer.send(frame(OPCODE.text, '{"to":"left"}'))
  assert.equal((await peer.next())?.payload.toString(), 'valid: {"to":"left","by":1}')
  assert.equal((await app.inject('/both')).body, 'http')
})

test('without schema.message a text is a text, also one of JSON, and a binary frame is welcome', async (t) => {
  const got: unknown[] = []
  const route = {
    schema: { querystring: { type: 'object' } },
    onMessage: (socket: LifecycleSocket, _request: unknown, message: Message) => {
      got.push(message)
      socket.send('done')
    },
    onInvalidMessage: () => got.push('invalid'),
  }
  const { peer } = await connectOne(t, { route })
  for (const each of [
    frame(OPCODE.text, '{"a":1}'),
    frame(OPCODE.text, '{'),
    frame(OPCODE.binary, '1'),
  ]) {
    peer.send(each)
    await peer.next()
  }
  assert.deepEqual(got, ['{"a":1}', '{', Buffer.from('1')])
})
