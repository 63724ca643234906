import type { RefusalReason } from '../api/lifecycle.js'
import type { LifecycleSocket } from '../api/socket.js'
import type { CloseInfo } from '../core/close/info.js'
import type { LifecycleError } from '../errors.js'

/** An upgrade request that is not decided yet, or whose releases still run. */
export interface PendingUpgrade {
  /** Resolves when it is over and all its releases have run. */
  readonly released: Promise<void>
  refuseNow(reason: RefusalReason, error: LifecycleError): void
  /** Destroys the socket, whatever state the request is in. */
  destroyNow(): void
}

/** A connection that is open or ending. */
export interface LiveConnection {
  readonly socket: LifecycleSocket
  /** Resolves when the connection is released. */
  readonly closed: Promise<CloseInfo>
  /**
   * Whether we destroyed the transport because the peer had not gone in time: its own time, or the drain's.
   */
  readonly wasForced: boolean
  /**
   * Calls the route's `onShutdown`, and waits until the messages that have come by then are handled. The
   * drain ends in `remaining` ms.
   * @returns what to await, if there is something; it never rejects
   */
  sayGoodbye(remaining: number): Promise<void> | undefined
  /**
   * Waits until the messages are handled that have come since.
   * @returns as {@link LiveConnection.sayGoodbye}
   */
  catchUp(remaining: number): Promise<void> | undefined
  /** Starts the closing handshake with cause `shutdown`, if the connection is open. */
  shutDown(code: number, reason: string): void
  /** Destroys the transport, whatever state the connection is in. */
  destroyNow(): void
}

/** The upgrades that are not decided yet, and the connections that are not released yet. */
export class Registry {
  readonly upgrades: Set<PendingUpgrade> = new Set()
  readonly connections: Set<LiveConnection> = new Set()
  /** The sockets of the same connections, for the app. */
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
