import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Check, HOOK } from '../options/check.js'
import { refuse, refuseUnknown } from '../options/complaints.js'

/** The options of the plugin `fastify-websocket-lifecycle/dashboard`. */
export interface WebsocketDashboardOptions {
  /**
   * Where the page is, such as `'/admin/websockets'`: the `prefix` of Fastify, which is that of each plugin.
   * @default '': the page is at `/`
   */
  prefix?: string
  /**
   * Who may look, and close connections: asked for each request, each connection of a page, and each order to close one.
   * It is called after the hooks of the app for requests of every kind, so it can use what they have found out.
   *
   * `true`, or who it is: a name that is not empty, for the log. Anything else is a no, and so is a throw or a rejection:
   * the visitor gets a 401, and no byte more. Headers that it sets on `reply` go with it, such as `www-authenticate`.
   * If it answers itself, as with `reply.redirect('/login')`, that is the answer.
   *
   * For an order it gets the last upgrade request of the page, and its reply, which was sent: `reply.sent` is `true`, and
   * whatever is done with it does nothing. After a no the page is closed.
   */
  authorize: (
    request: FastifyRequest,
    reply: FastifyReply,
  ) => boolean | string | Promise<boolean | string>
}

const WHERE = 'the options of fastify-websocket-lifecycle/dashboard'

const CHECKS: Readonly<Record<'authorize', Check>> = { authorize: HOOK }

/** @throws FST_ERR_WSL_INVALID_OPTION */
export function resolveDashboardOptions(options: WebsocketDashboardOptions): {
  readonly authorize: WebsocketDashboardOptions['authorize']
} {
  // Fastify checks `prefix` itself, and reads `logLevel` and `logSerializers` too.
  refuseUnknown(options, ['prefix', 'logLevel', 'logSerializers', 'authorize'], '', WHERE)
  const { authorize } = options
  if (!CHECKS.authorize.accepts(authorize)) refuse('authorize', CHECKS.authorize, authorize, WHERE)
  return { authorize }
}
