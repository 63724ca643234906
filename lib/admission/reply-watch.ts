import type { FastifyReply } from 'fastify'

/** Is told when Fastify is asked to send something. */
export interface SendWatcher {
  noteSend(payload: unknown): void
}

/** The `send` of the reply, as it was before we watched it. */
const kSend = Symbol('fastify-websocket-lifecycle.send')
const kWatcher = Symbol('fastify-websocket-lifecycle.sendWatcher')

interface WatchedReply extends FastifyReply {
  readonly [kWatcher]: SendWatcher
  [kSend](payload?: unknown): FastifyReply
}

/**
 * Watches `reply.send` of an upgrade. An answer may wait behind an async `onSend` hook, and nothing public
 * shows that.
 */
export function watchSend(reply: FastifyReply, watcher: SendWatcher): void {
  const send: unknown = Reflect.get(reply, 'send')
  Object.assign(reply, { [kSend]: send, [kWatcher]: watcher, send: watchedSend })
}

/** The `send` of all watched replies. */
function watchedSend(this: WatchedReply, payload?: unknown): FastifyReply {
  if (!this.sent) this[kWatcher].noteSend(payload)
  return this[kSend](payload)
}
