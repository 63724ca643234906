import type { FastifyTypeProvider } from 'fastify'
import type { HooksOfRoute, SessionRouteOptions } from './route-options.js'

/** The options of a route, but with `resume`: its hooks get sessions. */
export type WithSession<
  Options extends Pick<HooksOfRoute<never, never, never>, 'onClose'>,
  Schema,
  TypeProvider extends FastifyTypeProvider,
  RouteGeneric,
> = Omit<Options, keyof SessionRouteOptions> &
  SessionRouteOptions<
    ThisParameterType<NonNullable<Options['onClose']>>,
    Parameters<NonNullable<Options['onClose']>>[1],
    Schema,
    TypeProvider,
    RouteGeneric
  >
