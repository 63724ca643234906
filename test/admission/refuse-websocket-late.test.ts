// reply.refuseWebsocket() where something else answers already: an error, and one proper answer.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { turns } from '../support/time/fake-clock.js'
import { isFastifySince } from '../support/servers/fastify-version.js'
import { refused } from '../support/servers/refused.js'
import { portOf, serve } from '../support/servers/server.js'
import { assertAnswered, assertClosedAtOnce, Stranger } from '../support/peers/stranger.js'

type Act = (reply: FastifyReply) => unknown
type Payload = string | object | undefined

interface Case {
  readonly hooks: (app: FastifyInstance, refuse: Act) => void
  /** What the peer gets where the hook that is too late catches the error, and where it does not. */
  readonly caught: number
  readonly thrown: number
}

const answer401 = async (_request: unknown, reply: FastifyReply): Promise<FastifyReply> =>
  reply.code(401).send({ error: 'who?' })
/** A hook that has a payload to hand on. */
const refusing =
  (refuse: Act) =>
  async (_request: unknown, reply: FastifyReply, payload: Payload): Promise<Payload> => {
    refuse(reply)
    return payload
  }
const fail = async (): Promise<void> => {
  throw Object.assign(new Error('not for you'), { statusCode: 403 })
}

/** Where it is too late: an answer is under way. */
const LATE: Readonly<Record<string, Case>> = {
  'in preSerialization': {
    hooks: (app, refuse) => {
      app.addHook('onRequest', answer401)
      app.addHook('preSerialization', refusing(refuse))
    },
    caught: 401,
    thrown: 500,
  },
  'in onSend': {
    hooks: (app, refuse) => {
      app.addHook('onRequest', answer401)
      app.addHook('onSend', refusing(refuse))
    },
    caught: 401,
    thrown: 500,
  },
  'in onSend of an error': {
    hooks: (app, refuse) => {
      app.addHook('onRequest', fail)
      app.addHook('onSend', refusing(refuse))
    },
    caught: 403,
    // The status of the first error stands.
    thrown: 403,
  },
  'in onSend, which waited': {
    hooks: (app, refuse) => {
      app.addHook('onRequest', answer401)
      app.addHook('onSend', async (_request, reply, payload: Payload) => {
        await turns(2)
        refuse(reply)
        return payload
      })
    },
    caught: 401,
    thrown: 500,
  },
  'in onSend by a callback': {
    hooks: (app, refuse) => {
      app.addHook('onRequest', answer401)
      app.addHook('onSend', (_request, reply, payload: Payload, done) => {
        refuse(reply)
        done(null, payload)
      })
    },
    caught: 401,
    thrown: 500,
  },
  'in onResponse': {
    hooks: (app, refuse) => {
      app.addHook('onRequest', answer401)
      app.addHook('onResponse', async (_request, reply) => void refuse(reply))
    },
    caught: 401,
    thrown: 401,
  },
  'after reply.send()': {
    hooks: (app, refuse) => {
      app.addHook('onRequest', async (_request, reply) => {
        void reply.code(401).send('who?')
        refuse(reply)
        return reply
      })
    },
    caught: 401,
    thrown: 401,
  },
  'after reply.send(), with a callback': {
    hooks: (app, refuse) => {
      app.addHook('preParsing', (_request, reply, _payload, _done) => {
        void reply.code(401).send('who?')
        refuse(reply)
      })
    },
    caught: 401,
    thrown: 401,
  },
  'after reply.send(), and a slow onSend': {
    hooks: (app, refuse) => {
      app.addHook('preValidation', async (_request, reply) => {
        void reply.code(401).send('who?')
        refuse(reply)
        return reply
      })
      app.addHook('onSend', async (_request, _reply, payload: Payload) => {
        await turns(2)
        return payload
      })
    },
    caught: 401,
    // Fastify itself answers the error of the hook first, and then cannot send the other any more.
    thrown: 500,
  },
  'after reply.redirect()': {
    hooks: (app, refuse) => {
      app.addHook('preHandler', async (_request, reply) => {
        void reply.redirect('https://example.org/')
        refuse(reply)
        return reply
      })
    },
    caught: 302,
    thrown: 302,
  },
  'after reply.raw.end()': {
    hooks: (app, refuse) => {
      app.addHook('preHandler', async (_request, reply) => {
        reply.raw.statusCode = 402
        reply.raw.end('pay first')
        refuse(reply)
      })
    },
    caught: 402,
    thrown: 402,
  },
  'after the callback got an error': {
    hooks: (app, refuse) => {
      app.addHook('onRequest', (_request, reply, done) => {
        done(Object.assign(new Error('not for you'), { statusCode: 403 }))
        refuse(reply)
      })
    },
    caught: 403,
    thrown: 403,
  },
}

/** Where it is not: something has failed, and what the answer to that is has not been decided. */
const IN_TIME: Readonly<Record<string, Pick<Case, 'hooks'>>> = {
  'an onError hook': {
    hooks: (app, refuse) => {
      app.addHook('onRequest', fail)
      app.addHook('onError', async (_request, reply) => void refuse(reply))
    },
  },
  'an error handler': {
    hooks: (app, refuse) => {
      app.addHook('onRequest', fail)
      app.setErrorHandler((_error, _request, reply) => {
        refuse(reply)
        void reply.code(418).send('handled')
      })
    },
  },
  'an async error handler': {
    hooks: (app, refuse) => {
      app.addHook('preHandler', fail)
      app.setErrorHandler(async (_error, _request, reply) => {
        await turns(2)
        refuse(reply)
        return reply
      })
    },
  },
  'an error handler that then throws': {
    hooks: (app, refuse) => {
      app.addHook('preHandler', fail)
      app.setErrorHandler((error, _request, reply) => {
        refuse(reply)
        throw error
      })
    },
  },
}

interface Served {
  readonly app: FastifyInstance
  readonly port: number
  readonly events: string[]
  /** What the refusals threw. */
  readonly thrown: Array<Error & { code?: string; statusCode?: number }>
}

interface How {
  /** Whether the hooks are added before the plugin. */
  readonly isEarly?: boolean
  /** Whether the hook catches what the refusal throws. */
  readonly isCaught?: boolean
}

async function serveLate(
  t: TestContext,
  { hooks }: Pick<Case, 'hooks'>,
  { isEarly = false, isCaught = true }: How = {},
): Promise<Served> {
  const events: string[] = []
  const thrown: Served['thrown'] = []
  const refuse = (reply: FastifyReply): void => {
    try {
      reply.refuseWebsocket(4001)
    } catch (error) {
      thrown.push(error as Error)
      if (!isCaught) throw error
    }
  }
  const app = await serve(t, {
    ...(isEarly && { before: (app) => hooks(app, refuse) }),
    routes: (app) => {
      if (!isEarly) hooks(app, refuse)
      app.get('/ws', { websocket: true, onClose: () => events.push('onClose') }, () => {
        events.push('handler')
      })
    },
  })
  return { app, port: portOf(app), events, thrown }
}

function assertNothingRan({ app, events }: Served, hook: number): void {
  assert.deepEqual(events, [])
  const stats = app.websocketLifecycle.stats()
  assert.deepEqual(stats.refused, refused({ hook }))
  assert.equal(stats.opened, 0)
}

/**
 * Before 5.11 Fastify lets an error end the process that it meets behind an async onSend hook: here it cannot answer a
 * second time for what the hook has thrown.
 */
function isFatal(where: string, isCaught: boolean): boolean {
  return where.includes('slow onSend') && !isCaught && !isFastifySince('5.11.0')
}

describe('a refusal that comes too late', () => {
  for (const [where, row] of Object.entries(LATE)) {
    for (const isCaught of [true, false]) {
      if (isFatal(where, isCaught)) continue
      const what = isCaught ? 'can be caught' : 'throws'
      test(`${where} ${what}; the peer gets one HTTP answer`, async (t) => {
        const served = await serveLate(t, row, { isCaught })
        const stranger = await Stranger.dial(served.port, '/ws')
        await assertAnswered(stranger, isCaught ? row.caught : row.thrown)
        const [error] = served.thrown
        assert.equal(error?.code, 'FST_ERR_WSL_TOO_LATE_TO_REFUSE')
        assert.equal(error.statusCode, 500)
        assert.match(error.message, /GET \/ws /)
        assertNothingRan(served, 0)
      })
    }
  }
})

describe('a refusal where something has failed', () => {
  for (const [where, row] of Object.entries(IN_TIME)) {
    test(`by ${where} is what the peer gets, and all that it gets`, async (t) => {
      const served = await serveLate(t, row)
      await assertClosedAtOnce(await Stranger.dial(served.port, '/ws'), 4001)
      assert.deepEqual(served.thrown, [])
      assertNothingRan(served, 1)
    })
  }
})

describe('a refusal where hooks that were added before the plugin have begun to answer', () => {
  for (const [where, row] of Object.entries({ ...LATE, ...IN_TIME })) {
    for (const isCaught of [true, false]) {
      // It keeps ours from ending the socket of what it has answered: the deadline does.
      if (where === 'in onResponse' && !isCaught) continue
      if (isFatal(where, isCaught)) continue
      const what = isCaught ? 'caught' : 'thrown on'
      test(`(${where}, ${what}) fails or reaches the peer, never both`, async (t) => {
        const served = await serveLate(t, row, { isEarly: true, isCaught })
        const stranger = await Stranger.dial(served.port, '/ws')
        const head = await stranger.head()
        if (served.thrown.length === 0) await assertClosedAtOnce(stranger, 4001)
        else await assertAnswered(stranger, Number(head.split(' ')[1]))
        const isRefused = head.startsWith('HTTP/1.1 101 ')
        assert.equal(isRefused, served.thrown.length === 0)
        assertNothingRan(served, isRefused ? 1 : 0)
      })
    }
  }
})

describe('a reply.send() that a hook before the plugin has put in the place of its own', () => {
  for (const url of ['/ws', '/nowhere']) {
    test(`is what an answer goes through, on an upgrade to ${url} as on a plain request`, async (t) => {
      const sent: unknown[] = []
      const audit = async (_request: FastifyRequest, reply: FastifyReply): Promise<void> => {
        const send = reply.send.bind(reply)
        reply.send = (payload?: unknown) => {
          sent.push(payload)
          return send(payload)
        }
      }
      const app = await serve(t, {
        before: (app) => app.addHook('onRequest', audit),
        routes: (app) => {
          app.addHook('onRequest', async (_request, reply) => reply.code(401).send('who?'))
          app.get('/ws', { websocket: true }, () => {})
        },
      })
      assert.equal((await app.inject(url)).body, 'who?')
      assert.deepEqual(sent, ['who?'])
      await assertAnswered(await Stranger.dial(portOf(app), url), 401, /^who\?$/)
      assert.deepEqual(sent, ['who?', 'who?'])
    })
  }
})
