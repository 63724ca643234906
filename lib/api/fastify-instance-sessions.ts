// The overloads of routes with `resume`: no other overload takes it, and these take nothing else.
//
// `fastify-instance.ts` imports this file, so TypeScript tries the overloads there first. That matters
// where the options are `any`: such a handler gets a LifecycleSocket.
export type {} from '@fastify/websocket'
import type { ContextConfigDefault, RouteGenericInterface } from 'fastify'
import type { WebsocketSessionHandler } from './websocket-handler.js'
import type { WithSession } from './with-session.js'
import type { WithoutMessageSchema } from './without-message-schema.js'

declare module 'fastify' {
  interface FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider> {
    /** A WebSocket route with `resume`: `handler` is given a session. */
    route<
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
    >(
      opts: WithoutMessageSchema<
        WithSession<
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
          SchemaCompiler,
          TypeProvider,
          Logger,
          RawReply
        >
      },
    ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>

    /** A WebSocket route with `resume`: `handler` is given a session; its schema has a `message`. */
    route<
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
    >(
      opts: WithSession<
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
          SchemaCompiler,
          TypeProvider,
          Logger,
          RawReply
        >
      },
    ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>

    /** An HTTP route that is a WebSocket route with `resume` too: `wsHandler` is given a session. */
    route<
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
    >(
      opts: WithoutMessageSchema<
        WithSession<
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
          NoInfer<SchemaCompiler>,
          TypeProvider,
          RouteGeneric
        >,
        RouteGeneric
      > & {
        wsHandler: WebsocketSessionHandler<
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

    /** An HTTP route that is a WebSocket route with `resume` too: `wsHandler` is given a session; its schema has a `message`. */
    route<
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
    >(
      opts: WithSession<
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
        NoInfer<SchemaCompiler>,
        TypeProvider,
        RouteGeneric
      > & {
        wsHandler: WebsocketSessionHandler<
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
}
