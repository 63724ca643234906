// The option expiresAt: until when a connection may live, by its request.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FastifyRequest } from 'fastify'
import type { LifecycleSocket } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { parseAnswer } from '../support/peers/client.js'
import { delivered } from '../support/time/delivered.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { gate, never } from '../support/time/gate.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, portOf, serve, serveOne } from '../support/servers/server.js'
import { assertBetween, lasted, until } from '../support/time/timed.js'
import {
  type ExpiresAt,
  TICK,
  connectUntil,
  ask,
  assertRefused,
  assertNothingLeft,
} from '../support/servers/expiring.js'

const { frame } = RawPeer

declare module 'fastify' {
  interface FastifyRequest {
    /** When a token ends that a hook has found, epoch ms. */
    tokenEndsAt?: number
  }
}

describe('expiresAt', () => {
  for (const [what, from] of [
    ['a Date', (at: number) => new Date(at)],
    ['epoch milliseconds', (at: number) => at],
    ['a promise of either', async (at: number) => at],
  ] as const) {
    test(`ends the connection then, answered as ${what}, with 3000, expected`, async (t) => {
      const clock = new FakeClock()
      const expiresAt = (): ReturnType<ExpiresAt> => from(clock.wall() + 5_000)
      const { app, peer, socket, events } = await connectOne(t, {
        clock,
        options: { keepalive: false },
        route: { expiresAt },
        handler: (socket) => socket.on('message', (data) => socket.send(data)),
      })
      const openedAt = clock.now()
      while (socket.readyState === socket.OPEN && clock.now() - openedAt < 20_000) {
        peer.send(frame(OPCODE.text, 'traffic does not prolong it'))
        await clock.advance(20)
      }
      assertBetween(clock.now() - openedAt, 5_000, 5_000 + TICK + 20)
      const sent = await within(peer.nextOf(OPCODE.close), 'a close frame')
      peer.send(frame(OPCODE.close, sent?.payload))
      const close = await within(socket.closed, 'the end')
      assert.deepEqual(
        [close.cause, close.initiator, close.expected, close.retryable, close.sent],
        ['auth-expired', 'server', true, false, { code: 3000, reason: 'auth-expired' }],
      )
      assert.deepEqual(events, ['abort', 'close', 'release'])
      assert.equal(app.websocketLifecycle.stats().closed['auth-expired'], 1)
    })
  }

  test('that answers undefined: the credentials never end', async (t) => {
    const { clock, socket } = await connectUntil(t, undefined)
    await clock.advance(300_000)
    assert.equal(socket.readyState, socket.OPEN)
  })

  test('follows the wall clock when that is set', async (t) => {
    class SetClock extends FakeClock {
      setBy = 0
      override wall(): number {
        return super.wall() + this.setBy
      }
    }
    const clock = new SetClock()
    const endsAt = clock.wall() + 3_600_000
    const { socket } = await connectOne(t, {
      clock,
      options: { keepalive: false },
      route: { expiresAt: () => endsAt },
    })
    clock.setBy = -600_000
    await clock.advance(5_000)
    assert.equal(socket.readyState, socket.OPEN)
    clock.setBy = 3_600_000
    assertBetween(await lasted(clock, socket), 0, 1_000 + 2 * TICK)
  })

  test('is asked once, after all hooks of the route, before the 101, and sees what they found', async (t) => {
    const clock = new FakeClock()
    const requests: FastifyRequest[] = []
    const answered = gate()
    const events: string[] = []
    const { port, nextSocket } = await serveOne(t, {
      clock,
      options: { keepalive: false },
      route: {
        expiresAt: async (request) => {
          requests.push(request)
          events.push('expiresAt')
          await answered.opened
          return request.tokenEndsAt
        },
      },
      before: (app) => {
        app.addHook('onRequest', async () => void events.push('onRequest'))
        app.addHook('preHandler', async (request) => {
          events.push('preHandler')
          request.tokenEndsAt = clock.wall() + 2_000
        })
      },
      handler: () => void events.push('handler'),
    })
    const peer = await RawPeer.dial(port)
    const come: string[] = []
    void peer.answer().then((answer) => come.push(answer))
    await until(() => requests.length > 0)
    await delivered()
    assert.deepEqual(come, [])
    answered.open()
    const socket = await nextSocket()
    assert.deepEqual(events, ['onRequest', 'preHandler', 'expiresAt', 'handler'])
    assert.deepEqual(requests, [socket.request])
    assertBetween(await lasted(clock, socket), 2_000, 2_000 + TICK + 10)
    assert.equal(requests.length, 1)
  })

  for (const [what, answer, shown] of [
    ['seconds', 1_700_000_000, '1700000000'],
    ['a Date made of seconds', new Date(1_700_000_000), '1970-01-20'],
    ['no number', Number.NaN, 'NaN'],
    ['an invalid Date', new Date('soon'), 'Invalid Date'],
    ['a string', '2030-01-01', 'got string,'],
    ['null', null, 'null'],
  ] as const) {
    test(`that answers ${what} gets a 500 that names the route, and no handler`, async (t) => {
      const asked = await ask(t, () => answer as number)
      const { body } = await assertRefused(asked, 500)
      const { code, message } = JSON.parse(body) as { code: string; message: string }
      assert.equal(code, 'FST_ERR_WSL_INVALID_OPTION')
      assert.match(message, /`expiresAt` of route \/feed/)
      assert.match(message, /milliseconds since 1970.*seconds\?/)
      assert.ok(message.includes(shown), message)
    })
  }

  for (const [what, before] of [
    ['in the past', 1],
    ['at this very moment', 0],
  ] as const) {
    test(`that answers a moment ${what}: 401, and the handler does not run`, async (t) => {
      const endedAt = new FakeClock().wall() - before
      const asked = await ask(t, () => endedAt)
      const { body } = await assertRefused(asked, 401)
      assert.deepEqual(JSON.parse(body), {
        statusCode: 401,
        code: 'FST_ERR_WSL_CREDENTIALS_EXPIRED',
        error: 'Unauthorized',
        message: 'The credentials of this request have expired',
      })
    })
  }

  const forbidden = Object.assign(new Error('not you'), { statusCode: 403 })
  for (const [what, expiresAt] of [
    [
      'throws',
      () => {
        throw forbidden
      },
    ],
    ['rejects', () => Promise.reject(forbidden)],
    [
      'rejects later',
      async () => {
        await turns(3)
        throw forbidden
      },
    ],
  ] as const) {
    test(`that ${what} is answered as a hook that does: by the error handler of the app`, async (t) => {
      const errors: unknown[] = []
      const asked = await ask(t, expiresAt, {
        before: (app) => {
          app.setErrorHandler((error, _request, reply) => {
            errors.push(error)
            return reply.code(418).send({ seen: true })
          })
        },
      })
      const { body } = await assertRefused(asked, 418)
      assert.equal(body, '{"seen":true}')
      assert.deepEqual(errors, [forbidden])
    })
  }

  test('that throws without an error handler of the app: the status code of the error', async (t) => {
    const asked = await ask(t, () => Promise.reject(forbidden))
    const { body } = await assertRefused(asked, 403)
    assert.equal((JSON.parse(body) as { message: string }).message, 'not you')
  })

  for (const settles of ['never', 'with a moment', 'with an error'] as const) {
    test(`that settles ${settles} when its peer has left: nothing is left, no handler runs`, async (t) => {
      const answered = gate()
      const asked = await ask(t, async () => {
        await answered.opened
        if (settles === 'with an error') throw forbidden
        return undefined
      })
      const peer = await RawPeer.dial(asked.port, '/feed')
      await until(() => asked.events.includes('expiresAt'))
      peer.destroy()
      await until(() => asked.events.includes('release'))
      if (settles !== 'never') answered.open()
      await assertNothingLeft(asked)
    })
  }

  for (const settles of ['never', 'with a moment', 'with an error'] as const) {
    test(`that settles ${settles} after handshakeTimeout: 503, and the handler does not run`, async (t) => {
      const answered = gate()
      const asked = await ask(
        t,
        async () => {
          await answered.opened
          if (settles === 'with an error') throw forbidden
          return undefined
        },
        { options: { handshakeTimeout: 2_000 } },
      )
      const peer = await RawPeer.dial(asked.port, '/feed')
      const answer = peer.answer()
      await until(() => asked.events.includes('expiresAt'))
      await asked.clock.advance(2_000 + TICK)
      const { status, body } = parseAnswer(await within(answer, 'an answer'))
      assert.equal(status, 503)
      assert.match(body, /FST_ERR_WSL_HANDSHAKE_TIMEOUT/)
      await within(peer.ended(), 'the end of the socket')
      if (settles !== 'never') answered.open()
      await assertNothingLeft(asked)
      assert.equal(asked.app.websocketLifecycle.stats().refused.handshake, 1)
    })
  }

  test('that takes its time loses no message that came with the handshake', async (t) => {
    const heard: string[] = []
    const { port, nextSocket } = await serveOne(t, {
      route: {
        expiresAt: async () => {
          await turns(5)
          return Date.now() + 60_000
        },
      },
      handler: (socket) => socket.on('message', (data: Buffer) => heard.push(data.toString())),
    })
    const peer = await RawPeer.dialWith(
      port,
      RawPeer.handshake(port, '/'),
      frame(OPCODE.text, 'early'),
      RawPeer.closeFrame(1000),
    )
    const socket = await nextSocket()
    await within(peer.answer(), 'the 101')
    await within(peer.nextOf(OPCODE.close), 'a close frame')
    peer.destroy()
    await within(socket.closed, 'the end')
    assert.deepEqual(heard, ['early'])
  })

  test('that is pending when the drain begins: 503, and the handler does not run', async (t) => {
    const asked = await ask(t, () => never)
    const peer = await RawPeer.dial(asked.port, '/feed')
    await until(() => asked.events.includes('expiresAt'))
    await within(asked.app.websocketLifecycle.drain(), 'the drain')
    assert.equal(parseAnswer(await peer.answer()).status, 503)
    await assertNothingLeft(asked)
  })

  test('of the plugin is asked for every route, but for those that have their own', async (t) => {
    const clock = new FakeClock()
    const asked: string[] = []
    const answer = (name: string, lifetime: number) => (request: FastifyRequest) => {
      asked.push(`${name} for ${request.url}`)
      return clock.wall() + lifetime
    }
    const sockets: LifecycleSocket[] = []
    const handler = (socket: LifecycleSocket): void => void sockets.push(socket)
    const app = await serve(t, {
      clock,
      options: { keepalive: false, expiresAt: answer('plugin', 2_000) },
      routes: (app) => {
        app.get('/a', { websocket: true }, handler)
        app.get('/b', { websocket: true, expiresAt: answer('route', 20_000) }, handler)
        app.route({
          method: 'GET',
          url: '/both',
          handler: async () => 'http',
          wsHandler: handler,
        })
        app.get('/http', async () => 'http')
      },
    })
    for (const path of ['/a', '/b', '/both']) await RawPeer.open(portOf(app), path)
    for (const path of ['/both', '/http']) assert.equal((await app.inject(path)).body, 'http')
    assert.deepEqual(asked, ['plugin for /a', 'route for /b', 'plugin for /both'])
    await clock.advance(2_000 + TICK)
    assert.deepEqual(
      sockets.map(({ readyState, OPEN }) => readyState === OPEN),
      [false, true, false],
    )
  })

  test('holds for injectWS, too', async (t) => {
    const { app } = await serveOne(t, { route: { expiresAt: () => 1e12 } })
    await assert.rejects(app.injectWS('/'), /401/)
  })
})
