import type { IncomingMessage } from 'node:http'
import type { FastifyBaseLogger } from 'fastify'
import type { WebsocketLifecycleOptions } from '../api/options.js'
import { LOG_LINES } from '../facts/log-lines.js'
import { logSafely } from '../facts/log.js'
import { kindOf } from '../options/complaints.js'
import { ignoreRejection } from '../platform/thenable.js'
import { toError } from '../platform/thrown.js'
import type { RouteTable } from '../routes/route-table.js'
import type { Verdict } from './server-upgrades.js'
import { giveOfferBack, takeOffer } from './take-offer.js'
import { asksForWebsocket } from './upgrade-header.js'

/** Decides who gets an upgrade. */
export class UpgradeJudge {
  readonly #routes: RouteTable
  readonly #ignore: WebsocketLifecycleOptions['ignoreUpgrade']
  readonly #log: FastifyBaseLogger
  /** Some versions of node ask before they tell of an upgrade. */
  readonly #verdicts = new WeakMap<IncomingMessage, Verdict>()

  constructor(
    routes: RouteTable,
    ignore: WebsocketLifecycleOptions['ignoreUpgrade'],
    log: FastifyBaseLogger,
  ) {
    this.#routes = routes
    this.#ignore = ignore
    this.#log = log
  }

  /** If nobody else listens, an upgrade to a path without a route is ours too, to refuse it. */
  judge(message: IncomingMessage, othersListen: boolean): Verdict {
    const known = this.#verdicts.get(message)
    if (known !== undefined) return known
    // No function of the app may see the token of a session, also none that decides whose the upgrade is.
    takeOffer(message)
    const verdict = this.#judge(message, othersListen)
    if (verdict !== 'ours') giveOfferBack(message)
    this.#verdicts.set(message, verdict)
    return verdict
  }

  #judge(message: IncomingMessage, othersListen: boolean): Verdict {
    const isForUs = asksForWebsocket(message) && !this.#isIgnored(message)
    if (!othersListen) return isForUs ? 'ours' : 'nobodys'
    return isForUs && this.#leadsToOurs(message) ? 'ours' : 'theirs'
  }

  #isIgnored(message: IncomingMessage): boolean {
    try {
      const isIgnored: unknown = this.#ignore?.(message) ?? false
      if (typeof isIgnored === 'boolean') return isIgnored
      ignoreRejection(isIgnored)
      throw new TypeError(
        `Expected \`ignoreUpgrade\` to return a boolean, got ${kindOf(isIgnored)}: it cannot be asynchronous`,
      )
    } catch (error) {
      // Then the path decides, as it does without `ignoreUpgrade`.
      logSafely(this.#log, LOG_LINES.ignoreUpgradeFailed, { err: toError(error) })
      return false
    }
  }

  #leadsToOurs(message: IncomingMessage): boolean {
    try {
      return this.#routes.leadsToOurs(message)
    } catch {
      // Fastify will get the same error, and answer with it. Other listeners might let it end the process.
      return true
    }
  }
}
