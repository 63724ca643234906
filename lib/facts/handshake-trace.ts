import { runAs } from '../platform/traced.js'
import type { LifecycleTraces } from './events.js'
import { TRACES } from './events.js'
import type { Publisher } from './publisher.js'
import type { UpgradeSubject } from './subjects.js'

type Handshake = LifecycleTraces['handshake']
/** What has come of an upgrade. */
export type Outcome = Exclude<Handshake['outcome'], undefined>

const UNKNOWN = { route: undefined, outcome: undefined, statusCode: undefined }

/** Tells those who trace handshakes of one upgrade. Made only if there are some. */
export class HandshakeTrace {
  readonly #upgrade: UpgradeSubject
  readonly #call: { -readonly [Key in keyof Handshake]: Handshake[Key] }

  constructor(facts: Publisher, upgrade: UpgradeSubject) {
    this.#upgrade = upgrade
    this.#call = { ...facts.aboutUpgrade(upgrade), ...UNKNOWN }
  }

  /** Runs what gives the request to Fastify. */
  run(go: () => void): void {
    const { start, end } = TRACES.handshake
    start.runStores(this.#call, () => {
      try {
        runAs(this.#call, go)
      } finally {
        end.publish(this.#call)
      }
    })
  }

  /**
   * It is answered, or its client has gone. Only the first outcome counts.
   * @param statusCode that of the HTTP answer, if there is one and we know it
   */
  over(outcome: Outcome, statusCode: number | undefined): void {
    if (this.#call.outcome !== undefined) return
    this.#call.outcome = outcome
    this.#call.statusCode = statusCode
    this.#call.route = this.#upgrade.pattern
    TRACES.handshake.asyncStart.publish(this.#call)
    TRACES.handshake.asyncEnd.publish(this.#call)
  }
}
