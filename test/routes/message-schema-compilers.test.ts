// Who compiles `schema.message`, when, and what its validator may answer.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Type, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { validatorCompiler as zodCompiler } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { refusal } from '../support/peers/client.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { logLines } from '../support/servers/log-lines.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, portOf, serve, serveOne } from '../support/servers/server.js'
import { type Compiler, type SchemaRoute, speak, telling } from '../support/peers/spoken.js'
import { until } from '../support/time/timed.js'

const { frame } = RawPeer

/** A compiler whose validators all answer so. */
function answering(answer: (value: unknown) => unknown): Compiler {
  return () => answer as ReturnType<Compiler>
}

/** A compiler whose validators answer with its name. */
function named(name: string): Compiler {
  return answering(() => ({ value: name }))
}

/** A route that tells what became of its messages. */
function add(on: FastifyInstance, path: string, message: unknown, more: object = {}): void {
  on.get(path, { websocket: true, ...telling(message), ...more }, () => {})
}

/** One message to a route of `/path`, and what became of it. */
async function askAt(app: FastifyInstance, path: string, message: string): Promise<unknown> {
  const peer = await RawPeer.open(portOf(app), path)
  peer.send(frame(OPCODE.text, message))
  const answer = await peer.next()
  peer.destroy()
  return answer?.payload.toString()
}

describe('a type provider', () => {
  const ORDER = z.object({
    item: z.string().transform((text) => text.length),
    count: z.number().default(1),
    at: z.iso.datetime().optional(),
  })

  test("zod's hands onMessage what defaults and transforms have made", async (t) => {
    const route = { ...telling(ORDER), validatorCompiler: zodCompiler as unknown as Compiler }
    const { ask } = await speak(t, route)
    assert.equal(await ask('{"item":"apple"}'), 'valid: {"item":5,"count":1}')
    assert.equal(await ask('{"item":"fig","count":2,"more":1}'), 'valid: {"item":3,"count":2}')
    assert.match(String(await ask('{"item":1}')), /^invalid: message\/item .*expected string/i)
    assert.match(String(await ask('[]')), /^invalid: message.*expected object/i)
  })

  test("zod's may make anything of a message, also nothing", async (t) => {
    const values: unknown[] = []
    const route: SchemaRoute = {
      schema: {
        message: z.union([
          z.literal('nothing').transform(() => undefined),
          z.literal('date').transform(() => new Date(0)),
        ]),
      },
      validatorCompiler: zodCompiler as unknown as Compiler,
      onMessage: (socket, _request, value) => {
        values.push(value)
        socket.send('done')
      },
    }
    const { ask } = await speak(t, route)
    await ask('"nothing"')
    await ask('"date"')
    assert.deepEqual(values, [undefined, new Date(0)])
  })

  test("TypeBox's schemas work with its own compiler, set on the instance", async (t) => {
    const schema = Type.Object({ to: Type.Literal('left'), by: Type.Number({ minimum: 1 }) })
    const { ask } = await speak(t, telling(schema), {
      before: (app) => app.setValidatorCompiler(TypeBoxValidatorCompiler),
    })
    assert.equal(await ask('{"to":"left","by":2}'), 'valid: {"to":"left","by":2}')
    assert.match(String(await ask('{"to":"left","by":0}')), /^invalid: message\/by must be >= 1/)
    assert.match(String(await ask('{"to":"up","by":2}')), /^invalid: message\/to /)
  })

  test("TypeBox's schemas work with Fastify's default compiler", async (t) => {
    const schema = Type.Object({ by: Type.Optional(Type.Integer({ default: 1 })) })
    const { ask } = await speak(t, telling(schema))
    assert.equal(await ask('{}'), 'valid: {"by":1}')
    assert.equal(await ask('{"by":"x"}'), 'invalid: message/by must be integer')
  })
})

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
    await turns()
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
      await turns()
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

describe('the compiler', () => {
  test('is the one of the route, of the nearest instance around it, or the default', async (t) => {
    const app = await serve(t, {
      routes: (app) => {
        const schema = { type: 'integer' }
        add(app, '/default', schema)
        add(app, '/route', schema, { validatorCompiler: named('route') })
        app.register(async (child) => {
          child.setValidatorCompiler(named('child'))
          add(child, '/child', schema)
          add(child, '/child-route', schema, { validatorCompiler: named('route') })
          child.register(async (grandchild) => {
            add(grandchild, '/inherited', schema)
          })
        })
        app.register(async (sibling) => {
          add(sibling, '/sibling', schema)
        })
      },
    })
    for (const [path, answer] of [
      ['/default', 'valid: 5'],
      ['/route', 'valid: "route"'],
      ['/child', 'valid: "child"'],
      ['/child-route', 'valid: "route"'],
      ['/inherited', 'valid: "child"'],
      ['/sibling', 'valid: 5'],
    ] as const) {
      assert.equal(await askAt(app, path, '"5"'), answer, path)
    }
  })

  test("knows the schemas of the route's own instance, and no others", async (t) => {
    const app = await serve(t, {
      routes: (app) => {
        for (const [path, type] of [
          ['/text', 'string'],
          ['/number', 'number'],
        ] as const) {
          app.register(async (child) => {
            child.addSchema({ $id: 'shared', type: 'object', properties: { it: { type } } })
            add(child, path, { $ref: 'shared#' })
          })
        }
        add(app, '/outside', { $ref: 'shared#' })
      },
    })
    assert.equal(await askAt(app, '/text', '{"it":5}'), 'valid: {"it":"5"}')
    assert.equal(await askAt(app, '/number', '{"it":"5"}'), 'valid: {"it":5}')
    assert.equal((await refusal(`ws://127.0.0.1:${portOf(app)}/outside`)).status, 500)
  })

  test('is told the schema, the route and that it is for messages; once, before the first 101', async (t) => {
    const schema = { type: 'object' }
    const story: string[] = []
    const told: unknown[] = []
    const compiler: Compiler = (about) => {
      story.push('compiled')
      told.push(about)
      return () => true
    }
    const { app, port } = await serveOne(t, {
      before: (app) => app.setValidatorCompiler(compiler),
      route: { ...telling(schema), preHandler: async () => story.push('hook') } as SchemaRoute,
      handler: () => story.push('handler'),
    })
    app.websocketServer.on('headers', () => story.push('101'))
    const first = await RawPeer.open(port)
    await Promise.all([RawPeer.open(port), RawPeer.open(port)])
    assert.deepEqual(story.slice(0, 4), ['hook', 'compiled', '101', 'handler'])
    assert.equal(story.filter((event) => event === '101').length, 3)
    assert.deepEqual(told, [{ schema, method: 'GET', url: '/', httpPart: 'message' }])
    first.send(frame(OPCODE.text, '{}'), frame(OPCODE.text, '{}'))
    assert.equal((await first.next())?.payload.toString(), 'valid: {}')
    assert.equal((await first.next())?.payload.toString(), 'valid: {}')
    assert.equal(told.length, 1)
  })

  test('is not asked on a route without schema.message', async (t) => {
    let asked = 0
    const { port } = await serveOne(t, {
      before: (app) => {
        app.setValidatorCompiler(() => {
          asked++
          return () => true
        })
      },
      route: {
        schema: {},
        onMessage: (socket, _request, message) => void socket.send(String(message)),
      } as SchemaRoute,
    })
    const peer = await RawPeer.open(port)
    peer.send(frame(OPCODE.text, '{}'))
    assert.equal((await peer.next())?.payload.toString(), '{}')
    assert.equal(asked, 0)
  })
})

describe('a schema that is broken', () => {
  const BROKEN = {
    'a type that is none': { type: 'nonsense' },
    'a reference to nowhere': { $ref: 'nowhere#' },
    'no schema': null,
    'a keyword that nobody knows': { typo: 'object' },
  } as const

  for (const [name, message] of Object.entries(BROKEN)) {
    test(`${name}: each upgrade gets a 500, the log says why, and the process goes on`, async (t) => {
      const { lines, fastify } = logLines()
      const { app, port, events } = await serveOne(t, {
        fastify,
        route: telling(message),
        handler: () => events.push('handler'),
        routes: (app) => add(app, '/well', { type: 'object' }),
      })
      for (let i = 0; i < 2; i++) {
        const { status, body } = await refusal(`ws://127.0.0.1:${port}/`)
        assert.equal(status, 500)
        assert.equal(Reflect.get(JSON.parse(body) as object, 'code'), 'FST_ERR_WSL_INVALID_OPTION')
      }
      const errors = lines.filter(({ level }) => level === 50)
      assert.equal(errors.length, 2)
      for (const { err } of errors) {
        const { message } = err as { message: string }
        assert.match(message, /`schema\.message`.* got an error \(.+\), in .* route GET \/$/)
      }
      assert.deepEqual(events, [])
      assert.equal(app.websocketLifecycle.stats().opened, 0)
      assert.equal(await askAt(app, '/well', '{}'), 'valid: {}')
    })
  }

  test('ends the scope that a hook had begun', async (t) => {
    const released = gate()
    const { port } = await serveOne(t, {
      route: {
        ...telling({ type: 'nonsense' }),
        preHandler: async (request: { wsScope: { defer: (release: () => void) => void } }) =>
          request.wsScope.defer(released.open),
      } as unknown as SchemaRoute,
    })
    assert.equal((await refusal(`ws://127.0.0.1:${port}/`)).status, 500)
    await released.opened
  })

  test('keeps no app from starting, and no HTTP route from answering', async (t) => {
    const app = await serve(t, {
      routes: (app) => {
        app.route({
          method: 'GET',
          url: '/both',
          ...telling({ type: 'nonsense' }),
          handler: () => 'http',
          wsHandler: () => {},
        } as Parameters<typeof app.route>[0])
      },
    })
    assert.equal((await app.inject('/both')).body, 'http')
  })
})
