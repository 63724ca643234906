import type { FastifyRequest } from 'fastify'
import { beneath } from '../platform/beneath.js'
import { peek } from '../platform/thrown.js'
import { scopeOf } from './scope-holder.js'

const kSignal = Symbol('fastify-websocket-lifecycle.signal')

/** The methods of an app that are used here. */
interface Decorated {
  hasRequestDecorator(name: string): boolean
  decorateRequest(name: 'signal', decorator: { getter(this: FastifyRequest): AbortSignal }): unknown
}

interface SignalledRequest extends FastifyRequest {
  [kSignal]?: AbortSignal
}

/**
 * Makes `request.signal` of an upgrade the signal of its scope, if this Fastify has a `request.signal`.
 * Fastify forgets its own one at the handshake. A signal is made only when somebody asks for it.
 */
export function decorateSignal(app: Decorated): void {
  if (!app.hasRequestDecorator('signal')) return
  try {
    app.decorateRequest('signal', { getter })
  } catch (error) {
    // The app has a decorator of the same name. We leave that one.
    if (peek(error, 'code') !== 'FST_ERR_DEC_ALREADY_PRESENT') throw error
  }
}

function getter(this: SignalledRequest): AbortSignal {
  const scope = scopeOf(this.raw)
  if (scope === undefined) return inherited(this)
  return (this[kSignal] ??= this.routeOptions.handlerTimeout
    ? // Fastify's own signal aborts when the hooks take too long, with a reason that says so.
      AbortSignal.any([inherited(this), scope.signal])
    : scope.signal)
}

/** Fastify's own signal. */
function inherited(request: FastifyRequest): AbortSignal {
  return Reflect.get(beneath(request, 'signal', getter), 'signal', request) as AbortSignal
}
