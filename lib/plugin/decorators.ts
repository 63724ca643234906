import type { FastifyInstance, FastifyReply } from 'fastify'
import { refuseWebsocket } from '../admission/refuse-websocket.js'
import { scopeOf } from '../admission/scope-holder.js'
import { upgradeOf } from '../admission/upgrade.js'
import type { WebsocketLifecycle } from '../api/lifecycle.js'
import type { Facts } from '../facts/facts.js'
import { beneath } from '../platform/beneath.js'
import type { Drain } from '../shutdown/drain.js'

/**
 * Adds our decorators to the app, its requests and its replies. Only `request.signal` is missing: it waits
 * until the app is ready.
 */
export function decorate(app: FastifyInstance, facts: Facts, drain: Drain): void {
  app.decorate('websocketLifecycle', publicFace(facts, drain))
  app.decorateRequest('wsScope', {
    getter() {
      return scopeOf(this.raw)
    },
  })
  app.decorateReply('refuseWebsocket', function (code, reason) {
    return refuseWebsocket(this, code, reason)
  })
  app.decorateReply('hijack', hijack)
}

function publicFace(facts: Facts, drain: Drain): WebsocketLifecycle {
  return Object.freeze({
    get connections() {
      return facts.registry.sockets
    },
    get draining() {
      return facts.isDraining
    },
    drain: async (options) => drain.begin(options),
    stats: () => facts.stats(),
  } satisfies WebsocketLifecycle)
}

/** Tells an upgrade that the app takes its reply, also if a hook calls it that was added before ours. */
function hijack(this: FastifyReply): FastifyReply {
  upgradeOf(this.request.raw)?.hijacked()
  const ofFastify = Reflect.get(beneath(this, 'hijack', hijack), 'hijack') as FastifyReply['hijack']
  return ofFastify.call(this)
}
