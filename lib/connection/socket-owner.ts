import type { FastifyRequest } from 'fastify'
import type { Callbacks } from '../callbacks/callbacks.js'
import type { CloseInfo } from '../core/close/info.js'
import type { CloseCause } from '../core/close/policy.js'
import type { ConnectionScope } from '../core/scope.js'
import type { Reader } from '../messages/reader.js'
import type { Writer } from '../outbox/writer.js'
import type { RequestContext } from '../platform/context.js'

/** What `ConnectionSocket` needs of its connection. */
export interface SocketOwner {
  readonly id: string
  readonly request: FastifyRequest
  readonly scope: ConnectionScope
  readonly closed: Promise<CloseInfo>
  readonly latency: number | undefined
  /** Number of bytes of messages that are framed and not with the raw stream yet. */
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
  /** No listener got the message. */
  unheard(data: unknown, isBinary: boolean): void
  /** A listener for messages was added. */
  listened(): void
  /** Called by the app, and by ws to answer a close frame or a protocol error. */
  close(code: number | undefined, reason: string | Buffer | undefined): void
  terminate(cause: CloseCause): void
  expireAt(when: Date | number): void
  /** The app has set `binaryType`, to `'blob'` or to something else. */
  setBlobs(areWanted: boolean): void
}
