import type {
  FastifyInstance,
  FastifyRequest,
  FastifyTypeProvider,
  FastifyTypeProviderDefault,
} from 'fastify'
import type { LifecycleOptions } from './options.js'
import type { LifecycleSocket, Message } from './socket.js'

/**
 * The type of the message that `onMessage` gets. It is the route's generic `Message`; else the type that the
 * type provider makes of `schema.message`; else {@link Message}.
 *
 * It is `unknown` where the type of the schema may have a `message` but does not say which, as Fastify's own
 * `FastifySchema`.
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

/** The options that only a route may set, and all {@link LifecycleOptions}. */
export interface RouteLifecycleOptions<
  This = FastifyInstance,
  Request = FastifyRequest,
  Schema = unknown,
  TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
  RouteGeneric = unknown,
> extends LifecycleOptions<This, Request> {
  /**
   * Called for each message, in order, and awaited. One call runs at a time; `inbox.concurrency` allows more.
   * The first call waits until the route's handler has settled.
   *
   * With `schema.message` it gets the parsed and validated value of each text message.
   *
   * Where the peer, the network or a time limit decided the end, messages that came before it are still
   * handled, for at most `cleanupTimeout`. `onUnexpectedClose` and `onClose` come after that.
   *
   * An error that it throws goes to `onHandlerError`, and ends this connection.
   */
  onMessage?: (
    this: This,
    socket: LifecycleSocket,
    request: Request,
    message: MessageOf<TypeProvider, Schema, RouteGeneric>,
  ) => unknown
  /**
   * Called in place of `onMessage` for a message that is no JSON, does not match `schema.message`, or is
   * binary. Awaited like `onMessage`. Without it such a message ends the connection: 1007, cause
   * `protocol-error`. The text of `error` does not quote the message, unless the validator's own text does.
   */
  onInvalidMessage?: (
    this: This,
    socket: LifecycleSocket,
    request: Request,
    error: Error,
  ) => unknown
}
