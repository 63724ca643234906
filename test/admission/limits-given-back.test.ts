// However an upgrade ends before its 101: its place in each limit is given back, once.
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { within } from '../support/time/bound.js'
import { parseAnswer } from '../support/peers/client.js'
import { turns } from '../support/time/fake-clock.js'
import { never } from '../support/time/gate.js'
import {
  assertGivenBack,
  type Limited,
  type LimitedSetup,
  type Room,
  serveLimited,
} from '../support/servers/limited.js'
import type { RawPeer } from '../support/peers/raw-peer.js'
import { type Arrangement, isFaulty, STAGES, WaitingRoom } from '../support/models/stages.js'
import { until } from '../support/time/timed.js'

/** Whose place is held in a step, and in those after it. */
const HELD_FROM: Readonly<Record<string, Partial<Room>>> = {
  'a hook before the plugin': {},
  onRequest: { route: 1, server: 1 },
  verifyClient: { key: 1, route: 1, server: 1 },
}

describe('a place', () => {
  let held: Partial<Room> = {}
  for (const [stage, arrange] of Object.entries(STAGES)) {
    held = HELD_FROM[stage] ?? held
    const { key = 0, route = 0, server = 0 } = held
    const limits = Object.keys(held).join(' and ') || 'none'
    test(`is held in ${stage} in these limits: ${limits}`, async (t) => {
      const waiting = new WaitingRoom()
      const limited = await serveLimited(t, arrange(waiting))
      const peer = await limited.dial()
      await waiting.arrived()
      const { allRoom } = limited
      assert.deepEqual(await limited.room(), {
        key: allRoom.key - key,
        route: allRoom.route - route,
        server: allRoom.server - server,
      })
      waiting.open()
      assert.match(await peer.answer(), /^HTTP\/1\.1 101 /)
      peer.reset()
      await limited.gone()
      assert.deepEqual(await limited.room(), allRoom)
    })
  }
})

const LEAVES: Readonly<Record<string, (peer: RawPeer) => void>> = {
  'by a FIN': (peer) => peer.finish(),
  'by a reset': (peer) => peer.reset(),
}

/** What becomes of a step when it is too late for it. */
const AFTERWARDS: Readonly<Record<string, Error | undefined>> = {
  'goes on': undefined,
  fails: new Error('after all'),
}

describe('a place is given back once, if the peer leaves', () => {
  for (const [stage, arrange] of Object.entries(STAGES)) {
    for (const [how, go] of Object.entries(LEAVES)) {
      for (const [what, error] of Object.entries(AFTERWARDS)) {
        test(`${how} during ${stage}, which ${what}`, async (t) => {
          const waiting = new WaitingRoom()
          await assertGivenBack(t, arrange(waiting), async ({ dial, gone }) => {
            const peer = await dial()
            await waiting.arrived()
            go(peer)
            await gone()
            waiting.open(error)
          })
        })

        test(`${how} during ${stage}, which ${what} in the same moment`, async (t) => {
          const waiting = new WaitingRoom()
          await assertGivenBack(t, arrange(waiting), async ({ dial, gone }) => {
            const peer = await dial()
            await waiting.arrived()
            peer.socket.resume()
            go(peer)
            waiting.open(error)
            await within(peer.ended(), 'the end of the socket')
            await gone()
          })
        })
      }
    }
  }
})

async function assertTimesOut({ clock, gone }: Limited, peer: RawPeer): Promise<void> {
  await clock.advance(1_300)
  assert.match(await peer.answer(), /^HTTP\/1\.1 503 .*HANDSHAKE_TIMEOUT/s)
  await within(peer.ended(), 'the end of the socket')
  await gone()
}

describe('a place is given back once, if handshakeTimeout strikes', () => {
  for (const [stage, arrange] of Object.entries(STAGES)) {
    for (const [what, error] of Object.entries(AFTERWARDS)) {
      test(`in ${stage}, which ${what} too late`, async (t) => {
        const waiting = new WaitingRoom()
        const { options, ...others } = arrange(waiting)
        const setup = { ...others, options: { ...options, handshakeTimeout: 1_000 } }
        await assertGivenBack(t, setup, async (limited) => {
          const peer = await limited.dial()
          await waiting.arrived()
          await assertTimesOut(limited, peer)
          waiting.open(error)
        })
      })
    }
  }

  test('while an onSend hook of a refusal hangs', async (t) => {
    let hanging = 0
    const setup: LimitedSetup = {
      before: (app) =>
        app.addHook('onSend', async (request) => {
          if (!isFaulty(request)) return undefined
          hanging++
          return never
        }),
      route: {
        preHandler: async (request: FastifyRequest) => {
          if (isFaulty(request)) throw new Error('no')
        },
      },
      options: { handshakeTimeout: 1_000 },
    }
    await assertGivenBack(t, setup, async (limited) => {
      const before = hanging
      const peer = await limited.dial()
      await until(() => hanging > before)
      await assertTimesOut(limited, peer)
    })
  })
})

type Manner = (
  request: FastifyRequest,
  reply: FastifyReply,
  done: (error?: Error) => void,
) => unknown

/** How a hook keeps somebody out, and the status that comes of it; 0: none. */
const ASYNC_MANNERS: Readonly<Record<string, readonly [status: number, manner: Manner]>> = {
  'answers and returns the reply': [401, async (_, reply) => reply.code(401).send('who?')],
  'answers after a while': [
    401,
    async (_, reply) => {
      await turns(2)
      return reply.code(401).send('who?')
    },
  ],
  'answers with a stream': [
    401,
    async (_, reply) => reply.code(401).send(Readable.from(['who', '?'])),
  ],
  'answers, and then throws': [
    401,
    async (_, reply) => {
      void reply.code(401).send('who?')
      throw new Error('and no')
    },
  ],
  redirects: [302, async (_, reply) => reply.redirect('/login')],
  'hands it to the handler of 404s': [
    404,
    async (_, reply) => {
      reply.callNotFound()
      return reply
    },
  ],
  throws: [500, async () => Promise.reject(new Error('no'))],
  'throws nothing': [500, async () => Promise.reject()],
  'throws after a while': [
    403,
    async () => {
      await turns(2)
      throw Object.assign(new Error('no'), { statusCode: 403 })
    },
  ],
  'calls refuseWebsocket()': [101, async (_, reply) => reply.refuseWebsocket(3000, 'who?')],
  'calls refuseWebsocket() after a while': [
    101,
    async (_, reply) => {
      await turns(2)
      reply.refuseWebsocket()
    },
  ],
  'calls refuseWebsocket(), and then throws': [
    101,
    async (_, reply) => {
      reply.refuseWebsocket()
      throw new Error('and no')
    },
  ],
  'calls refuseWebsocket() twice': [
    101,
    async (_, reply) => reply.refuseWebsocket().refuseWebsocket(),
  ],
  'hijacks the reply and writes its own': [
    401,
    async ({ raw }, reply) => {
      reply.hijack()
      raw.socket.end('HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n')
    },
  ],
  'destroys the socket, and goes on': [0, async ({ raw }) => void raw.socket.destroy()],
  'resets the socket, and goes on': [0, async ({ raw }) => void raw.socket.resetAndDestroy()],
}

const CALLBACK_MANNERS: typeof ASYNC_MANNERS = {
  'answers, and does not call back': [401, (_, reply) => void reply.code(401).send('who?')],
  'answers, and calls back': [
    401,
    (_, reply, done) => {
      void reply.code(401).send('who?')
      done()
    },
  ],
  'answers after a while': [
    401,
    (_, reply) => {
      setImmediate(() => void reply.code(401).send('who?'))
    },
  ],
  throws: [
    500,
    () => {
      throw new Error('no')
    },
  ],
  'calls back with an error': [500, (_request, _reply, done) => done(new Error('no'))],
  'calls back with an error after a while': [
    500,
    (_request, _reply, done) => {
      setImmediate(() => done(new Error('no')))
    },
  ],
  'calls refuseWebsocket(), and does not call back': [
    101,
    (_, reply) => void reply.refuseWebsocket(3003),
  ],
  'calls refuseWebsocket(), and calls back': [
    101,
    (_, reply, done) => {
      reply.refuseWebsocket()
      done()
    },
  ],
  'calls refuseWebsocket() after a while': [
    101,
    (_, reply) => {
      setImmediate(() => reply.refuseWebsocket())
    },
  ],
}

/** The hook of that name, in which the faulty are kept out. */
function hookOf(name: string, manner: Manner, isAsync: boolean): Arrangement {
  const async = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> =>
    isFaulty(request) ? manner(request, reply, () => {}) : undefined
  const callback = (request: FastifyRequest, reply: FastifyReply, ...rest: unknown[]): void => {
    const done = rest.at(-1) as (error?: Error) => void
    if (isFaulty(request)) manner(request, reply, done)
    else done()
  }
  // Fastify counts the parameters.
  const preParsing = (
    request: FastifyRequest,
    reply: FastifyReply,
    payload: unknown,
    done: unknown,
  ): void => callback(request, reply, payload, done)
  const others = (request: FastifyRequest, reply: FastifyReply, done: unknown): void =>
    callback(request, reply, done)
  const hook = isAsync ? async : name === 'preParsing' ? preParsing : others
  return { route: { [name]: hook } }
}

/** For the hooks between the first and the last. */
const SOME = /^(answers|throws|calls refuseWebsocket\(\))(,| and|$)/

for (const hook of ['onRequest', 'preParsing', 'preValidation', 'preHandler']) {
  const isBetween = hook === 'preParsing' || hook === 'preValidation'
  describe(`a place is given back once, if ${hook}`, () => {
    for (const [style, manners] of [
      ['async', ASYNC_MANNERS],
      ['with a callback', CALLBACK_MANNERS],
    ] as const) {
      for (const [what, [status, manner]] of Object.entries(manners)) {
        if (isBetween && !SOME.test(what)) continue
        test(`${style} ${what}`, async (t) => {
          const setup = hookOf(hook, manner, style === 'async')
          await assertGivenBack(t, setup, async ({ dial, gone }) => {
            const peer = await dial()
            if (status > 0) {
              assert.equal(parseAnswer(await within(peer.answer(), 'an answer')).status, status)
            }
            if (status === 101) peer.finish()
            await within(peer.ended(), 'the end of the socket')
            await gone()
          })
        })
      }
    }
  })
}
