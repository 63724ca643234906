import type { FastifyInstance, FastifyReply } from 'fastify'
import { refuseWebsocket } from '../admission/refuse-websocket.js'
import { scopeOf } from '../admission/scope-holder.js'
import { upgradeOf } from '../admission/upgrade.js'
import type { ConnectionDescription, WebsocketLifecycle } from '../api/lifecycle.js'
import { addClusterDoor } from '../cluster/door.js'
import type { Shared } from '../connection/shared.js'
import type { SocketOwner } from '../connection/socket-owner.js'
import { ConnectionSocket } from '../connection/socket.js'
import { invalidOption } from '../errors.js'
import { addDoor } from '../facts/door.js'
import type { Facts } from '../facts/facts.js'
import type { Groups } from '../groups/groups.js'
import type { Member } from '../groups/membership.js'
import { kindOf } from '../options/complaints.js'
import { beneath } from '../platform/beneath.js'
import { Face, type FaceOwner } from '../session/face.js'
import type { Drain } from '../shutdown/drain.js'

/**
 * Adds our decorators to the app, its requests and its replies. Only `request.signal` is missing: it waits
 * until the app is ready.
 */
export function decorate(
  app: FastifyInstance,
  { cluster, facts, groups }: Pick<Shared, 'cluster' | 'facts' | 'groups'>,
  drain: Drain,
): void {
  const face = addClusterDoor(publicFace(facts, groups, drain), cluster)
  app.decorate('websocketLifecycle', Object.freeze(face))
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

function publicFace(facts: Facts, groups: Groups, drain: Drain): WebsocketLifecycle {
  const face = {
    get connections() {
      return facts.registry.sockets
    },
    get sessions() {
      return facts.registry.sessions
    },
    group: (name) => groups.get(name),
    get groups() {
      return groups.inUse
    },
    get draining() {
      return facts.isDraining
    },
    drain: async (options) => drain.begin(options),
    stats: () => facts.stats(),
    describe,
  } satisfies WebsocketLifecycle
  return addDoor(face, facts)
}

/** @throws FST_ERR_WSL_INVALID_OPTION */
function describe(who: unknown): ConnectionDescription {
  const owner = ownerOf(who)
  if (owner !== undefined) return owner.describe()
  throw invalidOption(
    `Expected a LifecycleSocket or a LifecycleSession of this plugin, got ${kindOf(who)}, in describe()`,
  )
}

/** Whom the app means by a socket or a session; `undefined` if it is none of this server's. */
export function memberOf(who: unknown, facts: Facts): Member | undefined {
  const owner = ownerOf(who)
  return owner?.shared.facts === facts ? owner.member : undefined
}

function ownerOf(who: unknown): SocketOwner | FaceOwner | undefined {
  if (ConnectionSocket.isOne(who)) return ConnectionSocket.ownerOf(who)
  return Face.isOne(who) ? Face.ownerOf(who) : undefined
}

/** Tells an upgrade that the app takes its reply, also if a hook calls it that was added before ours. */
function hijack(this: FastifyReply): FastifyReply {
  upgradeOf(this.request.raw)?.hijacked()
  const ofFastify = Reflect.get(beneath(this, 'hijack', hijack), 'hijack') as FastifyReply['hijack']
  return ofFastify.call(this)
}
