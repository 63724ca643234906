import type { WebsocketLifecycle } from '../api/lifecycle.js'
import type { Here } from './here.js'
import type { Mail } from './mail.js'

/** How many connections each node has. */
export class Counts {
  readonly #here: Here
  readonly #mail: Mail
  readonly #lifecycle: Pick<WebsocketLifecycle, 'stats'>

  constructor(here: Here, mail: Mail, lifecycle: Pick<WebsocketLifecycle, 'stats'>) {
    this.#here = here
    this.#mail = mail
    this.#lifecycle = lifecycle
    mail.serve(async ({ op }, reply) => {
      if (op === 'count') await reply({ open: lifecycle.stats().open }, true)
    })
  }

  /**
   * @returns by the names of all nodes that are alive; `undefined` for one that has not answered
   * @throws (rejects with) FST_ERR_WSL_CLUSTER_UNAVAILABLE
   */
  async countOpen(): Promise<ReadonlyMap<string, number | undefined>> {
    const round = await this.#mail.beginRound()
    const { id } = this.#here
    const counts = new Map<string, number | undefined>([[id, this.#lifecycle.stats().open]])
    const others = [...round.live].filter((node) => node !== id)
    for (const node of others) counts.set(node, undefined)
    await this.#mail.ask(others, { op: 'count' }, round, (node, { open }) => counts.set(node, open))
    return counts
  }
}
