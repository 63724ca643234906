/** The types of options and events. They name nothing that only browsers have, or only Node. */
import type { Message } from '../core/client/data.js'

/** Where to connect to, or a function that is asked before each attempt. */
export type Address = string | URL | (() => string | URL | Promise<string | URL>)

/** Names of subprotocols: one, or several in the order of preference. */
export type Protocols = string | readonly string[]

/** What the client needs of a WebSocket: those of browsers, of Node 22 and of ws have it. */
export interface WebSocketLike {
  binaryType: string
  readonly bufferedAmount: number
  readonly protocol: string
  readonly readyState: number
  addEventListener(type: WebSocketEventType, listener: WebSocketListener): void
  removeEventListener(type: WebSocketEventType, listener: WebSocketListener): void
  send(data: string | ArrayBuffer): void
  close(code?: number, reason?: string): void
}

export type WebSocketEventType = 'open' | 'message' | 'error' | 'close'

/** What the client reads of an event: of each type only its own part is there. */
export interface WebSocketEvent {
  readonly type: string
  readonly data: Message
  readonly error: unknown
  readonly code: number
  readonly reason: string
}

/** `unknown`, because each kind of WebSocket has events of its own. */
export type WebSocketListener = (() => void) | { handleEvent(event: unknown): void }

export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike

/** How a connection ended, or an attempt. */
export interface LostConnection {
  /** The code of the close frame; 1006 where there was none. */
  readonly code: number
  /** The reason in the close frame. */
  readonly reason: string
  /** How many attempts have failed in a row. 0: an open connection was lost. */
  readonly attempts: number
}

export interface ClientOptions {
  /**
   * The subprotocols to offer, or a function that is asked before each attempt.
   * @default none
   */
  protocols?: Protocols | (() => Protocols | Promise<Protocols>)
  /**
   * Whether the server is ours, and so speaks the link: what our client and our server say to each other beside the
   * messages of the app. `false`: any WebSocket server. Then there is no `resume`, no `liveness`, and the server cannot
   * spread clients over a time when it sends them away.
   * @default true
   */
  link?: boolean
  /**
   * Whether the session goes on over a lost connection: nothing that was sent is lost, in either direction. It needs a
   * route with `resume`.
   * @default false
   */
  resume?: boolean
  /**
   * How much may wait for a connection and, with `resume`, for the server to confirm it. `false`: nothing.
   * @default with `resume` `{ maxMessages: 1024, maxBytes: 1_048_576 }`, else `false`
   */
  queue?: false | { maxMessages?: number; maxBytes?: number }
  /**
   * How long to wait before an attempt, in ms: a random time up to `min`, which doubles with each failure, up to `max`.
   * @default { min: 500, max: 30_000 }
   */
  backoff?: { min?: number; max?: number }
  /**
   * How long an attempt may take, in ms: until the server has welcomed us, or without a link until the connection is open.
   * The functions `url` and `protocols` have the same time.
   * @default 10_000
   */
  connectTimeout?: number
  /**
   * After how long a silence the server is asked whether it is there, and how long it has to answer, in ms.
   * @default { interval: 30_000, timeout: 10_000 }
   */
  liveness?: false | { interval?: number; timeout?: number }
  /**
   * Whether to come back after this end. If it throws, the client is closed, and the error goes on to whoever called.
   * @default isRetryable(close.code)
   */
  shouldRetry?: (close: LostConnection) => boolean
  /** When it aborts, the client is closed for good. */
  signal?: AbortSignal
  /**
   * The class of the connections.
   * @default globalThis.WebSocket
   */
  WebSocket?: WebSocketConstructor
}

export type ClientState = 'connecting' | 'open' | 'waiting' | 'closed'

/** The connection is open. */
export interface ClientOpenEvent extends Event {
  /** Whether it is the first of this client. */
  readonly first: boolean
  /** `true`: the same session goes on, and nothing was lost. `false`: the server's handler has begun anew. */
  readonly resumed: boolean
  /**
   * What the session before has never confirmed, in order: it may have been handled, or not. It is empty without
   * `resume`.
   */
  readonly undelivered: readonly Message[]
}

/** The server has sent a message. */
export interface ClientMessageEvent extends Event {
  readonly data: Message
}

/** A connection was lost, or an attempt has failed. The client will try again. */
export interface ClientLostEvent extends Event, LostConnection {
  /** What is known beside the code, such as the rejection of `url`. */
  readonly error?: unknown
  /** After so many ms. */
  readonly retryIn: number
}

/** It is over. The client will not try again. */
export interface ClientCloseEvent extends Event {
  readonly code: number
  readonly reason: string
  /** What is known beside the code. */
  readonly error?: unknown
  /** What was queued and not confirmed, in order. */
  readonly undelivered: readonly Message[]
}

/** The events of a client, by name. */
export interface ClientEvents {
  open: ClientOpenEvent
  message: ClientMessageEvent
  lost: ClientLostEvent
  close: ClientCloseEvent
}
