// When the credentials of a connection end: `expiresAt`, and `socket.expireAt()`.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { LifecycleOptions, LifecycleSocket } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { type Answer, parseAnswer } from '../support/peers/client.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { gate, never } from '../support/time/gate.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import {
  type Connected,
  connectOne,
  portOf,
  serve,
  serveOne,
  type Setup,
} from '../support/servers/server.js'
import { assertBetween, lasted, until } from '../support/time/timed.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** When a token ends that a hook has found, epoch ms. */
    tokenEndsAt?: number
  }
}

type ExpiresAt = NonNullable<LifecycleOptions['expiresAt']>

const { frame } = RawPeer
/** The longest: no option asks for a shorter one. */
const TICK = 1_000

interface Timed extends Connected {
  readonly clock: FakeClock
}

/** One connection whose credentials end so long after the epoch of its clock. */
async function connectUntil(t: TestContext, lifetime: number | undefined): Promise<Timed> {
  const clock = new FakeClock()
  const answer = lifetime === undefined ? undefined : clock.wall() + lifetime
  const route = { expiresAt: () => answer }
  const connected = await connectOne(t, { clock, options: { keepalive: false }, route })
  return { ...connected, clock }
}

interface Asked {
  readonly app: FastifyInstance
  readonly clock: FakeClock
  readonly port: number
  /** What happened, in order: the hooks, `expiresAt`, `handler`, `abort`, `release`. */
  readonly events: string[]
}

/** An app whose route `/feed` asks for the end of the credentials, and notes what comes when. */
async function ask(t: TestContext, expiresAt: ExpiresAt, setup: Setup = {}): Promise<Asked> {
  const clock = new FakeClock()
  const events: string[] = []
  const note = (name: string) => async () => void events.push(name)
  const app = await serve(t, {
    clock,
    ...setup,
    options: { keepalive: false, ...setup.options },
    routes: (app) => {
      setup.routes?.(app)
      app.get(
        '/feed',
        {
          websocket: true,
          onRequest: async (request) => {
            events.push('onRequest')
            request.wsScope?.signal.addEventListener('abort', () => events.push('abort'))
            request.wsScope?.defer(() => events.push('release'))
          },
          preValidation: note('preValidation'),
          preHandler: note('preHandler'),
          expiresAt: (request) => {
            events.push('expiresAt')
            return expiresAt(request)
          },
        },
        () => void events.push('handler'),
      )
    },
  })
  return { app, clock, port: portOf(app), events }
}

const HOOKS = ['onRequest', 'preValidation', 'preHandler']

/** That an upgrade was answered so, and that nothing of it is left. */
async function assertRefused(asked: Asked, status: number): Promise<Answer> {
  const peer = await RawPeer.dial(asked.port, '/feed')
  const answer = parseAnswer(await within(peer.answer(), 'an answer'))
  assert.equal(answer.status, status, answer.body)
  await within(peer.ended(), 'the end of the socket')
  await assertNothingLeft(asked)
  return answer
}

async function assertNothingLeft({ app, clock, events }: Asked): Promise<void> {
  await until(() => clock.pending === 0)
  await turns(20)
  assert.deepEqual(events, [...HOOKS, 'expiresAt', 'abort', 'release'])
  const { open, opened } = app.websocketLifecycle.stats()
  assert.deepEqual({ open, opened, pending: clock.pending }, { open: 0, opened: 0, pending: 0 })
}

describe('expiresAt', () => {
  for (const [what, from] of [
    ['a Date', (at: number) => new Date(at)],
    ['epoch milliseconds', (at: number) => at],
    ['a promise of either', async (at: number) => at],
  ] as const) {
    test(`ends the connection at the moment that it answers as ${what}, with 3000, as expected`, async (t) => {
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
    await turns(20)
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
    test(`that answers ${what} is refused with a 500 that names the route, and the handler does not run`, async (t) => {
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
    test(`that settles ${settles} when its peer has left: nothing is left of it, and no handler runs`, async (t) => {
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

describe('socket.expireAt()', () => {
  for (const [what, first, second] of [
    ['later', 2_000, 10_000],
    ['earlier', 20_000, 3_000],
    ['from never', undefined, 3_000],
  ] as const) {
    test(`moves the end of the credentials: ${what}`, async (t) => {
      const { clock, socket } = await connectUntil(t, first)
      await clock.advance(1_000)
      socket.expireAt(clock.wall() - 1_000 + second)
      assertBetween(1_000 + (await lasted(clock, socket)), second, second + TICK + 10)
      socket.terminate()
      assert.equal((await within(socket.closed, 'the end')).cause, 'auth-expired')
    })
  }

  test('can be called again and again, as after each renewal of a token, also in the handler', async (t) => {
    const clock = new FakeClock()
    const { socket } = await connectOne(t, {
      clock,
      options: { keepalive: false },
      handler: (socket) => socket.expireAt(new Date(clock.wall() + 1_500)),
    })
    for (let renewal = 0; renewal < 20; renewal++) {
      await clock.advance(1_000)
      assert.equal(socket.readyState, socket.OPEN)
      socket.expireAt(new Date(clock.wall() + 1_500))
    }
    assertBetween(await lasted(clock, socket), 1_500, 1_500 + TICK + 10)
  })

  test('with a moment in the past ends the connection at the next look', async (t) => {
    const { clock, socket } = await connectUntil(t, undefined)
    await clock.advance(1_000)
    socket.expireAt(clock.wall() - 1)
    assert.equal(socket.readyState, socket.OPEN, 'not in the middle of what its caller does')
    assertBetween(await lasted(clock, socket), 0, TICK)
  })

  test('with what is no moment throws, tells which route, and leaves the moment as it was', async (t) => {
    const { clock, socket } = await connectUntil(t, 5_000)
    for (const wrong of [
      1_700_000_000,
      new Date(1_700_000_000),
      Number.NaN,
      new Date('soon'),
      '2030-01-01',
      null,
      undefined,
      -1,
    ]) {
      assert.throws(() => socket.expireAt(wrong as number), {
        code: 'FST_ERR_WSL_INVALID_OPTION',
        message: /milliseconds since 1970.*`?socket\.expireAt\(\)`? of route \//,
      })
    }
    assertBetween(await lasted(clock, socket), 5_000, 5_000 + TICK + 10)
  })

  test('does nothing once the connection is ending, nor when it is over', async (t) => {
    const { clock, peer, socket, closes, events } = await connectUntil(t, 60_000)
    socket.close(4000, 'bye')
    socket.expireAt(clock.wall())
    await clock.advance(TICK)
    const frames = [await peer.next()]
    assert.equal(frames[0]?.payload.readUInt16BE(), 4000)
    peer.send(RawPeer.closeFrame(4000))
    const close = await within(socket.closed, 'the end')
    assert.deepEqual([close.cause, close.sent?.code], ['server-close', 4000])
    socket.expireAt(clock.wall())
    await clock.advance(5_000)
    assert.deepEqual(closes, [close])
    assert.deepEqual(events, ['abort', 'close', 'release'])
    assert.equal(clock.pending, 0)
  })
})
