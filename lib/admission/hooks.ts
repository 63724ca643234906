import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import {
  bodyOf,
  JSON_TYPE,
  type LifecycleError,
  notAWebsocketRoute,
  routeBeforePlugin,
  websocketOnly,
} from '../errors.js'
import { toAnswerable } from '../platform/thrown.js'
import { routeNameOf, routeOf } from '../routes/route.js'
import { failHandshake, upgradeOf } from './upgrade.js'
import { type Refusal, refuseAtFirst } from './verdict.js'

/** What is decided of an upgrade before the route's own hooks see it. */
export function admit(
  request: FastifyRequest,
  reply: FastifyReply,
  done: (error?: Error) => void,
): void {
  const upgrade = upgradeOf(request.raw)
  if (upgrade === undefined) {
    done()
    return
  }
  if (upgrade.isLost) {
    // It was answered, or its peer has gone, during a hook that was added before this one.
    reply.hijack()
    return
  }
  const route = routeOf(request.routeOptions.config)
  upgrade.enter(request, reply)
  if (!route) {
    // Without any route Fastify's own 404 follows, or what the app's hooks say before.
    const error = request.is404 ? undefined : unrouted(request, route)
    if (error !== undefined) upgrade.refuse('route', error.message)
    done(error)
    return
  }
  const settle = (refusal: Refusal | undefined): void => {
    if (upgrade.isLost) reply.hijack()
    // Fastify's own handlerTimeout may have answered meanwhile.
    if (upgrade.isDecided) return
    const error = refusal && upgrade.turnAway(refusal)
    // Nothing follows where it was answered with a close frame.
    if (refusal === undefined || error !== undefined) done(error)
  }
  const fail = (thrown: unknown): void => {
    // Fastify takes a falsy error for none, and would let in whom a function of the app threw it about.
    if (upgrade.mayAnswer) done(toAnswerable(thrown))
  }
  void decide(() => refuseAtFirst(upgrade, request, route), settle, fail)
}

/** Goes on with what `question` answers, at once or later. */
function decide<Verdict, Next>(
  question: () => Verdict | Promise<Verdict>,
  goOn: (verdict: Verdict) => Next,
  fail: (thrown: unknown) => Next,
): Next | Promise<Next> {
  let verdict: Verdict | Promise<Verdict>
  try {
    verdict = question()
  } catch (error) {
    return fail(error)
  }
  return verdict instanceof Promise ? verdict.then(goOn, fail) : goOn(verdict)
}

/** What an upgrade is told whose route is none of ours. */
function unrouted(request: FastifyRequest, route: null | undefined): LifecycleError {
  const name = routeNameOf(request)
  return route === null ? notAWebsocketRoute(name) : routeBeforePlugin(name)
}

/** The last look before the 101: whatever was decided while the hooks ran holds. */
export function guardHandshake(options: RouteOptions): void {
  const route = routeOf(options.config)
  if (!route) return
  const handshake = options.handler
  const isWebsocketOnly = options.websocket === true
  options.handler = function (request, reply) {
    const upgrade = upgradeOf(request.raw)
    if (upgrade === undefined) {
      if (isWebsocketOnly && request.method === 'GET') return answerPlain(request, reply)
      return handshake.call(this, request, reply)
    }
    const shake = (): unknown => {
      if (upgrade.isLost) return reply.hijack()
      // A hook that answered and did not say so to Fastify: its onSend hooks may still be running.
      if (upgrade.isDecided) return reply
      try {
        upgrade.noteHandshake()
      } catch (thrown) {
        // A header that may not be sent: it is what Fastify answers a plain request, too.
        return fail(thrown)
      }
      try {
        return handshake.call(this, request, reply)
      } catch (error) {
        // From a function that the app gave to ws, or from a listener on its 'connection'.
        failHandshake(request.raw, error)
        return reply
      }
    }
    const fail = (thrown: unknown): FastifyReply => {
      if (!upgrade.mayAnswer) return reply
      throw toAnswerable(thrown)
    }
    const prepare = (): Promise<void> | undefined =>
      upgrade.isDecided ? undefined : upgrade.prepare(request, route)
    return decide<void, unknown>(prepare, shake, fail)
  }
}

/**
 * What a route says that has no handler for plain requests. It is no error of the app's: no error handler is asked, and no
 * line logged, as whoever scans a server asks for everything. A text is not sent through a schema of the route's either.
 */
function answerPlain(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = websocketOnly(routeNameOf(request))
  return reply.code(404).type(JSON_TYPE).send(bodyOf(error))
}

/** An upgrade that got another answer than 101 is over, also one that `admit` has never seen. */
export function endAnswered(request: FastifyRequest, _reply: FastifyReply, done: () => void): void {
  upgradeOf(request.raw)?.destroyNow()
  done()
}
