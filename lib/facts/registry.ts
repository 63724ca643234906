import type { DrainReport, LifecycleSocket, LifecycleStats, RefusalReason } from '../api/api.js'
import { CLOSE_CAUSES, type CloseCause, type CloseInfo } from '../core/close/info.js'
import type { LifecycleError } from '../errors.js'

export type AbandonedStep = DrainReport['abandoned'][number]

/** An upgrade request that is not decided, or whose releases still run. */
export interface PendingUpgrade {
  /** Resolves when it is over and its releases have run. */
  readonly released: Promise<void>
  refuseNow(reason: RefusalReason, error: LifecycleError): void
  /** Ends the socket, whatever state the request is in. */
  destroyNow(): void
}

/** A connection that is open or ending. */
export interface LiveConnection {
  readonly socket: LifecycleSocket
  /** Resolves when everything is over. */
  readonly closed: Promise<CloseInfo>
  /** Whether we destroyed a transport that the peer had left open. */
  readonly wasForced: boolean
  /**
   * Lets the route say goodbye, and finishes the messages that were received by then; the drain ends in
   * `remaining` ms.
   * @returns what to await, if there is something; it never rejects
   */
  sayGoodbye(remaining: number): Promise<void> | undefined
  /** Finishes the messages that were received since. @returns as {@link LiveConnection.sayGoodbye} */
  catchUp(remaining: number): Promise<void> | undefined
  /** Starts the closing handshake, if the connection is open. */
  end(cause: CloseCause, code: number, reason: string): void
  /** Ends the transport, whatever state the connection is in. */
  destroyNow(): void
}

/** What lives now, and the counts of what has lived. */
export class Registry {
  readonly upgrades: Set<PendingUpgrade> = new Set()
  readonly sockets: Set<LifecycleSocket> = new Set()
  readonly connections: Set<LiveConnection> = new Set()
  readonly abandoned: AbandonedStep[] = []
  draining = false
  /** Upgrade requests that came. */
  arrivals = 0
  #opened = 0
  #dropped = 0
  #abandonedCount = 0
  readonly #refused: Record<RefusalReason, number> = {
    draining: 0,
    route: 0,
    origin: 0,
    limit: 0,
    key: 0,
    handshake: 0,
    hook: 0,
  }
  readonly #closed = Object.fromEntries(CLOSE_CAUSES.map((cause) => [cause, 0])) as Record<
    CloseCause,
    number
  >

  open(connection: LiveConnection): void {
    this.#opened++
    this.connections.add(connection)
    this.sockets.add(connection.socket)
  }

  dropped(messages: number): void {
    this.#dropped += messages
  }

  closed(cause: CloseCause): void {
    this.#closed[cause]++
  }

  forget(connection: LiveConnection): void {
    this.connections.delete(connection)
    this.sockets.delete(connection.socket)
  }

  refused(reason: RefusalReason): void {
    this.#refused[reason]++
  }

  abandon(step: AbandonedStep): void {
    this.#abandonedCount++
    if (this.draining) this.abandoned.push(step)
  }

  stats(): LifecycleStats {
    return {
      open: this.connections.size,
      opened: this.#opened,
      refused: { ...this.#refused },
      closed: { ...this.#closed },
      abandoned: this.#abandonedCount,
      dropped: this.#dropped,
    }
  }
}
