import type { FastifyBaseLogger } from 'fastify'
import type { Clock } from '../time/clock.js'
import type { Names } from './names.js'
import type { Redis } from './redis.js'

/** What a node tells of itself. */
export interface NodeInfo {
  /** Where other nodes reach it: an origin, such as `http://10.0.0.5:3000`; `undefined` if they do not. */
  readonly address: string | undefined
  /** The names that it had before it was fenced: sessions that outlived that still have tokens with them. */
  readonly formerly: readonly string[]
}

/** This node, as the parts that keep something under its name know it. */
export interface Here {
  /** Changes when the node was fenced. */
  readonly id: string
  readonly fence: number
  /** Whether the last renewal came through, and in time. */
  readonly isConnected: boolean
  readonly names: Names
  readonly redis: Redis
  readonly clock: Clock
  readonly log: FastifyBaseLogger
}

/** This node among the others. */
export interface Among extends Here {
  /** The other nodes whose lease was live at the last renewal or look; also by their former names. */
  readonly others: ReadonlyMap<string, NodeInfo>
  /** Whether this is its name, or was one before it was fenced. */
  isNamed(id: string): boolean
  /** Brings {@link others} up to date, if Redis can be asked. Never rejects. */
  look(): Promise<void>
}

/** A part that keeps something in Redis under the name of this node. */
export interface Part {
  /**
   * This node is registered, under a new name if it was fenced, or Redis may have lost something: writes everything
   * again.
   */
  writeAgain(): void
  /** A survivor has what was recorded under the name that this node still has, until `writeAgain`. */
  fenced(): void
  /** This node has not renewed its lease in time. Called once for each outage. */
  cutOff(): void
  /**
   * This node leaves: resolves when nothing is left in Redis.
   * @throws (rejects) if something is: then a survivor takes it, as if this node had died
   */
  leave(): Promise<void>
}
