import type {
  FastifyInstance,
  FastifyRequest,
  FastifyTypeProvider,
  FastifyTypeProviderDefault,
} from 'fastify'
import type { CloseInfo } from '../core/close/info.js'
import type { ClusterRouteOptions } from './cluster.js'
import type { ResumeOptions } from './option-groups.js'
import type { LifecycleOptions } from './options.js'
import type { LifecycleSession } from './session.js'
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

/** What each route may set. The hooks get what the route has: a socket, or a session. */
export interface HooksOfRoute<
  Socket,
  This = FastifyInstance,
  Request = FastifyRequest,
  Schema = unknown,
  TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
  RouteGeneric = unknown,
> extends LifecycleOptions<This, Request, Socket> {
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
    socket: Socket,
    request: Request,
    message: MessageOf<TypeProvider, Schema, RouteGeneric>,
  ) => unknown
  /**
   * Called in place of `onMessage` for a message that is no JSON, does not match `schema.message`, or is
   * binary. Awaited like `onMessage`. Without it such a message ends the connection: 1007, cause
   * `protocol-error`. The text of `error` does not quote the message, unless the validator's own text does.
   */
  onInvalidMessage?: (this: This, socket: Socket, request: Request, error: Error) => unknown
  /**
   * What the route has to do with the other nodes: cleanups that run even if this process dies. Needs the plugin
   * `fastify-websocket-lifecycle/redis`, registered after this one.
   */
  cluster?: ClusterRouteOptions<This, Request>
}

/**
 * No value has this type. TypeScript shows its text where an option of sessions does not fit, or something
 * else of a route with sessions: of all overloads it tells of the last one, and that is Fastify's own.
 */
type OfSessions =
  'only with `resume: { key: (request) => string | null }` on a WebSocket route whose handler and hooks take a LifecycleSession' & {
    never: never
  }

/**
 * The options that only a route may set, and all {@link LifecycleOptions}. A route with `resume` has
 * {@link SessionRouteOptions}.
 */
export interface RouteLifecycleOptions<
  This = FastifyInstance,
  Request = FastifyRequest,
  Schema = unknown,
  TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
  RouteGeneric = unknown,
> extends HooksOfRoute<LifecycleSocket, This, Request, Schema, TypeProvider, RouteGeneric> {
  /** {@link SessionRouteOptions.resume} */
  resume?: OfSessions
  /** {@link SessionRouteOptions.onSuspend} */
  onSuspend?: OfSessions
  /** {@link SessionRouteOptions.onResume} */
  onResume?: OfSessions
}

/**
 * The options of a route whose clients may come back to their session. Its handler and its hooks get a
 * {@link LifecycleSession} in place of a {@link LifecycleSocket}; so do the plugin's hooks there. What the other hooks
 * and the limits say of a connection, they say here of a session: `onClose` is called once for each session.
 */
export interface SessionRouteOptions<
  This = FastifyInstance,
  Request = FastifyRequest,
  Schema = unknown,
  TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
  RouteGeneric = unknown,
> extends HooksOfRoute<LifecycleSession, This, Request, Schema, TypeProvider, RouteGeneric> {
  /**
   * Lets a client that lost its connection come back to its session, on a new connection: the handler is not
   * called again, and no message is lost or comes twice. Only for a route, not for the plugin.
   *
   * The handler and all hooks of the route then get a {@link LifecycleSession}.
   */
  resume: ResumeOptions<Request>
  /**
   * Called when a session has lost its connection, with the {@link CloseInfo} of that connection. `request` is
   * the one that began the session. Awaited, for at most `cleanupTimeout`. An error that it throws goes to
   * `onHandlerError`, and ends the session.
   *
   * Calls of `onSuspend` and `onResume` take turns, and never overlap. A session that ends because of the
   * loss has no `onSuspend`, but only `onUnexpectedClose` and `onClose`.
   */
  onSuspend?: (this: This, session: LifecycleSession, request: Request, close: CloseInfo) => unknown
  /**
   * Called when the client is back, after `onSuspend` has settled. `request` is the upgrade request of the new
   * connection. Awaited, for at most `cleanupTimeout`: messages of the new connection are handled after that.
   * An error that it throws goes to `onHandlerError`, and ends the session.
   */
  onResume?: (this: This, session: LifecycleSession, request: Request) => unknown
}
