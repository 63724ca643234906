// Overloads of a later augmentation are tried first. This one comes after that of `@fastify/websocket`, whichever a user
// imports first, because this file imports it: so a handler without annotations gets a LifecycleSocket. `NoInfer` keeps
// hooks and handlers from being taken for a source of the schema's type.
// (An `import type {}` would not reach the declaration file.)
export type {} from '@fastify/websocket'
import type {
  ContextConfigDefault,
  FastifyBaseLogger,
  FastifyTypeProvider,
  FastifyTypeProviderDefault,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerBase,
  RawServerDefault,
  RouteGenericInterface,
} from 'fastify'
import type { WebsocketHandler } from './websocket-handler.js'
import type { WithoutMessageSchema } from './without-message-schema.js'

declare module 'fastify' {
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
