// The overloads of routes with `resume`: no other overload takes it, and these take nothing else.
//
// `route-shorthand-method.ts` imports this file, so TypeScript tries the overloads there first. That matters
// where the options are `any`: such a handler gets a LifecycleSocket.
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
import type { WebsocketSessionHandler } from './websocket-handler.js'
import type { WithSession } from './with-session.js'
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
    /** A WebSocket route with `resume`: `handler` is given a session. */
    <
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
    >(
      path: string,
      opts: WithoutMessageSchema<
        WithSession<
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
          NoInfer<SchemaCompiler>,
          TypeProvider,
          RouteGeneric
        >,
        RouteGeneric
      > & { websocket: true },
      handler: WebsocketSessionHandler<
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

    /** A WebSocket route with `resume`: `handler` is given a session; its schema has a `message`. */
    <
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
    >(
      path: string,
      opts: WithSession<
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
        NoInfer<SchemaCompiler>,
        TypeProvider,
        RouteGeneric
      > & { websocket: true },
      handler: WebsocketSessionHandler<
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

    /** A WebSocket route with `resume`, with its handler in the options: `handler` is given a session. */
    <
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
    >(
      path: string,
      opts: WithoutMessageSchema<
        WithSession<
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
          NoInfer<SchemaCompiler>,
          TypeProvider,
          RouteGeneric
        >,
        RouteGeneric
      > & {
        websocket: true
        handler: WebsocketSessionHandler<
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

    /** A WebSocket route with `resume`, with its handler in the options: `handler` is given a session; its schema has a `message`. */
    <
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
    >(
      path: string,
      opts: WithSession<
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
        NoInfer<SchemaCompiler>,
        TypeProvider,
        RouteGeneric
      > & {
        websocket: true
        handler: WebsocketSessionHandler<
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
