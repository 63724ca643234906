import type { Link } from '@opentelemetry/api'
import type { LifecycleSession } from '../api/session.js'
import type { LifecycleSocket } from '../api/socket.js'
import type { Listening } from '../facts/listening.js'
import { peek } from '../platform/thrown.js'
import type { UpgradeSpans } from './upgrade-spans.js'

interface Known {
  readonly connection: LifecycleSocket | LifecycleSession
  /** To the span of its upgrade. Of a session: of the one that has brought its client back. */
  link: Link | undefined
}

/** The connections and sessions that are not released, each with links to its upgrade. */
export class Connections {
  readonly #known = new Map<string, Known>()
  readonly #upgrades: UpgradeSpans

  constructor(upgrades: UpgradeSpans) {
    this.#upgrades = upgrades
  }

  listen(listening: Listening): void {
    listening.onEvent('connection.opened', ({ id, connection, request }) => {
      this.#known.set(id, { connection, link: this.#upgrades.opened(request, id) })
    })
    listening.onEvent('session.resumed', ({ id, request }) => {
      const known = this.#known.get(id)
      if (known !== undefined) known.link = this.#upgrades.opened(request, id)
    })
    listening.onEvent('connection.released', ({ id }) => void this.#known.delete(id))
  }

  /** A list, as spans take it. Empty for an upgrade that has not opened. */
  linksOf(id: string): Link[] {
    const link = this.#known.get(id)?.link
    return link === undefined ? [] : [link]
  }

  /** Whether an error says only that the signal of the connection has aborted: that is no failure. */
  isAbort(id: string, error: unknown): boolean {
    const signal = this.#known.get(id)?.connection.scope.signal
    if (signal?.aborted !== true) return false
    return error === signal.reason || peek(error, 'cause') === signal.reason
  }
}
