import type { IncomingHttpHeaders } from 'node:http'
import type { Server, Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'

/** What is needed of an app: any Fastify instance is one. */
export interface TestApp {
  readonly server: Server
  listen(options: { port: number; host: string }): Promise<string>
}

/** Where a peer connects to: an app, a {@link Link}, or a URL (`ws:`, `wss:`, `http:` or `https:`). */
export type PeerTarget = TestApp | Link | string | URL

/** The options of `connect()`. */
export interface PeerOptions {
  /** Headers of the upgrade request, such as `cookie`, `authorization` or `origin`. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /** The subprotocols to offer. */
  readonly protocols?: readonly string[]
  /**
   * How long each wait may take: for the answer to the upgrade, `next()`, `closed` and `close()`. In ms of real time;
   * `Infinity` is allowed.
   * @default 5_000
   */
  readonly timeout?: number
  /**
   * Options of `tls.connect()`. The certificate of an app, or behind a link, is not checked; that of a URL is, with
   * `ca` for one that is self-signed.
   */
  readonly tls?: ConnectionOptions
}

/** Options with which the messages of a peer get a type. */
export interface ParsingPeerOptions<Message> extends PeerOptions {
  /** Makes a message of a frame's text, for example `JSON.parse`. A binary frame is read as UTF-8. */
  readonly parse: (text: string) => Message
}

/** How a connection has ended, as its peer saw it. */
export interface PeerClose {
  /** Of the server's close frame. 1005: it was empty. 1006: none came. */
  readonly code: number
  /** `''` without a close frame. */
  readonly reason: string
  /** The error of the socket, for example `ECONNRESET` after a RST of the server. */
  readonly error: Error | undefined
}

/**
 * A WebSocket client on a real socket. It answers pings and close frames as any client does, until it is told
 * otherwise. `for await (const message of peer)` takes message by message until the connection has ended.
 */
export interface Peer<Message = string | Buffer> extends AsyncIterable<Message, undefined> {
  /** The subprotocol that the server has chosen; `''` without one. */
  readonly protocol: string
  /** The headers of the 101. */
  readonly headers: IncomingHttpHeaders
  /** How long each wait may take from now on: the option of this name. */
  timeout: number
  /** The stream under it, for all that is not here. */
  readonly socket: Socket
  /**
   * Asked for: resolves when the connection has ended.
   * @throws (rejects) if that takes longer than `timeout` from then on
   */
  readonly closed: Promise<PeerClose>
  /** Sends a message: text for a string, else binary. Does nothing once the connection has ended. */
  send(data: string | Uint8Array): void
  /** Writes bytes as they are, for example a frame that is invalid, or a part of one. */
  sendRaw(bytes: string | Uint8Array): void
  /**
   * The next message that was not taken yet: a string for text, a Buffer for binary, or what `parse` makes of it.
   * @param options.timeout in ms of real time, in place of the peer's own
   * @throws (rejects) if none comes in time, or the connection ends first. The error says what did arrive. Also rejects
   * with what `parse` throws
   */
  next(options?: { readonly timeout?: number }): Promise<Message>
  /**
   * Sends a close frame, without a code if none is given, unless it has sent one. Then it waits for the end.
   * @throws (rejects) as {@link closed}
   */
  close(code?: number, reason?: string): Promise<PeerClose>
  /** Sends a FIN without a close frame, as when a process ends. */
  drop(): void
  /** Sends a RST, as when a process or a machine crashes. Over TLS it ends without a word. */
  reset(): void
  /** Reads nothing from now on, so it answers nothing either; it stays connected, and may send. */
  freeze(): void
  /** Reads on, and answers what has come meanwhile. */
  thaw(): void
  /** Answers no ping from now on (`false`: answers again); it still reads. */
  deaf(isDeaf?: boolean): void
  /**
   * Reads so many bytes in a second from now on. `Infinity`: as fast as they come. In real time.
   * @throws RangeError if that is not above 0: for none there is {@link freeze}
   */
  trickle(bytesPerSecond: number): void
}

/** A TCP line to a server, which a test can cut. */
export interface Link {
  /** Connect here in place of the server. */
  readonly url: string
  readonly server: Server
  /**
   * Nothing passes any more, in both directions: no bytes, no FIN and no RST. Both ends believe that they are
   * connected. So does who connects meanwhile.
   */
  cut(): void
  /** What waits passes, as when a network is back; nothing was lost. */
  restore(): void
  /** What comes from now on passes so many ms later, in both directions. In real time. */
  delay(ms: number): void
  /**
   * So many bytes pass in a second, in each direction of each connection. `Infinity`: as fast as they come.
   * @throws RangeError if that is not above 0: for none there is {@link cut}
   */
  throttle(bytesPerSecond: number): void
  /** Ends all connections with a RST to both ends. New ones are taken. */
  resetAll(): void
  /** Ends all connections, and takes no more. It happens by itself when the server of an app closes. */
  close(): void
}

/** The time of a plugin that a test moves. */
export interface ManualClock {
  /** How many ms it was moved, and a start that is no matter. */
  now(): number
  /** Number of timers of the plugin that wait. */
  readonly pending: number
  /**
   * Moves time on, timer by timer. Before that, and after each timer, all arrives that was sent on loopback in this
   * process: pings travel and are answered.
   * @throws (rejects) if somebody never stops sending
   */
  advance(ms: number): Promise<void>
  /** So much time has passed, and no timer has run: as if the event loop had stood still. */
  stall(ms: number): void
  /**
   * Moves time on until a promise has settled, for example `app.close()` with a peer that does not answer.
   * @returns what it resolves with
   * @throws (rejects) with what it rejects with; or if nothing is left that could settle it, or an hour was not enough
   */
  until<T>(promise: PromiseLike<T>): Promise<T>
}
