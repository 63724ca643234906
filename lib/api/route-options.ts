import type {
  FastifyInstance,
  FastifyRequest,
  FastifyTypeProvider,
  FastifyTypeProviderDefault,
} from 'fastify'
import type { LifecycleOptions } from './options.js'
import type { LifecycleSocket, Message } from './socket.js'

/**
 * What `onMessage` gets: the route's generic `Message`, else what `schema.message` says through the
 * type provider, else a {@link Message}. `unknown` where the type of the schema only allows for a
 * `message`, as that of Fastify's own `FastifySchema` does: nobody knows then what it makes of one.
 */
export type MessageOf<
  TypeProvider extends FastifyTypeProvider,
  Schema,
  RouteGeneric,
> = RouteGeneric extends { Message: infer Declared }
  ? Declared
  : Schema extends { message: infer MessageSchema }
    ? (TypeProvider & { schema: MessageSchema })['validator']
    : 'message' extends keyof Schema
      ? unknown
      : Message

/** What only a route may set, beside {@link LifecycleOptions}. */
export interface RouteLifecycleOptions<
  This = FastifyInstance,
  Request = FastifyRequest,
  Schema = unknown,
  TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
  RouteGeneric = unknown,
> extends LifecycleOptions<This, Request> {
  /**
   * Called for each message, in order, one at a time (`inbox.concurrency` for more), and awaited. The
   * first call waits until the route's handler has settled. What was received before an end that the peer, the
   * network or a time limit decided is still handled, for at most `cleanupTimeout`, before `onUnexpectedClose` and `onClose`. What it
   * throws goes to `onHandlerError`, and ends this connection. With `schema.message` it gets the
   * parsed and validated value of each text message.
   */
  onMessage?: (
    this: This,
    socket: LifecycleSocket,
    request: Request,
    message: MessageOf<TypeProvider, Schema, RouteGeneric>,
  ) => unknown
  /**
   * Called in place of `onMessage` for a message that is no JSON, does not match `schema.message`, or
   * is binary; without it the connection ends, 1007, cause `protocol-error`. Awaited like
   * `onMessage`. `error` does not quote the message, unless the validator does.
   */
  onInvalidMessage?: (
    this: This,
    socket: LifecycleSocket,
    request: Request,
    error: Error,
  ) => unknown
}
