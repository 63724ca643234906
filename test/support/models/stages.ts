// The steps of an upgrade that may have to wait for something, and how a test makes one wait.
import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  onRequestAsyncHookHandler,
  preHandlerAsyncHookHandler,
  preHandlerHookHandler,
} from 'fastify'
import type { RouteLifecycleOptions, WebsocketLifecycleOptions } from '../../../lib/index.js'
import { type Gate, gate } from '../time/gate.js'
import { until } from '../time/timed.js'

/** Who is to have trouble; everybody else passes. */
export const FAULTY = { 'x-fault': 'yes', origin: 'https://faulty.example' } as const

export function isFaulty(request: object | undefined): boolean {
  const { headers = {} } = (request ?? {}) as { readonly headers?: object }
  return Reflect.get(headers, 'x-fault') === 'yes'
}

/** Where the faulty wait until a test lets them go on, or fail. */
export class WaitingRoom {
  readonly #waiting: Gate[] = []
  #arrived = 0
  #seen = 0
  #error: Error | undefined

  /** Waits, if it is faulty. */
  readonly pass = async (request: object | undefined): Promise<void> => {
    if (!isFaulty(request)) return
    const door = gate()
    this.#waiting.push(door)
    this.#arrived++
    await door.opened
    if (this.#error !== undefined) throw this.#error
  }

  /** How many wait. */
  get count(): number {
    return this.#waiting.length
  }

  /** Resolves when one more has arrived. */
  async arrived(): Promise<void> {
    this.#seen++
    await until(() => this.#arrived >= this.#seen)
  }

  /** Whoever waits goes on, or fails. */
  open(error?: Error): void {
    this.#error = error
    for (const door of this.#waiting.splice(0)) door.open()
  }
}

/** Hooks of a route, which Fastify takes beside our options. */
export interface RouteHooks {
  readonly onRequest?: onRequestAsyncHookHandler
  readonly preParsing?: (request: FastifyRequest) => Promise<undefined>
  readonly preValidation?: preHandlerAsyncHookHandler
  readonly preHandler?: preHandlerAsyncHookHandler | preHandlerHookHandler
  readonly schema?: { readonly message: unknown }
  readonly validatorCompiler?: () => () => boolean
}

/** What makes something happen to the faulty. */
export interface Arrangement {
  readonly options?: WebsocketLifecycleOptions
  readonly route?: RouteLifecycleOptions & RouteHooks
  readonly before?: (app: FastifyInstance) => unknown
}

async function callBack(waiting: Promise<void>, done: (error?: Error) => void): Promise<void> {
  try {
    await waiting
  } catch (error) {
    done(error as Error)
    return
  }
  done()
}

/** Each step that may wait, in their order, with a room in which the faulty do. */
export const STAGES: Readonly<Record<string, (room: WaitingRoom) => Arrangement>> = {
  'a hook before the plugin': ({ pass }) => ({
    before: (app) => app.addHook('onRequest', async (request) => pass(request)),
  }),
  allowedOrigins: ({ pass }) => ({
    options: {
      allowedOrigins: async (_origin, request) => {
        await pass(request)
        return true
      },
    },
  }),
  onRequest: ({ pass }) => ({ route: { onRequest: async (request) => pass(request) } }),
  preParsing: ({ pass }) => ({
    route: {
      preParsing: async (request) => {
        await pass(request)
        return undefined
      },
    },
  }),
  preValidation: ({ pass }) => ({ route: { preValidation: async (request) => pass(request) } }),
  preHandler: ({ pass }) => ({
    route: { preHandler: async (request: FastifyRequest) => pass(request) },
  }),
  'a preHandler with a callback': ({ pass }) => ({
    route: {
      preHandler: (request: FastifyRequest, _reply: FastifyReply, done) => {
        void callBack(pass(request), (error) => done(error))
      },
    },
  }),
  expiresAt: ({ pass }) => ({
    route: {
      expiresAt: async (request) => {
        await pass(request)
        return undefined
      },
    },
  }),
  verifyClient: ({ pass }) => ({
    options: {
      websocket: {
        verifyClient: ({ req }, done) => {
          void callBack(pass(req), (error) => done(error === undefined, 401))
        },
      },
    },
  }),
}
