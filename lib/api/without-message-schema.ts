import type { FastifyTypeProviderDefault } from 'fastify'
import type { HooksOfRoute, MessageOf } from './route-options.js'

/**
 * The options of a route whose schema has no `message`. Its `onMessage` gets messages as ws brings them.
 *
 * Where a user gives some generics, TypeScript infers none of the others, not even the schema's. So each way
 * to declare a route has two overloads: the first is for this type, the second for all other schemas.
 */
export type WithoutMessageSchema<
  Options extends Pick<HooksOfRoute<never, never, never, never>, 'onMessage'>,
  RouteGeneric,
> = Omit<Options, 'onMessage'> & {
  schema?: { message?: undefined }
  /** {@link HooksOfRoute.onMessage} */
  onMessage?: (
    this: ThisParameterType<NonNullable<Options['onMessage']>>,
    socket: Parameters<NonNullable<Options['onMessage']>>[0],
    request: Parameters<NonNullable<Options['onMessage']>>[1],
    message: MessageOf<FastifyTypeProviderDefault, unknown, RouteGeneric>,
  ) => unknown
}
