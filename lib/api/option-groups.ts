import type { FastifyRequest } from 'fastify'

/** Pings while idle, and the verdict that a peer is dead. */
export interface KeepaliveOptions {
  /**
   * A ping is sent when nothing came in, or nothing went out, for so long; ms, at least 50, spread
   * by ±10 %. Stay below the idle limit of every proxy on the way (60 s is common).
   * @default 25_000
   */
  interval?: number
  /**
   * A peer that sends not one byte for so long after a ping is terminated, cause
   * `heartbeat-timeout`; ms, at least 50. `false`: ping, but never judge.
   * @default 20_000
   */
  timeout?: number | false
}

/** Messages received and not yet handled. */
export interface InboxOptions {
  /**
   * So many messages make it full: reading pauses, and TCP pushes back on the sender; half empty,
   * reading resumes. Nothing is dropped. What one read of the socket held (64 KiB on the wire) may
   * come on top.
   * @default 64
   */
  maxMessages?: number
  /**
   * So many bytes make it full. What compression makes of one read may be much more: above twice
   * this (or this and 64 KiB, if that is more) and `maxPayload` the connection ends, cause `message-too-big`.
   * @default 1_048_576
   */
  maxBytes?: number
  /** So many calls of `onMessage` run at once; at most `maxMessages`. @default 1 */
  concurrency?: number
}

/** Messages sent and not yet written to the network. */
export interface OutboxOptions {
  /** Above so many bytes `send()` returns `false` and `drained()` waits. @default 65_536 */
  highWaterMark?: number
  /**
   * So many bytes may wait, the message about to be sent included; where nothing waits, a message of
   * any size may be sent. What would go over it meets `overflow`. What node keeps of each message that waits
   * is counted too, from the 257th on: about 450 bytes, or 1,150 where it waits to be compressed.
   *
   * As long as the kernel takes more, no reader is too slow: what one turn of the event loop sends then waits for our
   * own encryption or compression, and may be 4 MiB more. Above that the connection ends with `handler-error`
   * (`FST_ERR_WSL_OUTBOX_FULL`). With `overflow: 'drop'` what waits to be compressed has no such allowance.
   * @default 1_048_576
   */
  maxBytes?: number
  /**
   * What waits may stand still for so long, ms, at least 50, before it meets `overflow`. The kernel
   * shows progress in steps of about a third of its send buffer; a reader that takes 16 KiB a second is given the
   * time for what the kernel holds, for at most fifteen times `maxAge` in all. `false`: for ever.
   * @default 10_000
   */
  maxAge?: number | false
  /**
   * `'close'` ends the connection: 1013, cause `slow-consumer`. `'drop'` drops the message that was
   * about to be sent and counts it (a smaller one behind it may still fit); a fragment cannot be dropped, and ends it as well.
   * @default 'close'
   */
  overflow?: 'close' | 'drop'
}

/** A limit for each of many. */
export interface ConnectionsPerKey<Request = FastifyRequest> {
  /**
   * So many connections at once of one key; what comes on top meets `whenFull`. Given at the plugin, the routes without one of their own
   * count together; `Infinity` on a route takes it off.
   */
  max: number
  /**
   * Whose connection it is; asked after the route's hooks, so that it sees whom they found.
   * `undefined`: not limited. Anything else but a string is refused, with a 500; a throw is as one in a hook.
   * @default request.ip
   */
  key?: (request: Request) => string | undefined
  /**
   * `'refuse'`: what comes on top gets 429 with `Retry-After: 5`
   * (`FST_ERR_WSL_TOO_MANY_CONNECTIONS_PER_KEY`). `'replace'`: the newest stay, by the order of their
   * upgrade requests. The oldest connection of the key ends, 4409 `replaced`, cause `replaced`, and the
   * new one opens when the transport of that one is gone: at most its `closeTimeout` later, or at once
   * where keepalive has a ping out that nothing has answered. `max` is at least 1 then, and
   * `handshakeTimeout` goes on. Who waits and is replaced meanwhile gets a 101 and the same 4409, whatever
   * `refuse` says, and counts as refused (`key`).
   * @default 'refuse'
   */
  whenFull?: 'refuse' | 'replace'
}

/** How all connections end at shutdown. */
export interface DrainOptions {
  /**
   * All connections are over after so long, in ms; what still cleans up then has 500 ms more. At
   * most Fastify's `pluginTimeout` − 1500, unless that is 0.
   * @default 8_000
   */
  timeout?: number
  /**
   * The close frames are spread over so many ms, so that not everybody comes back at once. It begins when all goodbyes
   * are said, and takes less where these took long: each close keeps `closeTimeout`, or half of what is left of `timeout`.
   * At most `timeout`.
   * @default 0
   */
  spread?: number
  /** Close code. @default 1012 */
  code?: number
  /** Close reason, at most 123 bytes of UTF-8. @default 'service restart' */
  reason?: string
  /** `Retry-After` of the 503 that upgrades get while draining, in whole seconds. @default 1 */
  retryAfter?: number
}
