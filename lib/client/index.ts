/** The package entry `fastify-websocket-lifecycle/client`, for browsers and for Node. */
import type { Message, Sendable } from '../core/client/data.js'
import type { Address, ClientEvents, ClientOptions, ClientState } from './api.js'
import { Client } from './client.js'

export type {
  ClientCloseEvent,
  ClientEvents,
  ClientLostEvent,
  ClientMessageEvent,
  ClientOpenEvent,
  ClientOptions,
  LostConnection,
} from './api.js'
export { isRetryable } from '../core/close/retryable.js'
export type { Message }

type ClientListener<Type extends keyof ClientEvents> =
  | ((event: ClientEvents[Type]) => unknown)
  | { handleEvent(event: ClientEvents[Type]): unknown }

/** A WebSocket connection that comes back. */
export interface LifecycleClient extends EventTarget {
  readonly state: ClientState
  /** The subprotocol that the server chose for the last connection; `''` if none. */
  readonly protocol: string
  /** How many bytes wait: for a connection, for the network, or for the server to confirm them. */
  readonly bufferedAmount: number
  /**
   * Sends a message. It never throws for the state that the client is in.
   * @returns `true`: it is sent, or queued. `false`: it is not, because the client is not open and has no queue, or the
   * queue is full, or it is closed
   * @throws TypeError for anything but text, an ArrayBuffer or a view of one
   */
  send(data: Sendable): boolean
  /**
   * Resolves with `true` as soon as less than half of the queue is taken (without a queue: as soon as it is open), and with
   * `false` once the client is closed.
   */
  drained(): Promise<boolean>
  /** Tries again at once: it skips the wait, or replaces the open connection. During an attempt it does nothing. */
  reconnect(): void
  /**
   * Ends it for good, in whatever state it is. After the `close` event nothing of it is left.
   * @param code 1000 by default, or one from 3000 to 4989
   * @param reason at most 123 bytes of UTF-8
   * @throws TypeError for another code, or a longer reason
   */
  close(code?: number, reason?: string): void
  addEventListener<Type extends keyof ClientEvents>(
    type: Type,
    listener: ClientListener<Type> | null,
    options?:
      | boolean
      | { capture?: boolean; once?: boolean; passive?: boolean; signal?: AbortSignal },
  ): void
  removeEventListener<Type extends keyof ClientEvents>(
    type: Type,
    listener: ClientListener<Type> | null,
    options?: boolean | { capture?: boolean },
  ): void
}

interface Constructor {
  /**
   * Connects at once.
   * @param url may be a function that is asked before each attempt: the place for a ticket that is valid for a short time.
   * If it rejects, the attempt has failed
   * @throws TypeError for an option that is wrong
   */
  new (url: Address, options?: ClientOptions): LifecycleClient
  readonly prototype: LifecycleClient
}

export const LifecycleClient: Constructor = Client
