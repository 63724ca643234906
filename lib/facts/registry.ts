import type { RefusalReason } from '../api/lifecycle.js'
import type { LifecycleSession } from '../api/session.js'
import type { LifecycleSocket } from '../api/socket.js'
import type { CloseInfo } from '../core/close/info.js'
import type { Silence } from '../core/diagnosis/idle-cluster.js'
import type { LifecycleError } from '../errors.js'
import type { Traffic } from './traffic.js'

/** An upgrade request that is not decided yet, or whose releases still run. */
export interface PendingUpgrade {
  /** Resolves when it is over and all its releases have run. */
  readonly released: Promise<void>
  refuseNow(reason: RefusalReason, error: LifecycleError): void
  /** Destroys the socket, whatever state the request is in. */
  destroyNow(): void
}

/** A connection, or a session, that is open or ending. */
export interface LiveConnection {
  /** The URL pattern of its route. */
  readonly routeUrl: string
  /** What the app has of it. */
  readonly face: LifecycleSocket | LifecycleSession
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
  /**
   * Starts the closing handshake with cause `shutdown`, if the connection is open. A client of ours is told to
   * come back at a random moment within `reconnectWindow` ms.
   */
  shutDown(code: number, reason: string, reconnectWindow: number): void
  /** Destroys the transport, whatever state the connection is in. */
  destroyNow(): void
  /** Adds what has gone over it, and what waits there now. After its transport is gone: only what waits. */
  addTraffic(traffic: Traffic): void
  /** How long each side has sent nothing, in ms; `undefined` while there is no transport. */
  readonly silence: Silence | undefined
  /** Whether its peer would be taken for dead if a stall of ours, of so many ms, counted against it. */
  isSparedBy(lateness: number): boolean
}

/** The upgrades that are not decided yet, and the connections that are not released yet. */
export class Registry {
  readonly upgrades: Set<PendingUpgrade> = new Set()
  readonly connections: Set<LiveConnection> = new Set()
  /** The sockets of the same connections, for the app. */
  readonly sockets: Set<LifecycleSocket> = new Set()
  readonly sessions: Set<LifecycleSession> = new Set()

  add(connection: LiveConnection & { readonly socket: LifecycleSocket }): void {
    this.connections.add(connection)
    this.sockets.add(connection.socket)
  }

  addSession(session: LiveConnection & { readonly face: LifecycleSession }): void {
    this.connections.add(session)
    this.sessions.add(session.face)
  }

  delete(connection: LiveConnection): void {
    this.connections.delete(connection)
    const faces: ReadonlyArray<Set<unknown>> = [this.sockets, this.sessions]
    for (const each of faces) each.delete(connection.face)
  }
}
