// Whose compiler makes the validator of messages.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Type, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import { validatorCompiler as zodCompiler } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { refusal } from '../support/peers/client.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { portOf, serve, serveOne } from '../support/servers/server.js'
import { type Compiler, type SchemaRoute, speak, telling } from '../support/peers/spoken.js'
import { add, askAt, named } from '../support/servers/schemas.js'

const { frame } = RawPeer

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
