import type { FastifyReply } from 'fastify'

/** Who is told that Fastify was asked to send something. */
export interface SendWatcher {
  noteSend(payload: unknown): void
}

/** `send` as it was before it was watched. */
const kSend = Symbol('fastify-websocket-lifecycle.send')
const kWatcher = Symbol('fastify-websocket-lifecycle.sendWatcher')

interface WatchedReply extends FastifyReply {
  readonly [kWatcher]: SendWatcher
  [kSend](payload?: unknown): FastifyReply
}

/** An answer may wait behind an async `onSend` hook without a public sign of it: so `reply.send` of an upgrade is watched. */
export function watchSend(reply: FastifyReply, watcher: SendWatcher): void {
  const send: unknown = Reflect.get(reply, 'send')
  Object.assign(reply, { [kSend]: send, [kWatcher]: watcher, send: watchedSend })
}

/** Shared by all replies. */
function watchedSend(this: WatchedReply, payload?: unknown): FastifyReply {
  if (!this.sent) this[kWatcher].noteSend(payload)
  return this[kSend](payload)
}
