/** A connection, or a session, of one of the nodes. */
export interface FoundConnection {
  /** `socket.id` or `session.id`. */
  readonly id: string
  /** The node that has it: `websocketCluster.node` there. */
  readonly node: string
  /** The URL pattern of the route. */
  readonly route: string
  /** When the (first) 101 was sent, in epoch ms. */
  readonly openedAt: number
  /** Whether it is a session that waits for its client. */
  readonly suspended: boolean
}

/** What every operation over all nodes tells. */
export interface ClusterResult {
  /**
   * The nodes that have members, are alive, and did not answer within 2 s, or do not hear. What they were asked may
   * still happen there.
   */
  readonly unreached: readonly string[]
}

/** The result of `websocketCluster.find`. */
export interface FindResult extends ClusterResult {
  readonly found: readonly FoundConnection[]
}

/** The result of `websocketCluster.close`. */
export interface CloseResult extends ClusterResult {
  /** Number of connections and sessions that have left OPEN by this. */
  readonly closed: number
}

/** The result of `websocketCluster.publish`. */
export interface PublishResult extends ClusterResult {
  /** Number of nodes that have heard it, this one included if it has members. */
  readonly nodes: number
}
