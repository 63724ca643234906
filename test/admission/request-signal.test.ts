// `request.signal` of an upgrade, where Fastify has one: that of its scope.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { ConnectionClosedError, type LifecycleSocket } from '../../lib/index.js'
import { decorateSignal } from '../../lib/admission/request-signal.js'
import { gate } from '../support/time/gate.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { portOf, serve } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'

interface Seen {
  readonly app: FastifyInstance
  readonly requests: FastifyRequest[]
  readonly sockets: LifecycleSocket[]
}

async function start(
  t: TestContext,
  asks: (request: FastifyRequest) => unknown,
  before: (app: FastifyInstance) => unknown = () => {},
): Promise<Seen> {
  const requests: FastifyRequest[] = []
  const sockets: LifecycleSocket[] = []
  const app = await serve(t, {
    before,
    routes: (app) => {
      app.addHook('onRequest', async (request) => {
        requests.push(request)
        await asks(request)
      })
      app.get('/', { websocket: true }, (socket) => void sockets.push(socket))
      app.get('/patient', { websocket: true, handlerTimeout: 60_000 }, (socket) => {
        sockets.push(socket)
      })
      app.get('/hasty', { websocket: true, handlerTimeout: 20 }, () => {})
      app.get('/plain', tell)
      void app.register(async (child) => child.get('/child', tell))
    },
  })
  return { app, requests, sockets }
}

function tell(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return reply.send({ isAborted: request.signal.aborted })
}

async function openedAt({ app, sockets }: Seen, path = '/'): Promise<LifecycleSocket> {
  await RawPeer.open(portOf(app), path)
  await until(() => sockets.length > 0)
  return sockets[0] as LifecycleSocket
}

/** The tests run with older versions of Fastify too, down to the oldest that we serve. */
const hasSignal = Fastify().hasRequestDecorator('signal')

function describeSignal(): void {
  for (const path of ['/', '/patient']) {
    test(`of an upgrade aborts with the scope, once asked for in a hook, at ${path}`, async (t) => {
      let first: AbortSignal | undefined
      const seen = await start(t, (request) => {
        first = request.signal
      })
      const socket = await openedAt(seen, path)
      const { signal } = socket.request
      assert.equal(signal, first)
      assert.equal(signal.aborted, false)
      let aborts = 0
      signal.addEventListener('abort', () => aborts++)
      socket.close(4000)
      await until(() => signal.aborted)
      assert.equal(signal.reason, socket.scope.signal.reason)
      assert.ok(signal.reason instanceof ConnectionClosedError)
      assert.equal(signal.reason.closeCause, 'server-close')
      assert.equal(aborts, 1)
    })

    test(`of an upgrade that was first asked for after the end has aborted, at ${path}`, async (t) => {
      const seen = await start(t, () => {})
      const socket = await openedAt(seen, path)
      socket.terminate()
      await socket.closed
      assert.equal(socket.request.signal.aborted, true)
      assert.equal(socket.request.signal.reason, socket.scope.signal.reason)
    })
  }

  test('of an upgrade whose peer leaves during a hook aborts', async (t) => {
    const door = gate()
    const { app, requests } = await start(t, async () => door.opened)
    const peer = await RawPeer.dial(portOf(app))
    await until(() => requests.length > 0)
    const signal = requests[0]?.signal
    peer.finish()
    await until(() => signal?.aborted === true)
    assert.ok(signal?.reason instanceof ConnectionClosedError)
    door.open()
  })

  test("of an upgrade tells of Fastify's handlerTimeout first", async (t) => {
    const door = gate()
    const { app, requests } = await start(t, async (request) => {
      assert.equal(request.signal.aborted, false)
      await door.opened
    })
    const peer = await RawPeer.dial(portOf(app), '/hasty')
    await peer.answer()
    assert.equal(requests[0]?.signal.reason.code, 'FST_ERR_HANDLER_TIMEOUT')
    door.open()
  })

  test("of a plain request is Fastify's", async (t) => {
    const { app, requests } = await start(t, () => {})
    for (const path of ['/plain', '/child']) {
      const answer = await app.inject(path)
      assert.deepEqual(answer.json(), { isAborted: false })
    }
    assert.equal(requests[0]?.wsScope, undefined)
    assert.equal(requests[0]?.signal, requests[0]?.signal)
  })

  test("is the app's own, where it has one", async (t) => {
    const seen = await start(
      t,
      () => {},
      (app) => app.decorateRequest('signal', { getter: () => 'mine' as never }),
    )
    const socket = await openedAt(seen)
    assert.equal(socket.request.signal, 'mine')
  })
}

if (hasSignal) describe('request.signal', describeSignal)

test('of a Fastify without request.signal nothing is decorated', () => {
  const decorated: string[] = []
  const app = {
    hasRequestDecorator: () => false,
    decorateRequest: (name: string) => decorated.push(name),
  }
  decorateSignal(app)
  assert.deepEqual(decorated, [])
})

test('what else Fastify says about a decorator is an error', () => {
  const app = {
    hasRequestDecorator: () => true,
    decorateRequest: () => {
      throw new Error('started')
    },
  }
  assert.throws(() => decorateSignal(app), { message: 'started' })
})
