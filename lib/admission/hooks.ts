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

/** Our `onRequest` hook: decides about an upgrade before the route's own hooks see it. */
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
    // The upgrade was answered, or its peer has gone, during a hook that was added before this one.
    reply.hijack()
    return
  }
  const route = routeOf(request.routeOptions.config)
  upgrade.enter(request, reply)
  if (!route) {
    // If there is no route at all, Fastify's own 404 follows, unless a hook of the app answers before.
    const error = request.is404 ? undefined : unrouted(request, route)
    if (error !== undefined) upgrade.refuse('route', error.message, error.statusCode)
    done(error)
    return
  }
  const settle = (refusal: Refusal | undefined): void => {
    if (upgrade.isLost) reply.hijack()
    // Fastify's own handlerTimeout may have answered meanwhile.
    if (upgrade.isDecided) return
    const error = refusal && upgrade.turnAway(refusal)
    // If the answer was a close frame, neither a hook nor the handler may follow.
    if (refusal === undefined || error !== undefined) done(error)
  }
  const fail = (thrown: unknown): void => {
    // Fastify treats a falsy error as none, and would let the upgrade in although a function of the app has
    // thrown.
    if (upgrade.mayAnswer) done(toAnswerable(thrown))
  }
  void decide(() => refuseAtFirst(upgrade, request, route), settle, fail)
}

/** Calls `goOn` with the answer of `question`, or `fail` with its error, at once or later. */
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

/** The error for an upgrade whose route is none of our WebSocket routes. */
function unrouted(request: FastifyRequest, route: null | undefined): LifecycleError {
  const name = routeNameOf(request)
  return route === null ? notAWebsocketRoute(name) : routeBeforePlugin(name)
}

/**
 * Wraps the handler of a route for the last look before the 101: what was decided while the hooks ran still
 * holds.
 */
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
      // A hook has answered and did not tell Fastify. Its onSend hooks may still be running.
      if (upgrade.isDecided) return reply
      try {
        upgrade.noteHandshake()
      } catch (thrown) {
        // A header may not be sent. Fastify would give a plain request the same error.
        return fail(thrown)
      }
      try {
        return handshake.call(this, request, reply)
      } catch (error) {
        // The error is from a function that the app gave to ws, or from a listener for ws's 'connection'.
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
 * Answers a plain request to a route that takes WebSockets only. This is no error of the app: scanners ask
 * for everything, so no error handler is called and nothing is logged. The body is a text, so it does not go
 * through a response schema of the route.
 */
function answerPlain(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = websocketOnly(routeNameOf(request))
  return reply.code(404).type(JSON_TYPE).send(bodyOf(error))
}

/**
 * Our `onResponse` hook: an upgrade that got another answer than 101 is over, even if `admit` has never seen
 * it.
 */
export function endAnswered(request: FastifyRequest, _reply: FastifyReply, done: () => void): void {
  upgradeOf(request.raw)?.destroyNow()
  done()
}
