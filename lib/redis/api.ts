import type { LifecycleSession } from '../api/session.js'
import type { LifecycleSocket } from '../api/socket.js'
import type { RedisLike } from './client.js'
import type { CloseResult, FindResult, PublishResult } from './results.js'

/** The options of `fastify-websocket-lifecycle/redis`. */
export interface ClusterOptions {
  /**
   * The client of your app: ioredis, iovalkey or node-redis, for a single Redis, Sentinel or Redis Cluster. One
   * `duplicate()` of it is made, to hear what other nodes ask. It is yours: close it after the app.
   */
  client: RedisLike
  /** Begins the names of all keys and channels. Servers with the same one are one cluster. @default 'wsl' */
  prefix?: string
  /**
   * Where other nodes reach this one: an origin, such as `http://10.0.0.5:3000`. A client that wants to go on with a
   * session of this node, and comes to another one, is led here. Without it such a client begins a new session.
   */
  address?: string
  /**
   * How long the other nodes believe that this one lives after its last renewal, in ms; 3_000 to 300_000. It renews
   * three times in a lease. Others clean up after a dead one two leases after its last renewal, and a third of one later
   * at the latest.
   * @default 15_000
   */
  lease?: number
  /** How this node cleans up after dead ones. */
  cleanup?: CleanupOptions
}

/** How a node cleans up after dead ones. */
export interface CleanupOptions {
  /** How many releases run at the same time. @default 8 */
  concurrency?: number
  /** How many releases begin in a second, at most. @default 100 */
  rate?: number
}

/** The type of `app.websocketCluster`: this server as one of several nodes. */
export interface WebsocketCluster {
  /** The name of this node. No two have the same, and it changes when another node had to take this one for dead. */
  readonly node: string
  /**
   * Grows with every node that registers, and with every node that cleans up after a dead one. Of one connection, what
   * a survivor does has a greater one than what its own node did. It does not order two connections.
   *
   * Read it in a hook, and keep it: a node that others had to take for dead gets a new one.
   */
  readonly fence: number
  /** Whether the last renewal of the lease came through, and in time. */
  readonly connected: boolean
  /**
   * Makes a connection, or a session, a member of these groups: the same as `app.websocketLifecycle.group(key).add(who)`.
   * @throws `FST_ERR_WSL_INVALID_OPTION`, and `FST_ERR_WSL_CLUSTER_KEY` for a key that is empty or longer than 512
   * bytes, and for more than 64 groups
   */
  join(who: LifecycleSocket | LifecycleSession, ...keys: string[]): void
  /** The same as `app.websocketLifecycle.group(key).delete(who)`. @throws `FST_ERR_WSL_INVALID_OPTION` */
  leave(who: LifecycleSocket | LifecycleSession, ...keys: string[]): void
  /**
   * Who is in this group now, on all nodes; suspended sessions too. It waits at most 2 s for a node.
   * @throws (rejects with) `FST_ERR_WSL_INVALID_OPTION`, `FST_ERR_WSL_CLUSTER_KEY`; `FST_ERR_WSL_CLUSTER_UNAVAILABLE`
   * if Redis cannot be asked
   */
  find(key: string): Promise<FindResult>
  /**
   * Ends all who are in this group, on all nodes; suspended sessions too. Resolves when each has left OPEN.
   * @param code 1000 by default
   * @throws (rejects) as {@link WebsocketCluster.find}; those of this node have ended by then, if only Redis is away
   */
  close(key: string, code?: number, reason?: string): Promise<CloseResult>
  /**
   * Sends a message to all who are in this group, on all nodes. Each gets it at most once; in order, if one node
   * publishes.
   * @throws (rejects) as {@link WebsocketCluster.find}; those of this node have it by then, if only Redis is away
   */
  publish(key: string, message: string | Uint8Array): Promise<PublishResult>
}

declare module 'fastify' {
  interface FastifyInstance {
    /** This server as one of several nodes. */
    websocketCluster: WebsocketCluster
  }
}
