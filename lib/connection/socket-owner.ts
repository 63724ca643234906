import type { FastifyRequest } from 'fastify'
import type { ConnectionDescription } from '../api/lifecycle.js'
import type { Callbacks } from '../callbacks/callbacks.js'
import type { CloseInfo } from '../core/close/info.js'
import type { CloseCause } from '../core/close/policy.js'
import type { ConnectionScope } from '../core/scope.js'
import type { Facts } from '../facts/facts.js'
import type { Subject } from '../facts/subjects.js'
import type { Member } from '../groups/membership.js'
import type { Reader } from '../messages/reader.js'
import type { Writer } from '../outbox/writer.js'
import type { RequestContext } from '../platform/context.js'
import type { Handler } from '../routes/route.js'

/** What `ConnectionSocket` needs of its connection. */
export interface SocketOwner extends Subject {
  readonly shared: { readonly facts: Facts }
  readonly request: FastifyRequest
  readonly scope: ConnectionScope
  readonly closed: Promise<CloseInfo>
  readonly latency: number | undefined
  /** Number of bytes of messages that are framed, or owed by groups, and not with the raw stream yet. */
  readonly bytesFramed: number
  readonly context: RequestContext
  readonly callbacks: Callbacks
  readonly reader: Reader
  readonly writer: Writer
  /**
   * Called for each event of ws, before its listeners run.
   * @returns whether they may run
   */
  admits(event: string | symbol, first: unknown, second: unknown): boolean
  /** Calls the handler of the route, unless it has been called for this client. */
  runHandler(handler: Handler): void
  /** No listener got the message. */
  unheard(data: unknown, isBinary: boolean): void
  /** A listener for messages was added. */
  listened(): void
  describe(): ConnectionDescription
  /** The connection, or its session, as groups know it. */
  readonly member: Member
  /** Called by the app, and by ws to answer a close frame or a protocol error. */
  close(code: number | undefined, reason: string | Buffer | undefined): void
  terminate(cause: CloseCause): void
  expireAt(when: Date | number): void
  /** The app has set `binaryType`, to `'blob'` or to something else. */
  setBlobs(areWanted: boolean): void
}
