// Who gets the page for operators, and what everybody else gets.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { connect } from '../support/peers/connect.js'
import { refusal } from '../support/peers/client.js'
import { logLines } from '../support/servers/log-lines.js'
import { OPERATOR, serveDashboard } from '../support/servers/with-dashboard.js'

/** Each way to say no. */
const NOS: Readonly<Record<string, () => unknown>> = {
  false: () => false,
  undefined: () => undefined,
  null: () => null,
  'an empty name': () => '',
  0: () => 0,
  1: () => 1,
  'an object': () => ({ id: 7 }),
  'a promise of false': async () => false,
  'a throw': () => {
    throw new Error('secret 1')
  },
  'a rejection': async () => Promise.reject(new Error('secret 2')),
}

const PATHS = [
  '/admin',
  '/admin/',
  '/admin/page.js',
  '/admin/page.css',
  '/admin/uplot.js',
  '/admin/icon.svg',
  '/admin/live',
]

for (const [way, authorize] of Object.entries(NOS)) {
  test(`whoever is not let in gets a 401 and not one byte: ${way}`, async (t) => {
    const { app, port } = await serveDashboard(t, { authorize: authorize as never })
    for (const url of PATHS) {
      for (const method of ['GET', 'HEAD'] as const) {
        const { statusCode, headers, body } = await app.inject({ method, url })
        assert.deepEqual([statusCode, body], [401, ''], `${method} ${url}`)
        const names = new Set(['connection', 'content-length', 'date'])
        assert.deepEqual(new Set(Object.keys(headers)), names)
      }
    }
    const { status, headers, body } = await refusal(`ws://127.0.0.1:${port}/admin/live`)
    assert.deepEqual([status, body, headers['content-length']], [401, '', '0'])
    assert.equal(app.websocketLifecycle.sessions.size, 0)
  })
}

test('a throw is logged, and not as an answer', async (t) => {
  const { lines, fastify } = logLines()
  const { app } = await serveDashboard(t, {
    fastify,
    authorize: () => {
      throw new Error('no database')
    },
  })
  await app.inject('/admin/')
  const text = '`authorize` of the page for operators has failed: that is a no'
  const line = lines.find(({ msg }) => msg === text)
  assert.ok(line)
  assert.equal(line['level'], 40)
  assert.equal((line['err'] as { message: string }).message, 'no database')
})

test('headers that `authorize` sets go with the 401', async (t) => {
  const { app, port } = await serveDashboard(t, {
    authorize: (_request, reply) => {
      reply.header('www-authenticate', 'Basic realm="ops"').code(403)
      return false
    },
  })
  const { statusCode, headers } = await app.inject('/admin/')
  assert.deepEqual([statusCode, headers['www-authenticate']], [401, 'Basic realm="ops"'])
  const upgrade = await refusal(`ws://127.0.0.1:${port}/admin/live`)
  assert.deepEqual(
    [upgrade.status, upgrade.headers['www-authenticate']],
    [401, 'Basic realm="ops"'],
  )
})

/** A hook of an app that makes each answer wait for a while, as those of sessions and of compression do. */
function answerLater(app: FastifyInstance): void {
  app.addHook('onSend', async (_request, _reply, payload) => {
    await turn()
    return payload
  })
}

for (const [when, before] of Object.entries({ 'at once': () => {}, 'after a hook': answerLater })) {
  test(`what \`authorize\` answers itself is the answer: ${when}`, async (t) => {
    const { app, port } = await serveDashboard(t, {
      before,
      authorize: (_request, reply) => {
        reply.redirect('/login')
        return false
      },
    })
    const { statusCode, headers, body } = await app.inject('/admin/')
    assert.deepEqual([statusCode, headers.location, body], [302, '/login', ''])
    const upgrade = await refusal(`ws://127.0.0.1:${port}/admin/live`)
    assert.deepEqual([upgrade.status, upgrade.headers['location']], [302, '/login'])
  })

  test(`also if it lets somebody in, or returns the reply: ${when}`, async (t) => {
    for (const answer of [true, undefined]) {
      const authorize = async (_request: unknown, reply: FastifyReply): Promise<never> => {
        reply.code(403).send('go away')
        return (answer ?? reply) as never
      }
      const { app } = await serveDashboard(t, { before, authorize })
      const { statusCode, body } = await app.inject('/admin/')
      assert.deepEqual([statusCode, body], [403, 'go away'])
    }
  })

  test(`a 401 is one answer: ${when}`, async (t) => {
    const { app } = await serveDashboard(t, { before, authorize: () => false })
    const { statusCode, body } = await app.inject('/admin/')
    assert.deepEqual([statusCode, body], [401, ''])
  })
}

test('`authorize` can use what the hooks of the app have found out', async (t) => {
  const { app } = await serveDashboard(t, {
    before: (instance) => {
      instance.decorateRequest('user', '')
      instance.addHook('preHandler', async (request) => {
        Reflect.set(request, 'user', request.headers['x-user'])
      })
    },
    authorize: (request) => Reflect.get(request, 'user') === 'root',
  })
  const asUser = async (user: string): Promise<number> =>
    (await app.inject({ url: '/admin/', headers: { 'x-user': user } })).statusCode
  assert.deepEqual([await asUser('root'), await asUser('guest')], [200, 401])
})

test('a page of another origin does not get in, although its visitor would', async (t) => {
  const { app, port } = await serveDashboard(t, { options: { allowedOrigins: '*' } })
  const url = `ws://127.0.0.1:${port}/admin/live`
  for (const origin of ['https://evil.example', 'null', `http://127.0.0.1:${port + 1}`]) {
    const { status, body } = await refusal(url, { headers: { ...OPERATOR, origin } })
    assert.equal(status, 403)
    assert.match(body, /FST_ERR_WSL_ORIGIN/)
  }
  assert.equal(app.websocketLifecycle.sessions.size, 0)
  const own = { ...OPERATOR, origin: `http://127.0.0.1:${port}` }
  const client = await connect(url, undefined, { headers: own })
  assert.equal(app.websocketLifecycle.sessions.size, 1)
  client.drop()
})

test('what there is not, and what is no request of a page, tells nothing', async (t) => {
  const { app } = await serveDashboard(t)
  const missing = await app.inject({ url: '/admin/other.js', headers: OPERATOR })
  assert.equal(missing.statusCode, 404)
  assert.deepEqual(missing.json(), {
    message: 'Route GET:/admin/other.js not found',
    error: 'Not Found',
    statusCode: 404,
  })
  for (const method of ['POST', 'PUT', 'DELETE'] as const) {
    const { statusCode } = await app.inject({ method, url: '/admin/', headers: OPERATOR })
    assert.equal(statusCode, 404)
  }
  const plain = await app.inject({ url: '/admin/live', headers: OPERATOR })
  assert.equal(plain.statusCode, 404)
  assert.equal(plain.json<{ code: string }>().code, 'FST_ERR_WSL_WEBSOCKET_ONLY')
})
