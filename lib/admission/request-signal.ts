import type { FastifyRequest } from 'fastify'
import { beneath } from '../platform/beneath.js'
import { peek } from '../platform/thrown.js'
import { scopeOf } from './scope-holder.js'

const kSignal = Symbol('fastify-websocket-lifecycle.signal')

/** What of an app is asked here. */
interface Decorated {
  hasRequestDecorator(name: string): boolean
  decorateRequest(name: 'signal', decorator: { getter(this: FastifyRequest): AbortSignal }): unknown
}

interface SignalledRequest extends FastifyRequest {
  [kSignal]?: AbortSignal
}

/**
 * Makes `request.signal` of an upgrade that of its scope, where Fastify has one: Fastify lets go of its own
 * at the handshake. Nothing is made for whoever does not ask.
 */
export function decorateSignal(app: Decorated): void {
  if (!app.hasRequestDecorator('signal')) return
  try {
    app.decorateRequest('signal', { getter })
  } catch (error) {
    // The app has one of its own, by the same name: that one it is.
    if (peek(error, 'code') !== 'FST_ERR_DEC_ALREADY_PRESENT') throw error
  }
}

function getter(this: SignalledRequest): AbortSignal {
  const scope = scopeOf(this.raw)
  if (scope === undefined) return inherited(this)
  return (this[kSignal] ??= this.routeOptions.handlerTimeout
    ? // Fastify's own aborts when the hooks take too long, and says so.
      AbortSignal.any([inherited(this), scope.signal])
    : scope.signal)
}

/** Fastify's. */
function inherited(request: FastifyRequest): AbortSignal {
  return Reflect.get(beneath(request, 'signal', getter), 'signal', request) as AbortSignal
}
