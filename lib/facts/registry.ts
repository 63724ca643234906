import type { RefusalReason } from '../api/lifecycle.js'
import type { LifecycleSocket } from '../api/socket.js'
import type { CloseInfo } from '../core/close/info.js'
import type { LifecycleError } from '../errors.js'

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
  /** Whether we destroyed the transport because the peer had not gone in time. */
  readonly wasForced: boolean
  /**
   * Lets the route say goodbye, and finishes the messages that were received by then; the drain ends in
   * `remaining` ms.
   * @returns what to await, if there is something; it never rejects
   */
  sayGoodbye(remaining: number): Promise<void> | undefined
  /** Finishes the messages that were received since. @returns as {@link LiveConnection.sayGoodbye} */
  catchUp(remaining: number): Promise<void> | undefined
  /** Starts the closing handshake with cause `shutdown`, if the connection is open. */
  shutDown(code: number, reason: string): void
  /** Ends the transport, whatever state the connection is in. */
  destroyNow(): void
}

/** Who lives now: upgrades that are not decided, and connections until their last release. */
export class Registry {
  readonly upgrades: Set<PendingUpgrade> = new Set()
  readonly connections: Set<LiveConnection> = new Set()
  /** The same connections, as the app sees them. */
  readonly sockets: Set<LifecycleSocket> = new Set()

  add(connection: LiveConnection): void {
    this.connections.add(connection)
    this.sockets.add(connection.socket)
  }

  delete(connection: LiveConnection): void {
    this.connections.delete(connection)
    this.sockets.delete(connection.socket)
  }
}
