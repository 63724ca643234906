/**
 * The client of an app: of ioredis or iovalkey (also their `Cluster`), or of node-redis (also `createCluster`, and
 * `createSentinel` of node-redis 6). Each is told by what it can do, so this package depends on none of them.
 */
export type RedisLike = Duplicable & (Calls | SendsCommands)

interface Duplicable {
  duplicate(...args: never[]): object
  on(event: string, listener: (...args: unknown[]) => void): unknown
  off(event: string, listener: (...args: unknown[]) => void): unknown
}

interface Calls {
  call(...args: never[]): unknown
}

interface SendsCommands {
  sendCommand(...args: never[]): unknown
}

/** What a connection that only hears tells. */
export interface LineEvents {
  /** It is there: for the first time, or again. It may hear nothing yet. */
  readonly ready: () => void
  readonly heard: (channel: string, message: string) => void
  /** It is lost, or cannot be opened. It tries again by itself, and may call this each time. */
  readonly failed: (error: unknown) => void
}

/** A connection that only hears, made of a duplicate of the client. */
export interface Line {
  subscribe(channel: string): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  close(): void
}

/** How one kind of client is spoken to. */
export interface Dialect {
  /** Whether it knows several shards. */
  readonly isCluster: boolean
  /** @param key by which Redis Cluster finds the shard; `undefined` if any will do */
  send(words: readonly string[], key: string | undefined): Promise<unknown>
  openLine(events: LineEvents): Line
  /**
   * Calls back when a connection is there again, not when it is there for the first time. Whoever loses a shard of
   * a Redis Cluster hears of that one.
   * @returns stops that
   */
  onReconnect(callback: () => void): () => void
}

/** Hears events until the returned function is called. */
export function hear(
  client: Duplicable,
  listeners: Readonly<Record<string, (...args: never[]) => void>>,
): () => void {
  const entries = Object.entries(listeners) as Array<[string, (...args: unknown[]) => void]>
  for (const [event, listener] of entries) client.on(event, listener)
  return () => {
    for (const [event, listener] of entries) client.off(event, listener)
  }
}
