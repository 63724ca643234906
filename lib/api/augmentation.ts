// What Fastify's own types get from us. The app and the shorthands (`app.get`) have files of their own: who imports this one
// has those too. (An `import type {}` would not reach the declaration file.)
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

/** What the types of Fastify allow a hook to return, and what they make of a reply in an async one. */
export type HookReturn = void | PromiseLike<unknown> | FastifyReply

/**
 * What `reply.refuseWebsocket()` returns: the reply. A hook of a route that is no async function has to return `void` or
 * a promise by the types of Fastify, although it waits for a reply too: so the reply is also what is expected where it stands.
 */
export type Refused<Expected extends HookReturn> = FastifyReply & Expected

declare module 'fastify' {
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
}
