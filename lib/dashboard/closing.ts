import type { FastifyInstance } from 'fastify'
import { isSendableCode, truncateReason } from '../core/close/codes.js'
import { LOG_LINES } from '../facts/log-lines.js'
import { logSafely } from '../facts/log.js'
import type { Guard } from './guard.js'
import type { ToServer } from './protocol.js'
import type { Viewer } from './viewer.js'

type Order = Extract<ToServer, { readonly type: 'close' }>

/** Closes a connection because an operator wants that, whom `authorize` is asked about again. */
export class Closing {
  readonly #app: FastifyInstance
  readonly #guard: Guard

  constructor(app: FastifyInstance, guard: Guard) {
    this.#app = app
    this.#guard = guard
  }

  /** @returns why it is not closed; `''`: it closes now; `undefined`: whoever looks may not do that any more */
  async close(
    { picture, request }: Viewer,
    { id, code, reason }: Order,
  ): Promise<string | undefined> {
    const by = await this.#guard.askAgain(request)
    if (by === undefined) return undefined
    if (!isSendableCode(code)) return 'no close frame may have this code'
    if (truncateReason(reason) !== reason) return 'a reason has at most 123 bytes of UTF-8'
    const who = picture.rows.get(id)
    if (who === undefined) return 'it has ended'
    const { websocketLifecycle: lifecycle, log } = this.#app
    const { route, state } = lifecycle.describe(who)
    if (state !== 'open' && state !== 'suspended') return 'it is ending already'
    who.close(code, reason)
    const remoteAddress = request.ip
    logSafely(log, LOG_LINES.closedByOperator, { id, route, code, reason, by, remoteAddress })
    return ''
  }
}
