import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { Json } from '../api/cluster.js'
import { invalidOption } from '../errors.js'
import type { DurableSettings, RouteSettings } from '../options/settings.js'
import type { Clock } from '../time/clock.js'

/** A route whose cleanups are recorded. */
export interface DurableRoute {
  /** The URL pattern. */
  readonly url: string
  readonly instance: FastifyInstance
  readonly settings: DurableSettings
  /** How long a release may take, in ms. */
  readonly cleanupTimeout: number
}

/** What is recorded of an upgrade before its 101. */
export interface DurableEntry {
  readonly id: string
  readonly route: DurableRoute
  /** In epoch ms. */
  readonly openedAt: number
  readonly data: Json
}

/** A connection, or a session, whose cleanup is recorded. */
export interface Fenced {
  /** Does nothing if it is ending already. */
  end(cause: 'node-fenced'): void
}

/** The record of one upgrade, and then of its connection. */
export interface DurableHold {
  /** Of the upgrade, and then of its connection or session. */
  readonly id: string
  /** The upgrade became a connection, or a session. */
  opened(owner: Fenced): void
  /** It did not: there is nothing to release. */
  cancel(): void
  /**
   * The last release of all. Calls the app's, and then forgets the record; a survivor's record is let alone.
   * @throws (rejects with) what the app's release throws
   */
  release(): Promise<void>
}

/** Who has a place that is counted over all nodes. */
export interface Placed {
  /** A newer one of the same key has come, on whichever node. */
  giveWay(): void
}

/** A place that is counted over all nodes. */
export interface ClusterPlace {
  /** The upgrade became a connection, or a session. */
  handTo(owner: Placed): void
  giveBack(): void
}

/** An upgrade request with its headers as they came. */
export interface ForeignUpgrade {
  readonly message: IncomingMessage
  readonly raw: Duplex
  readonly head: Buffer
  readonly rawHeaders: readonly string[]
}

/** This server as one of several. */
export interface ClusterNode {
  /** Its name; no two that ever lived have the same. Letters, digits, `-` and `_`. */
  readonly id: string
  /** A group has its first member. */
  groupFormed(name: string): void
  /** A group has lost its last member. */
  groupEmptied(name: string): void
  /**
   * Called before somebody joins groups.
   * @param count how many groups it would be in
   * @throws FST_ERR_WSL_CLUSTER_KEY
   */
  checkGroups(names: readonly string[], count: number): void
  /** @throws (rejects with) FST_ERR_WSL_CLUSTER_UNAVAILABLE, FST_ERR_WSL_INVALID_OPTION */
  record(entry: DurableEntry): Promise<DurableHold>
  /**
   * Takes a place of a key. Whoever has too many has to give way, on whichever node.
   * @param of the route, or the server, whose limit it is
   */
  takePlace(of: string, key: string, max: number, owner: Placed): Promise<ClusterPlace>
  /**
   * Gives an upgrade that resumes a session to the node that has it.
   * @param here what to do if there is no such node, or it does not answer; called later
   * @returns `false` if the upgrade is for this node
   */
  forward(upgrade: ForeignUpgrade, token: string, here: () => void): boolean
  /**
   * How many connections each node has that is alive; `undefined`: it has not answered.
   * @throws (rejects with) FST_ERR_WSL_CLUSTER_UNAVAILABLE
   */
  countOpen(): Promise<ReadonlyMap<string, number | undefined>>
}

/** What the connections of one server have to do with other nodes. */
export class Cluster {
  readonly clock: Clock
  /** `undefined` unless a plugin makes this server one of several. */
  node: ClusterNode | undefined
  /** The routes whose cleanups are recorded, by the name of the record. */
  readonly durableRoutes: Map<string, DurableRoute> = new Map()
  /** An option that is nothing without other nodes, and its route. */
  #needs: string | undefined

  constructor(clock: Clock) {
    this.clock = clock
  }

  /**
   * @param countsEverywhere whether some of its places are counted over all nodes
   * @throws FST_ERR_WSL_INVALID_OPTION
   */
  addRoute({ url, instance, settings }: AnyRoute, countsEverywhere: boolean): void {
    const { cleanupTimeout } = settings
    const { durable } = settings.cluster
    if (countsEverywhere) this.#needs ??= `\`maxConnectionsPerKey.scope\` of route ${url}`
    if (durable === undefined) return
    this.#needs ??= `\`cluster.durable\` of route ${url}`
    const other = this.durableRoutes.get(durable.name)
    if (other !== undefined) {
      throw invalidOption(
        `Expected \`cluster.durable.name\` to be of one route, got '${durable.name}', which is that of route ${other.url}, in the options of route ${url}`,
      )
    }
    this.durableRoutes.set(durable.name, { url, instance, settings: durable, cleanupTimeout })
  }

  /**
   * The app is ready: a route may need other nodes, and then a plugin has to know them.
   * @throws FST_ERR_WSL_INVALID_OPTION
   */
  refuseAlone(): void {
    if (this.node !== undefined || this.#needs === undefined) return
    throw invalidOption(
      `Expected fastify-websocket-lifecycle/redis to be registered for ${this.#needs}, got no such plugin: register it after fastify-websocket-lifecycle`,
    )
  }
}

/** A route, as `Cluster` knows it. */
interface AnyRoute {
  readonly url: string
  readonly instance: FastifyInstance
  readonly settings: RouteSettings
}
