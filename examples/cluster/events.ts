/** A session, as others see it. */
export interface Who {
  readonly id: string
  readonly name: string
}

/** What the room tells a client. */
export type RoomEvent =
  | ({ readonly type: 'welcome' | 'back' } & Way & { readonly you: Who })
  | { readonly type: 'said'; readonly from: Who; readonly node: number; readonly text: string }
  /** How many nodes got what the client has said. */
  | { readonly type: 'reached'; readonly nodes: number; readonly unreached: number }
  /** A node counts aloud: who hears a gap has missed something. `run` is the name of its process. */
  | { readonly type: 'beat'; readonly node: number; readonly run: string; readonly n: number }

/** How a connection came. */
export interface Way {
  /** The node that has the session. */
  readonly node: number
  /** The node to which the balancer has sent the connection. */
  readonly through: number
}

/** What a node tells of itself. */
export interface NodeView {
  /** Its name in the cluster. */
  readonly id: string
  readonly fence: number
  readonly connected: boolean
}

/** What a node knows of all. */
export interface ClusterView {
  readonly found: ReadonlyArray<{
    readonly id: string
    readonly node: string
    readonly suspended: boolean
  }>
  /** Nodes that were asked, and did not answer. */
  readonly unreached: readonly string[]
  /** How many seats are taken. */
  readonly seats: number
  readonly cleanups: readonly Cleanups[]
}

/** Seats that a survivor has given back for a dead node. */
export interface Cleanups {
  readonly of: number
  readonly by: number
  readonly count: number
}

export type NodeState = 'starting' | 'up' | 'killed'

/** A node, as the page shows it. */
export interface NodeRow extends Partial<NodeView> {
  readonly number: number
  readonly state: NodeState
  /** Since when, in epoch ms. */
  readonly since: number
  /** The others wait for its answer. */
  readonly isUnreached: boolean
  readonly here: ReadonlyArray<Who & { readonly suspended: boolean }>
}

export interface Board {
  readonly nodes: readonly NodeRow[]
  readonly seats: number
  readonly cleanups: readonly Cleanups[]
}
