/** A script for Redis, in Lua. All of its keys have one hash tag. */
export interface Script {
  readonly lua: string
}

/**
 * A Redis, as the parts of this room know it. Each method rejects with FST_ERR_WSL_CLUSTER_UNAVAILABLE if the
 * client says so, or has no answer after 2 s. What it was asked may still happen later.
 */
export interface Redis {
  /** Whether what `PUBLISH` answers counts all who have heard. A Redis Cluster counts those at one of its shards. */
  readonly countsHearers: boolean
  /** The script goes in full with each call: no Redis forgets it. */
  run(
    script: Script,
    keys: readonly [string, ...string[]],
    ...args: readonly (string | number)[]
  ): Promise<unknown>
  /** @param args begin with the key */
  command(name: string, key: string, ...args: readonly (string | number)[]): Promise<unknown>
  /** @returns how many have heard it; in a Redis Cluster, where nobody knows that, never 0 */
  publish(channel: string, message: string): Promise<number>
  /** Hears a channel, over a connection of its own, also after that was lost. Resolves when Redis has confirmed it. */
  subscribe(channel: string, heard: (message: string) => void): Promise<void>
  unsubscribe(channel: string): Promise<void>
  /** Calls back whenever a connection to Redis is there again after it was lost. */
  onReconnect(callback: () => void): void
  /** Ends what it has opened. The app's client stays. */
  close(): Promise<void>
}
