import type { FastifyTypeProviderDefault } from 'fastify'
import type { MessageOf, RouteLifecycleOptions } from './route-options.js'
import type { LifecycleSocket } from './socket.js'

/**
 * The options of a route whose schema has no `message`. Its `onMessage` gets messages as ws brings them.
 *
 * Where a user gives some generics, TypeScript infers none of the others, not even the schema's. So each way
 * to declare a route has two overloads: the first is for this type, the second for all other schemas.
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
