import { type Dialect, hear, type Line, type LineEvents, type RedisLike } from './client.js'

/** What ioredis, iovalkey, and the `Cluster` of both can do. */
type Ioredis = RedisLike & {
  readonly status: string
  readonly isCluster: boolean
  call(...words: string[]): Promise<unknown>
  duplicate(...overrides: object[]): Ioredis
  subscribe(channel: string): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  disconnect(): void
}

/** In ms. */
const SLOWEST_RETRY = 2_000

/**
 * What a line needs, whatever the app has chosen for its client: to open by itself, and never to give up. It does not
 * subscribe again by itself: nobody would hear that this has failed because we close it, and that ends the process.
 */
const LINE_OPTIONS = {
  autoResubscribe: false,
  lazyConnect: false,
  enableOfflineQueue: true,
  retryStrategy: retryIn,
  clusterRetryStrategy: retryIn,
}

export class IoredisDialect implements Dialect {
  readonly #client: Ioredis

  constructor(client: RedisLike) {
    this.#client = client as Ioredis
  }

  get isCluster(): boolean {
    return this.#client.isCluster
  }

  /** A Cluster finds the key itself. */
  async send(words: readonly string[]): Promise<unknown> {
    return this.#client.call(...words)
  }

  openLine({ ready, heard, failed }: LineEvents): Line {
    const line = this.isCluster
      ? this.#client.duplicate([], LINE_OPTIONS)
      : this.#client.duplicate(LINE_OPTIONS)
    const deaf = hear(line, { ready, message: heard, error: failed })
    return {
      subscribe: async (channel) => line.subscribe(channel),
      unsubscribe: async (channel) => line.unsubscribe(channel),
      close() {
        deaf()
        // It may still fail, and an error that nobody hears is written to the console.
        line.on('error', () => {})
        line.disconnect()
      },
    }
  }

  onReconnect(callback: () => void): () => void {
    const client = this.#client
    let wasReady = client.status === 'ready'
    const ready = (): void => {
      if (wasReady) callback()
      wasReady = true
    }
    // A shard of a Cluster that comes back is a new node of it. At the start they come before `ready`.
    const nodeAdded = (): void => {
      if (wasReady && client.status === 'ready') callback()
    }
    return hear(client, { ready, ...(this.isCluster && { '+node': nodeAdded }) })
  }
}

function retryIn(times: number): number {
  return Math.min(times * 50, SLOWEST_RETRY)
}
