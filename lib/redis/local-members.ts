import type { GroupMember } from '../api/group.js'
import type { WebsocketLifecycle } from '../api/lifecycle.js'
import { nextTurn } from '../platform/real-time.js'

/** How many connections are served in one turn of the event loop. Then others have a turn. */
export const MEMBERS_PER_TURN = 256

/** A connection or a session of one node. */
export interface LocalMember {
  readonly id: string
  readonly route: string
  readonly openedAt: number
  readonly suspended: boolean
}

/** What this node does with its own members of a group. */
export interface LocalMembers {
  has(key: string): boolean
  /** They may come and go meanwhile. */
  find(key: string): Iterable<LocalMember>
  /**
   * Closes all that are members now, a few in each turn of the loop.
   * @returns how many have left OPEN by that
   */
  close(key: string, code: number, reason: string): Promise<number>
  send(key: string, data: string | Uint8Array): void
}

/** The members of the app's groups. */
export class GroupMembers implements LocalMembers {
  readonly #lifecycle: Pick<WebsocketLifecycle, 'group' | 'describe'>

  constructor(lifecycle: Pick<WebsocketLifecycle, 'group' | 'describe'>) {
    this.#lifecycle = lifecycle
  }

  has(key: string): boolean {
    return this.#lifecycle.group(key).size > 0
  }

  *find(key: string): Iterable<LocalMember> {
    for (const who of this.#lifecycle.group(key)) {
      const { id, route, openedAt, state } = this.#lifecycle.describe(who)
      const suspended = state === 'suspended'
      if (suspended || state === 'open') yield { id, route, openedAt, suspended }
    }
  }

  async close(key: string, code: number, reason: string): Promise<number> {
    let closed = 0
    for (const [at, who] of [...this.#lifecycle.group(key)].entries()) {
      if (at > 0 && at % MEMBERS_PER_TURN === 0) await nextTurn()
      // It may have ended while others had their turn.
      if (!this.#isOpen(who)) continue
      who.close(code, reason)
      if (!this.#isOpen(who)) closed++
    }
    return closed
  }

  send(key: string, data: string | Uint8Array): void {
    this.#lifecycle.group(key).send(data)
  }

  #isOpen(who: GroupMember): boolean {
    const { state } = this.#lifecycle.describe(who)
    return state === 'open' || state === 'suspended'
  }
}
