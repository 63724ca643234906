/** What the director tells a node at its start. */
export interface NodeConfig {
  /** Which process it is, in the ledger. */
  readonly process: number
  readonly ledger: string
  readonly port: number
  /** Of its line to Redis. */
  readonly redis: number
  /** A name of `CLIENTS`. */
  readonly client: string
}

/** What the director asks of a node. */
export type Order =
  | { readonly order: 'find'; readonly key: string }
  | { readonly order: 'publish'; readonly key: string; readonly message: string }
  | { readonly order: 'close'; readonly key: string }
  /** From now on no release fails. */
  | { readonly order: 'calm' }

/** What a node tells the director. */
export type Report =
  | { readonly report: 'listening' }
  /** It has claimed another node, and cleans. */
  | { readonly report: 'cleaning' }
  | { readonly report: 'answer'; readonly to: number; readonly answer: Answer }

export interface Answer {
  readonly found?: ReadonlyArray<{ readonly id: string; readonly node: string }>
  readonly closed?: number
  readonly unreached: readonly string[]
  /** Why it was rejected. */
  readonly error?: string
}
