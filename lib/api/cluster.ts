import type { FastifyInstance, FastifyRequest } from 'fastify'

/** What JSON can carry. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [name: string]: Json }

/** What is recorded of one connection, or one session, of a route with `cluster.durable`. */
export interface DurableRecord {
  /** `socket.id`, or `session.id`. The release may run more than once: do your work once for each id. */
  readonly id: string
  /** `cluster.durable.name`. */
  readonly name: string
  /** The node that had the connection: `websocketCluster.node` there. */
  readonly node: string
  /** When the upgrade was recorded, right before its 101, in epoch ms. */
  readonly openedAt: number
  /** What `cluster.durable.data` has answered; `null` without one. */
  readonly data: Json
  /**
   * Orders all that runs for this record: that of a survivor is greater than that of the node before. Have the
   * resource refuse, for one `id`, whatever comes with a smaller one than the largest that it has seen. It does not
   * order two connections.
   */
  readonly fence: number
  /** Whether another node runs this, because the node that had the connection is gone. */
  readonly survivor: boolean
}

/** A cleanup that survives the process: see `cluster.durable`. */
export interface DurableOptions<This = FastifyInstance, Request = FastifyRequest> {
  /** The survivors of a node look for the route by this name. Each name may stand once on a server. @default the URL of the route */
  name?: string
  /**
   * What `release` needs to know, at most 4 KiB as JSON. Asked once for each upgrade, after the route's hooks, and
   * recorded before the 101. A throw is treated like a throw in a hook.
   */
  data?: (request: Request) => Json
  /**
   * Releases what the connection has held outside of this process. Called as the last release of all, for at most
   * `cleanupTimeout`; if this process dies before that, on another node. If it throws, rejects or takes too long, it
   * is tried again after 5, 10, 20 and at most 300 s, for a day. `this` is the instance of the route.
   */
  release: (this: This, record: DurableRecord) => unknown
  /**
   * What happens to connections of this route when this node has not reached Redis for as long as its lease:
   * - `continue`: they go on. Another node may then call `release` for a connection that still lives here.
   * - `close`: they end with 1012 (cause `node-fenced`), before any other node may do that.
   * @default 'continue'
   */
  whenCutOff?: 'continue' | 'close'
}

/** What a route has to do with the other nodes. Needs the plugin `fastify-websocket-lifecycle/redis`. */
export interface ClusterRouteOptions<This = FastifyInstance, Request = FastifyRequest> {
  durable?: DurableOptions<This, Request>
}
