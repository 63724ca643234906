import type { FastifyRequest } from 'fastify'

/** When to ping an idle connection, and when to declare its peer dead. */
export interface KeepaliveOptions {
  /**
   * A ping is sent when no byte has come in, or none has gone out, for so long; ms, at least 50, spread by
   * ±10 %. Stay below the idle timeout of every proxy on the way (60 s is common).
   * @default 25_000
   */
  interval?: number
  /**
   * A peer that sends no byte for so long after a ping is dead: the connection is terminated, cause
   * `heartbeat-timeout`; ms, at least 50. `false`: ping, but never declare a peer dead.
   * @default 20_000
   */
  timeout?: number | false
}

/** Bounds for messages that were received and are not yet handled. */
export interface InboxOptions {
  /**
   * With so many messages the inbox is full. Reading pauses then, and TCP slows the sender down. Reading
   * resumes when the inbox is half empty. Nothing is dropped. One read of the socket (64 KiB on the wire) may
   * come on top.
   * @default 64
   */
  maxMessages?: number
  /**
   * With so many bytes the inbox is full. One compressed read may become much more: the connection ends,
   * cause `message-too-big`, above the sum of `maxBytes`, `maxPayload`, and the larger of `maxBytes` and 64
   * KiB.
   * @default 1_048_576
   */
  maxBytes?: number
  /** How many calls of `onMessage` may run at once; at most `maxMessages`. @default 1 */
  concurrency?: number
}

/** Bounds for messages that were sent and are not yet written to the network. */
export interface OutboxOptions {
  /** Above so many waiting bytes `send()` returns `false` and `drained()` waits. @default 65_536 */
  highWaterMark?: number
  /**
   * How many bytes may wait, the message about to be sent included. A message that would exceed this is
   * treated as `overflow` says. Where nothing waits, one message of any size may be sent. From the 257th
   * waiting message on, what node keeps for each counts too: about 450 bytes, or 1,150 where it waits to be
   * compressed.
   *
   * As long as the kernel takes more, no reader is too slow: messages wait only for our own encryption or
   * compression. So one turn of the event loop may send 4 MiB more. Above that the connection ends with
   * `handler-error` (`FST_ERR_WSL_OUTBOX_FULL`). With `overflow: 'drop'` messages that wait to be compressed
   * get no such 4 MiB.
   * @default 1_048_576
   */
  maxBytes?: number
  /**
   * How long waiting bytes may make no progress before `overflow` is applied; ms, at least 50. `false`: for
   * ever.
   *
   * The kernel shows progress only in steps of about a third of its send buffer. So a reader gets extra time
   * for what the kernel holds, as much as one that takes 16 KiB a second needs; at most fifteen times
   * `maxAge` in all.
   * @default 10_000
   */
  maxAge?: number | false
  /**
   * What happens when `maxBytes` or `maxAge` is exceeded.
   * - `'close'`: the connection ends, 1013, cause `slow-consumer`.
   * - `'drop'`: the message that was about to be sent is dropped and counted. A smaller one after it may
   *   still fit. A fragment cannot be dropped: it ends the connection too.
   * @default 'close'
   */
  overflow?: 'close' | 'drop'
}

/** How many connections each key may have. */
export interface ConnectionsPerKey<Request = FastifyRequest> {
  /**
   * How many connections of one key may be open at once. Another one is treated as `whenFull` says. If the
   * plugin sets this, all routes that do not set it themselves count together. `Infinity` on a route turns it
   * off for that route.
   */
  max: number
  /**
   * Returns the key of a request, such as a user's id; `undefined` for no limit. Called after the route's
   * hooks, so it can use what they found out. Anything but a string or `undefined` is refused with a 500. A
   * throw is treated like a throw in a hook.
   * @default request.ip
   */
  key?: (request: Request) => string | undefined
  /**
   * What happens to one connection more than `max`.
   * - `'refuse'`: it gets 429 with `Retry-After: 5` (`FST_ERR_WSL_TOO_MANY_CONNECTIONS_PER_KEY`).
   * - `'replace'`: the newest stay, by the order of their upgrade requests. The oldest connection of the key
   *   ends: 4409 `replaced`, cause `replaced`. `max` has to be at least 1.
   *
   * With `'replace'` the new connection opens when the transport of the old one is gone. That takes at most
   * the old one's `closeTimeout`; it is at once where keepalive has sent the old one a ping and nothing has
   * come since. `handshakeTimeout` goes on meanwhile. An upgrade that is itself replaced while it waits gets
   * a 101 and the same 4409, whatever `refuse` says, and counts as refused (`key`).
   * @default 'refuse'
   */
  whenFull?: 'refuse' | 'replace'
  /**
   * Where connections are counted: on this server, or with `'replace'` over all nodes too. Then a connection on
   * another node is replaced as well. It needs the plugin `fastify-websocket-lifecycle/redis`. While Redis is away
   * each node counts for itself; when it is back, the newest stay.
   * @default 'server'
   */
  scope?: 'server' | 'cluster'
}

/** How clients of a route come back to their session. */
export interface ResumeOptions<Request = FastifyRequest> {
  /**
   * Returns whose session it is, such as a user's id. Asked for the request that begins a session, and for
   * each request that wants to go on with it. Only an equal answer may go on; with any other the client gets a
   * new session. `null`: nobody's, so whoever has the session's secret token may go on.
   *
   * Called after the route's hooks, which run for each of these requests, so it can use what they found out.
   * Anything but a string or `null` is refused with a 500. A throw is treated like a throw in a hook.
   */
  key: (request: Request) => string | null
  /**
   * How long a session waits for its client after it has lost the connection, in ms; 1_000 to 86_400_000 (a
   * day). Then it ends.
   * @default 60_000
   */
  window?: number
  /**
   * How many bytes all suspended sessions of this route may keep together: their messages, with 128 B for each
   * message and 8 KiB for each session. Above it the session that has been suspended longest ends.
   * @default 268_435_456
   */
  maxBytes?: number
}

/** How the drain ends all connections at shutdown. */
export interface DrainOptions {
  /**
   * How long the drain may take, in ms. Then every socket is destroyed, and cleanup that still runs has 500
   * ms more. At most Fastify's `pluginTimeout` − 1500, unless that is 0.
   * @default 8_000
   */
  timeout?: number
  /**
   * The close frames are spread over so many ms, so that not all clients reconnect at once. At most
   * `timeout`.
   *
   * The time begins when all goodbyes (`onShutdown`) are over. It is shorter where these took long: each
   * close keeps its `closeTimeout`, or half of what is left of `timeout`.
   * @default 0
   */
  spread?: number
  /** The code of the close frames. @default 1012 */
  code?: number
  /** The reason of the close frames, at most 123 bytes of UTF-8. @default 'service restart' */
  reason?: string
  /** The `Retry-After` of the 503 that upgrades get during the drain, in whole seconds. @default 1 */
  retryAfter?: number
  /**
   * Clients of this package are told to come back at a random moment within so many ms, so that they do not
   * all come at once. 0: they wait by their own rules. @default 5_000
   */
  reconnectWindow?: number
}
