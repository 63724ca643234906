// However a handshake fails, and however a connection ends: its place in each limit is given back, once.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FastifyRequest } from 'fastify'
import type { CloseCause, LifecycleSocket, RouteLifecycleOptions } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { parseAnswer } from '../support/peers/client.js'
import { turns } from '../support/time/fake-clock.js'
import { never } from '../support/time/gate.js'
import {
  assertGivenBack,
  type Limited,
  type LimitedSetup,
  serveLimited,
} from '../support/servers/limited.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { FAULTY, isFaulty } from '../support/models/stages.js'
import { until } from '../support/time/timed.js'

interface Failure extends LimitedSetup {
  readonly status: number
  readonly headers?: Record<string, string>
}

/** What goes wrong after the hooks and before the 101, or right with it. */
const FAILURES: Readonly<Record<string, Failure>> = {
  'has a version that nobody speaks': { status: 400, headers: { 'sec-websocket-version': '99' } },
  'has a key that is none': { status: 400, headers: { 'sec-websocket-key': 'garbage' } },
  'has an empty key': { status: 400, headers: { 'sec-websocket-key': '' } },
  'has subprotocols that cannot be parsed': {
    status: 400,
    headers: { 'sec-websocket-protocol': ',,,' },
  },
  'is refused by verifyClient': {
    status: 401,
    options: { websocket: { verifyClient: ({ req }: { req: object }) => !isFaulty(req) } },
  },
  'is refused by a verifyClient with a callback': {
    status: 418,
    options: {
      websocket: {
        verifyClient: ({ req }, done) => {
          setImmediate(() => done(!isFaulty(req), 418))
        },
      },
    },
  },
  'makes verifyClient throw': {
    status: 0,
    options: {
      websocket: {
        verifyClient: ({ req }: { req: object }) => {
          if (isFaulty(req)) throw new Error('no')
          return true
        },
      },
    },
  },
  'makes handleProtocols throw': {
    status: 0,
    headers: { 'sec-websocket-protocol': 'chat' },
    options: {
      websocket: {
        handleProtocols: () => {
          throw new Error('no')
        },
      },
    },
  },
  "makes a listener of ws's 'headers' throw": {
    status: 0,
    before: (app) =>
      app.addHook('onReady', async () => {
        app.websocketServer.on('headers', (_headers, request) => {
          if (isFaulty(request)) throw new Error('no')
        })
      }),
  },
  "makes a listener of ws's 'connection' throw, after the 101": {
    status: 101,
    before: (app) =>
      app.addHook('onReady', async () => {
        app.websocketServer.on('connection', (_socket, request) => {
          if (isFaulty(request)) throw new Error('no')
        })
      }),
  },
  'makes the key throw': { status: 500, headers: { 'x-key': 'throws' } },
  'makes the key something else but a string': { status: 500, headers: { 'x-key': 'wrong' } },
  'has credentials that have expired': {
    status: 401,
    route: { expiresAt: (request) => (isFaulty(request) ? new Date('2001-01-01') : undefined) },
  },
  'has credentials that expire in seconds': {
    status: 500,
    route: { expiresAt: (request) => (isFaulty(request) ? 1_700_000_000 : undefined) },
  },
  'makes expiresAt throw': {
    status: 403,
    route: {
      expiresAt: (request) => {
        if (isFaulty(request)) throw Object.assign(new Error('no'), { statusCode: 403 })
        return undefined
      },
    },
  },
  'makes expiresAt reject after a while': {
    status: 500,
    route: {
      expiresAt: async (request) => {
        await turns(2)
        return isFaulty(request) ? Promise.reject(new Error('no')) : undefined
      },
    },
  },
}

describe('a place is given back once, if a handshake', () => {
  for (const [what, { status, headers, ...setup }] of Object.entries(FAILURES)) {
    test(what, async (t) => {
      await assertGivenBack(t, setup, async ({ dial, gone }) => {
        const peer = await dial(headers)
        if (status > 0) {
          assert.equal(parseAnswer(await within(peer.answer(), 'an answer')).status, status)
        }
        // What has opened gets a close frame, and answers it.
        if (status === 101) peer.send(RawPeer.closeFrame(1000))
        else peer.socket.resume()
        await within(peer.ended(), 'the end of the socket')
        await gone()
      })
    })
  }

  test('meets a schema of messages that does not compile', async (t) => {
    let isBroken = true
    const validatorCompiler = () => {
      if (isBroken) throw new Error('no')
      return () => true
    }
    const { dial, gone, room, allRoom } = await serveLimited(t, {
      isAlone: true,
      route: { schema: { message: {} }, validatorCompiler },
    })
    for (let time = 0; time < 2; time++) {
      assert.equal(parseAnswer(await (await dial()).answer()).status, 500)
      await gone()
    }
    isBroken = false
    assert.deepEqual(await room(), allRoom)
  })

  test('never settles in verifyClient, and handshakeTimeout strikes', async (t) => {
    let asked = 0
    const setup: LimitedSetup = {
      options: {
        handshakeTimeout: 1_000,
        websocket: {
          verifyClient: ({ req }, done) => {
            if (isFaulty(req)) asked++
            else done(true)
          },
        },
      },
    }
    await assertGivenBack(t, setup, async ({ clock, dial, gone }) => {
      const before = asked
      const peer = await dial()
      await until(() => asked > before)
      await clock.advance(1_300)
      assert.equal(parseAnswer(await peer.answer()).status, 503)
      await gone()
    })
  })

  for (const path of ['/', '/other']) {
    test(`through injectWS at ${path} opens, and ends`, async (t) => {
      await assertGivenBack(t, {}, async ({ app, gone }) => {
        const client = await app.injectWS(path)
        client.terminate()
        await gone()
      })
    })
  }

  test('through injectWS is refused by a hook', async (t) => {
    const setup: LimitedSetup = {
      route: {
        onRequest: async (request) => {
          if (isFaulty(request)) throw new Error('no')
        },
      },
    }
    await assertGivenBack(t, setup, async ({ app, gone }) => {
      await assert.rejects(async () => app.injectWS('/', { headers: FAULTY }), /: 500/)
      await gone()
    })
  })
})

type Connected = Limited & { readonly peer: RawPeer; readonly socket: LifecycleSocket }

interface End extends LimitedSetup {
  /** What the faulty does in its handler. */
  readonly handles?: (socket: LifecycleSocket, request: FastifyRequest) => unknown
  /** What happens once it is open. */
  readonly then?: (connected: Connected) => unknown
  /** What comes of it. */
  readonly cause: CloseCause
}

const text = (payload: string): Buffer => RawPeer.frame(OPCODE.text, payload)

/** Ends of a connection; in each the peer answers our close frame, if it can. */
const ENDS: Readonly<Record<string, End>> = {
  'by a close frame': {
    then: ({ peer }) => peer.send(RawPeer.closeFrame(1000)),
    cause: 'client-close',
  },
  'by a FIN': { then: ({ peer }) => peer.finish(), cause: 'connection-lost' },
  'by a reset': { then: ({ peer }) => peer.reset(), cause: 'connection-reset' },
  'by a close frame and a FIN at once, and terminate() after all': {
    then: ({ peer, socket }) => {
      socket.once('close', () => socket.terminate())
      peer.send(RawPeer.closeFrame(1000))
      peer.finish()
    },
    cause: 'client-close',
  },
  'by our close()': { then: ({ socket }) => socket.close(4000), cause: 'server-close' },
  'by our close(), which the peer does not answer': {
    options: { closeTimeout: 500 },
    then: async ({ clock, peer, socket }) => {
      peer.freeze()
      socket.close(4000)
      await clock.advance(1_000)
    },
    cause: 'server-close',
  },
  'by our terminate()': { then: ({ socket }) => socket.terminate(), cause: 'server-terminate' },
  'by our close() and terminate() at once': {
    then: ({ socket }) => {
      socket.close(4000)
      socket.terminate()
      socket.terminate()
    },
    cause: 'server-close',
  },
  'by the app, which destroys the raw socket': {
    then: ({ socket }) => void socket.request.raw.socket.destroy(),
    cause: 'connection-lost',
  },
  'by a handler that throws': {
    handles: () => {
      throw new Error('no')
    },
    cause: 'handler-error',
  },
  'by a handler that rejects': {
    handles: async () => {
      await turns(1)
      throw new Error('no')
    },
    cause: 'handler-error',
  },
  'by a handler that closes': { handles: (socket) => socket.close(4000), cause: 'server-close' },
  'by a handler that terminates': {
    handles: (socket) => socket.terminate(),
    cause: 'server-terminate',
  },
  'by an onMessage that throws': {
    route: {
      onMessage: () => {
        throw new Error('no')
      },
    },
    then: ({ peer }) => peer.send(text('hello')),
    cause: 'handler-error',
  },
  'by bytes that are no frame': {
    then: ({ peer }) => peer.send(Buffer.from('hello, here I am')),
    cause: 'protocol-error',
  },
  'by a message that is too big': {
    options: { websocket: { maxPayload: 10 } },
    then: ({ peer }) => peer.send(text('much too big a message')),
    cause: 'message-too-big',
  },
  'by too many messages': {
    route: { messageRate: { max: 1, window: 1_000 } },
    then: ({ peer }) => peer.send(text('one'), text('two')),
    cause: 'rate-limited',
  },
  'by credentials that expire': {
    then: async ({ clock, socket }) => {
      socket.expireAt(clock.wall() + 1_000)
      await clock.advance(2_500)
    },
    cause: 'auth-expired',
  },
  'by silence': {
    isAlone: true,
    route: { idleTimeout: 1_000 },
    then: ({ clock }) => clock.advance(1_500),
    cause: 'idle-timeout',
  },
  'by old age': {
    isAlone: true,
    route: { maxLifetime: 1_000 },
    then: ({ clock }) => clock.advance(1_500),
    cause: 'lifetime-expired',
  },
  'by keepalive, which finds it dead': {
    isAlone: true,
    route: { keepalive: { interval: 1_000, timeout: 1_000 } },
    then: ({ clock, peer }) => {
      peer.freeze()
      return clock.advance(3_500)
    },
    cause: 'heartbeat-timeout',
  },
  'by an outbox that is full': {
    route: { outbox: { maxBytes: 1, highWaterMark: 1, maxAge: 1_000 } },
    options: { closeTimeout: 500 },
    then: async ({ clock, peer, socket }) => {
      peer.freeze()
      const chunk = Buffer.alloc(1024 * 1024)
      for (let i = 0; i < 64 && socket.readyState === socket.OPEN; i++) {
        socket.send(chunk)
        await turns(1)
      }
      await clock.advance(10_000)
    },
    cause: 'slow-consumer',
  },
}

describe('a place is given back once, if a connection ends', () => {
  for (const [how, { handles, then, cause, ...setup }] of Object.entries(ENDS)) {
    test(how, async (t) => {
      const sockets: LifecycleSocket[] = []
      const handler = (socket: LifecycleSocket, request: FastifyRequest): unknown => {
        if (!isFaulty(request)) return undefined
        sockets.push(socket)
        return handles?.(socket, request)
      }
      await assertGivenBack(t, { ...setup, handler }, async (limited) => {
        const peer = await limited.open()
        await until(() => sockets.length > 0)
        const socket = sockets.pop() as LifecycleSocket
        void answerClose(peer)
        await then?.({ ...limited, peer, socket })
        assert.equal((await within(socket.closed, 'the end')).cause, cause)
        await limited.gone()
      })
    })
  }

  for (const [what, hooks] of Object.entries<RouteLifecycleOptions>({
    'an onClose that throws': {
      onClose: () => {
        throw new Error('no')
      },
    },
    'an onClose that never settles': { onClose: () => never },
    'an onUnexpectedClose that never settles': { onUnexpectedClose: () => never },
  })) {
    test(`with ${what}`, async (t) => {
      const setup = { route: hooks, options: { cleanupTimeout: 500 }, isAlone: true }
      const limited = await serveLimited(t, setup)
      const { app, clock, open, room, allRoom } = limited
      for (let time = 0; time < 2; time++) (await open()).reset()
      const { connections } = app.websocketLifecycle
      await until(() => [...connections].every(({ readyState }) => readyState === 3))
      const rooms = room()
      while (connections.size > 0) await clock.advance(100)
      assert.deepEqual(await rooms, allRoom)
    })
  }
})

/** Echoes the close frame, if one comes. */
async function answerClose(peer: RawPeer): Promise<void> {
  const frame = await peer.nextOf(OPCODE.close)
  if (frame !== undefined) peer.send(RawPeer.closeFrame(1000))
}
