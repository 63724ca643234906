import type { IncomingMessage } from 'node:http'
import type { ReleaseScope } from '../core/scope.js'

/** The owner of the scope of a request: an upgrade, and then its connection. */
export interface ScopeHolder {
  readonly scope: ReleaseScope
  fail(error: unknown, step: string): void
}

const kHolder = Symbol('fastify-websocket-lifecycle.scoped')

interface HeldMessage extends IncomingMessage {
  [kHolder]?: ScopeHolder
}

export function setHolder(message: IncomingMessage, holder: ScopeHolder): void {
  const held: HeldMessage = message
  held[kHolder] = holder
}

export function holderOf(message: IncomingMessage): ScopeHolder | undefined {
  const held: HeldMessage = message
  return held[kHolder]
}

/** The scope of an upgrade request, before and after its 101; `undefined` for any other request. */
export function scopeOf(message: IncomingMessage): ReleaseScope | undefined {
  return holderOf(message)?.scope
}

/** Whether a request is an upgrade, or has been one before its 101. */
export function isUpgrade(message: IncomingMessage): boolean {
  return holderOf(message) !== undefined
}
