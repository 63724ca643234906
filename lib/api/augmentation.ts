// For its own `declare module 'fastify'`. An `import type {}` would not reach the declaration file.
export type {} from '@fastify/websocket'
import type {
  ContextConfigDefault,
  FastifyBaseLogger,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  FastifySchema,
  FastifyTypeProvider,
  FastifyTypeProviderDefault,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerBase,
  RawServerDefault,
  RequestGenericInterface,
  RouteGenericInterface,
} from 'fastify'
import type {
  ConnectionScope,
  LifecycleSocket,
  MessageOf,
  RouteLifecycleOptions,
  WebsocketLifecycle,
} from './api.js'

/**
 * The handler of a `websocket: true` route, and a `wsHandler`: that of `@fastify/websocket`, with a
 * {@link LifecycleSocket} and the route's own instance as `this`. Called once for each connection,
 * after the 101. What it throws or rejects with goes to `onHandlerError`.
 */
export type WebsocketHandler<
  RawServer extends RawServerBase = RawServerDefault,
  RawRequest extends RawRequestDefaultExpression<RawServer> =
    RawRequestDefaultExpression<RawServer>,
  RequestGeneric extends RequestGenericInterface = RequestGenericInterface,
  ContextConfig = ContextConfigDefault,
  SchemaCompiler extends FastifySchema = FastifySchema,
  TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
  Logger extends FastifyBaseLogger = FastifyBaseLogger,
  RawReply extends RawReplyDefaultExpression<RawServer> = RawReplyDefaultExpression<RawServer>,
> = (
  this: FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>,
  socket: LifecycleSocket,
  request: FastifyRequest<
    RequestGeneric,
    RawServer,
    RawRequest,
    SchemaCompiler,
    TypeProvider,
    ContextConfig,
    Logger
  >,
) => unknown

/**
 * The options of a route whose schema says nothing about its messages: `onMessage` gets them as ws brings them. Beside
 * generics that somebody has given, TypeScript infers no others, the schema's neither: so each way to declare a route
 * has an overload for such a schema, which is tried first, and one for all others.
 */
type WithoutMessageSchema<
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

/** What the types of Fastify allow a hook to return, and what they make of a reply in an async one. */
export type HookReturn = void | PromiseLike<unknown> | FastifyReply

/**
 * What `reply.refuseWebsocket()` returns: the reply. A hook of a route that is no async function has to return `void` or
 * a promise by the types of Fastify, although it waits for a reply too: so the reply is also what is expected where it stands.
 */
export type Refused<Expected extends HookReturn> = FastifyReply & Expected

// Overloads of a later augmentation are tried first. This one comes after that of
// `@fastify/websocket`, whichever a user imports first, because it imports it: so a handler without
// annotations gets a LifecycleSocket. `NoInfer` keeps hooks and handlers from being taken for a
// source of the schema's type.
declare module 'fastify' {
  interface FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider> {
    /** The live connections, their drain and their counters. */
    websocketLifecycle: WebsocketLifecycle

    /** A WebSocket route: `handler` is given the socket. */
    route<
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
    >(
      opts: WithoutMessageSchema<
        Omit<
          RouteOptions<
            RawServer,
            RawRequest,
            RawReply,
            RouteGeneric,
            ContextConfig,
            SchemaCompiler,
            TypeProvider,
            Logger
          >,
          'handler' | 'websocket' | 'wsHandler'
        >,
        RouteGeneric
      > & {
        websocket: true
        handler: WebsocketHandler<
          RawServer,
          RawRequest,
          RouteGeneric,
          ContextConfig,
          SchemaCompiler,
          TypeProvider,
          Logger,
          RawReply
        >
      },
    ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>

    /** A WebSocket route: `handler` is given the socket; its schema speaks of messages. */
    route<
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
    >(
      opts: Omit<
        RouteOptions<
          RawServer,
          RawRequest,
          RawReply,
          RouteGeneric,
          ContextConfig,
          SchemaCompiler,
          TypeProvider,
          Logger
        >,
        'handler' | 'websocket' | 'wsHandler'
      > & {
        websocket: true
        handler: WebsocketHandler<
          RawServer,
          RawRequest,
          RouteGeneric,
          ContextConfig,
          SchemaCompiler,
          TypeProvider,
          Logger,
          RawReply
        >
      },
    ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>

    /** An HTTP route that is a WebSocket route too: `wsHandler` is given the socket. */
    route<
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
    >(
      opts: WithoutMessageSchema<
        Omit<
          RouteOptions<
            RawServer,
            RawRequest,
            RawReply,
            RouteGeneric,
            ContextConfig,
            SchemaCompiler,
            TypeProvider,
            Logger
          >,
          'wsHandler'
        >,
        RouteGeneric
      > & {
        wsHandler: WebsocketHandler<
          RawServer,
          RawRequest,
          RouteGeneric,
          ContextConfig,
          SchemaCompiler,
          TypeProvider,
          Logger,
          RawReply
        >
      },
    ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>

    /** An HTTP route that is a WebSocket route too: `wsHandler` is given the socket; its schema speaks of messages. */
    route<
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
    >(
      opts: Omit<
        RouteOptions<
          RawServer,
          RawRequest,
          RawReply,
          RouteGeneric,
          ContextConfig,
          SchemaCompiler,
          TypeProvider,
          Logger
        >,
        'wsHandler'
      > & {
        wsHandler: WebsocketHandler<
          RawServer,
          RawRequest,
          RouteGeneric,
          ContextConfig,
          SchemaCompiler,
          TypeProvider,
          Logger,
          RawReply
        >
      },
    ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>
  }

  interface FastifySchema {
    /** Of the text messages of a WebSocket route: they are JSON, and `onMessage` gets their value. */
    message?: unknown
  }

  interface RequestGenericInterface {
    /** What `onMessage` gets, where no schema says it. */
    Message?: unknown
  }

  interface FastifyRequest {
    /**
     * What holds the resources of the connection that this upgrade request is to become;
     * `undefined` on every other request.
     */
    wsScope: ConnectionScope | undefined
  }

  interface FastifyReply {
    /**
     * Refuses an upgrade in a way that a browser's page can see: a 101, then a close frame at once
     * (RFC 6455 §7.4), as for authentication that has failed. The handler does not run, no further
     * hook does, and the socket ends within `closeTimeout`. A `code` of 1005 is
     * sent as a close frame without one, 1006 and 1015 become 1011, any other that may not be sent 3000 (each but 1005 is warned
     * about); a `reason` is cut to 123 bytes of UTF-8. For the hooks onRequest to preHandler (return it from one
     * without `done`, async or not; do not call `done` after it in another) and for error handlers. Does nothing to an upgrade that is over.
     * On a request that is no upgrade it answers by HTTP: 401 for 3000, 403 for 3003, 503 for 1012
     * and 1013, else 400.
     * @param code 3000 (Unauthorized) by default
     * @param reason for the close frame, `''` by default
     * @throws `FST_ERR_WSL_TOO_LATE_TO_REFUSE` once the upgrade is being answered: after
     * `reply.send()`, as in preSerialization, onSend and onResponse hooks, and after the 101
     */
    refuseWebsocket<Expected extends HookReturn = FastifyReply>(
      code?: number,
      reason?: string,
    ): Refused<Expected>
  }

  interface RouteShorthandOptions<
    RawServer extends RawServerBase = RawServerDefault,
    RawRequest extends RawRequestDefaultExpression<RawServer> =
      RawRequestDefaultExpression<RawServer>,
    RawReply extends RawReplyDefaultExpression<RawServer> = RawReplyDefaultExpression<RawServer>,
    RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
    ContextConfig = ContextConfigDefault,
    SchemaCompiler extends FastifySchema = FastifySchema,
    TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
    Logger extends FastifyBaseLogger = FastifyBaseLogger,
  > extends RouteLifecycleOptions<
    FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>,
    FastifyRequest<
      RouteGeneric,
      RawServer,
      RawRequest,
      NoInfer<SchemaCompiler>,
      TypeProvider,
      ContextConfig,
      Logger
    >,
    NoInfer<SchemaCompiler>,
    TypeProvider,
    RouteGeneric
  > {}

  interface RouteShorthandMethod<
    RawServer extends RawServerBase = RawServerDefault,
    RawRequest extends RawRequestDefaultExpression<RawServer> =
      RawRequestDefaultExpression<RawServer>,
    RawReply extends RawReplyDefaultExpression<RawServer> = RawReplyDefaultExpression<RawServer>,
    TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
    Logger extends FastifyBaseLogger = FastifyBaseLogger,
  > {
    /** A WebSocket route: `handler` is given the socket. */
    <
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
    >(
      path: string,
      opts: WithoutMessageSchema<
        RouteShorthandOptions<
          RawServer,
          RawRequest,
          RawReply,
          RouteGeneric,
          ContextConfig,
          SchemaCompiler,
          TypeProvider,
          Logger
        >,
        RouteGeneric
      > & { websocket: true },
      handler: WebsocketHandler<
        RawServer,
        RawRequest,
        RouteGeneric,
        ContextConfig,
        SchemaCompiler,
        TypeProvider,
        Logger,
        RawReply
      >,
    ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>

    /** A WebSocket route: `handler` is given the socket; its schema speaks of messages. */
    <
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
    >(
      path: string,
      opts: RouteShorthandOptions<
        RawServer,
        RawRequest,
        RawReply,
        RouteGeneric,
        ContextConfig,
        SchemaCompiler,
        TypeProvider,
        Logger
      > & { websocket: true },
      handler: WebsocketHandler<
        RawServer,
        RawRequest,
        RouteGeneric,
        ContextConfig,
        SchemaCompiler,
        TypeProvider,
        Logger,
        RawReply
      >,
    ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>

    /** A WebSocket route whose handler, which is given the socket, stands in the options. */
    <
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
    >(
      path: string,
      opts: WithoutMessageSchema<
        RouteShorthandOptions<
          RawServer,
          RawRequest,
          RawReply,
          RouteGeneric,
          ContextConfig,
          SchemaCompiler,
          TypeProvider,
          Logger
        >,
        RouteGeneric
      > & {
        websocket: true
        handler: WebsocketHandler<
          RawServer,
          RawRequest,
          RouteGeneric,
          ContextConfig,
          NoInfer<SchemaCompiler>,
          TypeProvider,
          Logger,
          RawReply
        >
      },
    ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>

    /** A WebSocket route whose handler, which is given the socket, stands in the options; its schema speaks of messages. */
    <
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
    >(
      path: string,
      opts: RouteShorthandOptions<
        RawServer,
        RawRequest,
        RawReply,
        RouteGeneric,
        ContextConfig,
        SchemaCompiler,
        TypeProvider,
        Logger
      > & {
        websocket: true
        handler: WebsocketHandler<
          RawServer,
          RawRequest,
          RouteGeneric,
          ContextConfig,
          NoInfer<SchemaCompiler>,
          TypeProvider,
          Logger,
          RawReply
        >
      },
    ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>
  }
}
