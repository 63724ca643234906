/**
 * The names of all keys and channels. What stands in braces is the hash tag of Redis Cluster: keys with the same one are
 * on the same shard, so one script may touch them.
 */
export class Names {
  readonly #prefix: string

  constructor(prefix: string) {
    this.#prefix = prefix
  }

  /** A sorted set: node, and the end of its lease in ms of Redis's clock. */
  get nodes(): string {
    return `${this.#prefix}:{c}:nodes`
  }

  /** A sorted set: dead node, and until when a cleaner has it; negative: cleaned at that time. */
  get dead(): string {
    return `${this.#prefix}:{c}:dead`
  }

  /** A hash: node, and its {@link NodeInfo} as JSON. `claim:<node>`: the fence of its cleaner. */
  get info(): string {
    return `${this.#prefix}:{c}:info`
  }

  /** A string: the last fence. */
  get fence(): string {
    return `${this.#prefix}:{c}:fence`
  }

  /** A string, if a survivor has claimed the node: nothing may be written under its name any more. */
  sealOf(node: string): string {
    return `${this.#prefix}:{n:${node}}:sealed`
  }

  /** A hash: id of a connection, and its record as JSON. */
  durableOf(node: string): string {
    return `${this.#prefix}:{n:${node}}:durable`
  }

  /** A set: the keys {@link Names.holdersOf} and {@link Names.placesOf} in which the node stands, for whoever sweeps it. */
  keysOf(node: string): string {
    return `${this.#prefix}:{n:${node}}:keys`
  }

  /** A set: the nodes that have members of a group. */
  holdersOf(key: string): string {
    return `${this.#prefix}:{k:${key}}`
  }

  /** A sorted set: `<node>.<id>` of who has a place of a key, and when it was taken in µs of Redis's clock. */
  placesOf(of: string, key: string): string {
    return `${this.#prefix}:{p:${of}:${key}}`
  }

  /** The channel on which a node hears requests and answers. */
  channelOf(node: string): string {
    return `${this.#prefix}:n:${node}`
  }
}
