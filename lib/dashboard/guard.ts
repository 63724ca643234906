import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { LOG_LINES } from '../facts/log-lines.js'
import { logSafely } from '../facts/log.js'
import { toError } from '../platform/thrown.js'
import type { WebsocketDashboardOptions } from './options.js'

/** Somebody who was let in, and the reply to their request. */
interface Known {
  readonly who: string
  readonly reply: FastifyReply
}

/** Who may look, and close connections. */
export class Guard {
  readonly #app: FastifyInstance
  readonly #authorize: WebsocketDashboardOptions['authorize']
  readonly #known = new WeakMap<FastifyRequest, Known>()

  constructor(app: FastifyInstance, authorize: WebsocketDashboardOptions['authorize']) {
    this.#app = app
    this.#authorize = authorize
  }

  /** Answers with 401, unless they may, or `authorize` has answered itself. */
  async refuseStrangers(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const answered = noteSend(reply)
    const who = await this.#ask(request, reply)
    if (who !== undefined) this.#known.set(request, { who, reply })
    else if (!answered() && !reply.sent) reply.code(401).send()
    // An answer may wait behind a hook of the app: until then the handler would be called.
    if (answered() && !reply.sent) await reply
  }

  /** @returns who has sent a request that was let in; `''`: somebody without a name */
  nameOf(request: FastifyRequest): string {
    return this.#knownFor(request).who
  }

  /**
   * Asks once more about a request that was let in.
   * @returns as {@link nameOf}; `undefined`: they may not any more
   */
  async askAgain(request: FastifyRequest): Promise<string | undefined> {
    return this.#ask(request, this.#knownFor(request).reply)
  }

  /** No other request comes to a handler. */
  #knownFor(request: FastifyRequest): Known {
    return this.#known.get(request) as Known
  }

  /** @returns who it is, `''` if that has no name; `undefined` if they may not */
  async #ask(request: FastifyRequest, reply: FastifyReply): Promise<string | undefined> {
    try {
      const answer: unknown = await this.#authorize(request, reply)
      if (answer === true) return ''
      return typeof answer === 'string' && answer !== '' ? answer : undefined
    } catch (error) {
      logSafely(this.#app.log, LOG_LINES.authorizeFailed, { err: toError(error) })
      return undefined
    }
  }
}

/** @returns a function that tells whether Fastify was asked to send something since */
function noteSend(reply: FastifyReply): () => boolean {
  const send = reply.send.bind(reply)
  let isAsked = false
  reply.send = (payload) => {
    isAsked = true
    return send(payload)
  }
  return () => isAsked
}
