// TypeScript tries the overloads of a later augmentation first. This file imports `@fastify/websocket`, so
// our augmentation comes after that one, whichever of the two a user imports first. That is why a handler
// without annotations gets a LifecycleSocket. `NoInfer` keeps TypeScript from inferring the schema's type
// from hooks and handlers.
// (An `import type {}` would not reach the declaration file.)
export type {} from '@fastify/websocket'
export type * from './fastify-instance-sessions.js'
import type { ContextConfigDefault, RouteGenericInterface } from 'fastify'
import type { WebsocketLifecycle } from './lifecycle.js'
import type { WebsocketHandler } from './websocket-handler.js'
import type { WithoutMessageSchema } from './without-message-schema.js'

declare module 'fastify' {
  interface FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider> {
    /** All connections, their drain and their counters. */
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

    /** A WebSocket route: `handler` is given the socket; its schema has a `message`. */
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

    /** An HTTP route that is a WebSocket route too: `wsHandler` is given the socket; its schema has a `message`. */
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
}
