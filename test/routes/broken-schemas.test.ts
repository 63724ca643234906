// A `schema.message` that nobody can compile.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { refusal } from '../support/peers/client.js'
import { gate } from '../support/time/gate.js'
import { logLines } from '../support/servers/log-lines.js'
import { serve, serveOne } from '../support/servers/server.js'
import { type SchemaRoute, telling } from '../support/peers/spoken.js'
import { add, askAt } from '../support/servers/schemas.js'

describe('a schema that is broken', () => {
  const BROKEN = {
    'a type that is none': { type: 'nonsense' },
    'a reference to nowhere': { $ref: 'nowhere#' },
    'no schema': null,
    'a keyword that nobody knows': { typo: 'object' },
  } as const

  for (const [name, message] of Object.entries(BROKEN)) {
    test(`${name}: each upgrade gets a 500, the log says why, the app goes on`, async (t) => {
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
