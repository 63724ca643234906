// What is recorded of an upgrade before its 101, and released as the last thing of all.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import Fastify from 'fastify'
import type {
  CloseInfo,
  RouteLifecycleOptions,
  WebsocketLifecycleOptions,
} from '../../lib/index.js'
import { createPlugin } from '../../lib/plugin/plugin.js'
import { connect } from '../support/peers/connect.js'
import { refusal } from '../support/peers/client.js'
import { answered, untilEnd } from '../support/peers/heard.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { join, lostIn, NotingNode } from '../support/servers/cluster.js'
import { portOf, serve } from '../support/servers/server.js'
import { keyOf, serveSessions } from '../support/servers/with-sessions.js'
import { gate } from '../support/time/gate.js'
import { until } from '../support/time/timed.js'

type Durable = NonNullable<NonNullable<RouteLifecycleOptions['cluster']>['durable']>

async function serveRecorded(
  t: TestContext,
  durable: Partial<Durable> = {},
  route: RouteLifecycleOptions = {},
  options: WebsocketLifecycleOptions = {},
) {
  const node = new NotingNode()
  const { events } = node
  const ids: string[] = []
  const app = await serve(t, {
    options,
    routes: (instance) => {
      join(instance, node)
      instance.get(
        '/',
        {
          websocket: true,
          preHandler: async ({ wsScope }) => {
            events.push('hook')
            wsScope?.defer(() => events.push('release of the hook'))
          },
          onClose: () => void events.push('close'),
          ...route,
          cluster: {
            durable: {
              release: ({ data }) => void events.push(`durable ${JSON.stringify(data)}`),
              ...durable,
            },
          },
        },
        (socket) => {
          ids.push(socket.id)
          events.push('handler')
          socket.scope.defer(() => events.push('release of the handler'))
          socket.on('message', () => socket.scope.defer(() => events.push('late release')))
        },
      )
    },
  })
  return { app, events, ids, node, url: `ws://127.0.0.1:${portOf(app)}` }
}

test('it is recorded after the hooks and before the 101, and released after all else', async (t) => {
  const { events, ids, node, url } = await serveRecorded(t, {
    data: (request) => request.headers.host?.length ?? 0,
  })
  const client = await connect(url)
  client.send('x')
  await answered(client)
  void client.close(1000)
  await until(() => events.includes('forgotten'))
  const bytes = new URL(url).host.length
  const before = ['hook', 'recording', 'opened', 'handler', 'close', 'late release']
  const after = ['release of the handler', 'release of the hook', `durable ${bytes}`, 'forgotten']
  assert.deepEqual(events, [...before, ...after])
  const [{ entry } = assert.fail()] = node.holds
  assert.equal(entry.id, ids[0])
  assert.deepEqual([entry.route.url, entry.data], ['/', bytes])
  assert.ok(Math.abs(entry.openedAt - Date.now()) < 60_000)
})

test('who is recorded opens when that is certain, and not before', async (t) => {
  const { events, node, url } = await serveRecorded(t)
  const { open, opened } = gate()
  node.known = () => opened
  const opening = connect(url)
  await until(() => events.includes('recording'))
  assert.ok(!events.includes('handler'))
  open()
  await opening
  await until(() => events.includes('handler'))
})

test('who cannot be recorded is refused as the node says', async (t) => {
  const { events, node, url } = await serveRecorded(t)
  node.known = async () => {
    throw Object.assign(new Error('no Redis'), { statusCode: 503, headers: { 'retry-after': '1' } })
  }
  const { status, headers } = await refusal(url)
  assert.deepEqual([status, headers['retry-after']], [503, '1'])
  assert.deepEqual(events, ['hook', 'recording', 'release of the hook'])
})

for (const [what, data, status] of [
  ['throws', () => assert.fail('no data'), 500],
  ['is asynchronous', async () => Promise.reject(new Error('late')), 500],
] as const) {
  test(`nobody gets in whose \`data\` ${what}`, async (t) => {
    const { events, url } = await serveRecorded(t, { data: data as never })
    assert.equal((await refusal(url)).status, status)
    assert.deepEqual(events, ['hook', 'release of the hook'])
  })
}

test('a client that goes while it is being recorded leaves no record', async (t) => {
  const { app, events, node } = await serveRecorded(t)
  const { open, opened } = gate()
  node.known = () => opened
  const peer = await RawPeer.dial(portOf(app), '/')
  await until(() => events.includes('recording'))
  const lost = lostIn(t, app)
  peer.destroy()
  await lost
  open()
  await until(() => events.includes('cancelled'))
  assert.deepEqual(events, ['hook', 'recording', 'release of the hook', 'cancelled'])
})

test('a client that goes when it is recorded, and before its 101, leaves none either', async (t) => {
  const { open, opened } = gate()
  let isAsked = false
  const { app, events } = await serveRecorded(
    t,
    {},
    {},
    {
      websocket: {
        verifyClient: (_info, answer) => {
          isAsked = true
          void opened.then(() => answer(true))
        },
      },
    },
  )
  const peer = await RawPeer.dial(portOf(app), '/')
  await until(() => isAsked)
  const lost = lostIn(t, app)
  peer.destroy()
  await lost
  await until(() => events.includes('cancelled'))
  open()
  assert.ok(!events.includes('opened'))
})

test('a release that fails is an error of its connection', async (t) => {
  const errors: Error[] = []
  const { events, url } = await serveRecorded(
    t,
    {
      release: async () => {
        throw new Error('not today')
      },
    },
    { onHandlerError: (_socket, _request, error) => void errors.push(error) },
  )
  const client = await connect(url)
  void client.close()
  await until(() => errors.length > 0)
  assert.equal(errors[0]?.message, 'not today')
  assert.ok(!events.includes('forgotten'))
})

test('a connection whose cleanup is another node’s ends so', async (t) => {
  const closes: CloseInfo[] = []
  const { node, url } = await serveRecorded(
    t,
    {},
    { onClose: (_socket, _request, close) => void closes.push(close) },
  )
  const client = await connect(url)
  node.holds[0]?.owner?.end('node-fenced')
  assert.deepEqual(await untilEnd(client), ['close 1012 node-fenced'])
  await until(() => closes.length > 0)
  const [{ cause, expected, initiator, retryable } = assert.fail()] = closes
  assert.deepEqual([cause, expected, initiator, retryable], ['node-fenced', false, 'server', true])
})

test('a session is recorded once, by its own id, and released when it is over', async (t) => {
  const node = new NotingNode()
  const { noted, sessions, url } = await serveSessions(t, {
    before: (instance) => void instance.addHook('onReady', async () => join(instance, node)),
    options: { keepalive: false },
    route: { cluster: { durable: { release: () => void node.events.push('durable') } } },
  })
  const first = await LinkPeer.confirmed(url)
  assert.equal(node.holds[0]?.id, sessions[0]?.id)
  assert.match(first.welcome.token, /^here\.[\w-]{22}$/)
  first.cut()
  await noted('suspend')
  await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  await noted('resume')
  assert.deepEqual(node.events, ['recording', 'opened'])
  node.holds[0]?.owner?.end('node-fenced')
  await noted('close node-fenced')
  await until(() => node.events.includes('forgotten'))
  assert.deepEqual(node.events, ['recording', 'opened', 'durable', 'forgotten'])
})

test('a suspended session ends at once if its cleanup is another node’s', async (t) => {
  const node = new NotingNode()
  const { closes, noted, sessions, url } = await serveSessions(t, {
    before: (instance) => void instance.addHook('onReady', async () => join(instance, node)),
    route: { resume: { key: keyOf }, cluster: { durable: { release: () => {} } } },
  })
  const first = await LinkPeer.confirmed(url)
  first.cut()
  await noted('suspend')
  node.holds[0]?.owner?.end('node-fenced')
  await noted('close')
  assert.deepEqual([closes[0]?.cause, closes[0]?.code], ['node-fenced', 1006])
  assert.equal(sessions[0]?.suspended, false)
})

test('an app whose routes need other nodes does not start without them', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  await app.register(createPlugin())
  const cluster = { durable: { release: () => {} } }
  app.get('/a', { websocket: true, cluster }, () => {})
  await assert.rejects(async () => app.ready(), {
    code: 'FST_ERR_WSL_INVALID_OPTION',
    message:
      'Expected fastify-websocket-lifecycle/redis to be registered for `cluster.durable` of route /a, got no such plugin: register it after fastify-websocket-lifecycle',
  })
})

test('nor one that counts over all nodes', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  const maxConnectionsPerKey = { max: 1, whenFull: 'replace', scope: 'cluster' } as const
  await app.register(createPlugin(), { maxConnectionsPerKey })
  app.get('/a', { websocket: true }, () => {})
  await assert.rejects(async () => app.ready(), /for `maxConnectionsPerKey.scope` of route \/a/)
})

test('two routes have two names for their records', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  await app.register(createPlugin())
  const cluster = { durable: { name: 'desk', release: () => {} } }
  app.get('/a', { websocket: true, cluster }, () => {})
  assert.throws(() => app.get('/b', { websocket: true, cluster }, () => {}), {
    code: 'FST_ERR_WSL_INVALID_OPTION',
    message:
      "Expected `cluster.durable.name` to be of one route, got 'desk', which is that of route /a, in the options of route /b",
  })
})
