// What we add to Fastify's own types. The app (`FastifyInstance`) and the shorthands (`app.get`) have files
// of their own. A module that imports this file gets those two as well. (An `import type {}` would not reach
// the declaration file.)
export type * from './fastify-instance.js'
export type * from './route-shorthand-method.js'
import type {
  ContextConfigDefault,
  FastifyBaseLogger,
  FastifyReply,
  FastifyTypeProvider,
  FastifyTypeProviderDefault,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerBase,
  RawServerDefault,
  RouteGenericInterface,
} from 'fastify'
import type { ConnectionScope } from '../core/scope.js'
import type { RouteLifecycleOptions } from './route-options.js'

/** What a hook may return by Fastify's types: nothing, a promise, or the reply (in an async hook). */
export type HookReturn = void | PromiseLike<unknown> | FastifyReply

/**
 * What `reply.refuseWebsocket()` returns: the reply.
 *
 * It also has the type that is expected at that place. By Fastify's types a hook of a route that is no async
 * function must return `void` or a promise, although Fastify also accepts a reply there.
 */
export type Refused<Expected extends HookReturn> = FastifyReply & Expected

declare module 'fastify' {
  interface FastifySchema {
    /**
     * The schema of the text messages of a WebSocket route. They are parsed as JSON, and `onMessage` gets the
     * value.
     */
    message?: unknown
  }

  interface RequestGenericInterface {
    /** The type of the messages that `onMessage` gets, where no schema says it. */
    Message?: unknown
  }

  interface FastifyRequest {
    /**
     * The scope of the connection that this upgrade request will become: it holds resources, and releases
     * them at the end. `undefined` on every other request.
     */
    wsScope: ConnectionScope | undefined
  }

  interface FastifyReply {
    /**
     * Refuses an upgrade so that a page in a browser can see why: with a 101, and at once a close frame (RFC
     * 6455 §7.4). Use it when authentication has failed, for instance. Neither the handler nor a further hook
     * runs, and the socket ends within `closeTimeout`. Does nothing to an upgrade that is over.
     *
     * Call it in a hook (onRequest to preHandler) or in an error handler. From a hook without `done`, async
     * or not, return what it returns. In a hook with `done`, do not call `done` after it.
     *
     * A `code` of 1005 sends a close frame without a code. 1006 and 1015 become 1011, any other that may not
     * be sent becomes 3000; there is a warning in the log for these. A `reason` is cut to 123 bytes of UTF-8.
     *
     * On a request that is no upgrade it answers by HTTP: 401 for 3000, 403 for 3003, 503 for 1012 and 1013,
     * else 400.
     * @param code 3000 (Unauthorized) by default
     * @param reason of the close frame, `''` by default
     * @throws `FST_ERR_WSL_TOO_LATE_TO_REFUSE` once the upgrade is being answered: after `reply.send()`, so
     * also in preSerialization, onSend and onResponse hooks, and after the 101
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
}
