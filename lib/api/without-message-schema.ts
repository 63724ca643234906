import type { FastifyTypeProviderDefault } from 'fastify'
import type { MessageOf, RouteLifecycleOptions } from './route-options.js'
import type { LifecycleSocket } from './socket.js'

/**
 * The options of a route whose schema says nothing about its messages: `onMessage` gets them as ws brings them. Beside
 * generics that somebody has given, TypeScript infers no others, the schema's neither: so each way to declare a route
 * has an overload for such a schema, which is tried first, and one for all others.
 */
export type WithoutMessageSchema<
  Options extends Pick<RouteLifecycleOptions<never, never, never>, 'onMessage'>,
  RouteGeneric,
> = Omit<Options, 'onMessage'> & {
  schema?: { message?: undefined }
  /** {@link RouteLifecycleOptions.onMessage} */
  onMessage?: (
    this: ThisParameterType<NonNullable<Options['onMessage']>>,
    socket: LifecycleSocket,
    request: Parameters<NonNullable<Options['onMessage']>>[1],
    message: MessageOf<FastifyTypeProviderDefault, unknown, RouteGeneric>,
  ) => unknown
}
