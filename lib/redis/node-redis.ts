import { Deferred } from '../platform/deferred.js'
import type { Clock, Timer } from '../time/clock.js'
import { type Dialect, hear, type Line, type LineEvents, type RedisLike } from './client.js'

/** What node-redis can do, and its Cluster but for {@link NodeRedisCluster}. */
type NodeRedis = RedisLike & {
  readonly isOpen: boolean
  readonly isReady: boolean
  duplicate(overrides: object): NodeRedis
  sendCommand(words: readonly string[]): Promise<unknown>
  connect(): Promise<unknown>
  /** Returns a promise if it is of a Sentinel. */
  destroy(): unknown
  subscribe(channel: string, listener: (message: string, channel: string) => void): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
}

type NodeRedisCluster = Omit<NodeRedis, 'sendCommand'> & {
  /** By address. */
  readonly nodeByAddress: ReadonlyMap<string, { readonly client?: RedisLike }>
  sendCommand(
    key: string | undefined,
    isReadonly: boolean,
    words: readonly string[],
  ): Promise<unknown>
}

/** `createSentinel`, from node-redis 6 on: that of 5 cannot be duplicated. */
type NodeRedisSentinel = Omit<NodeRedis, 'sendCommand'> & {
  sendCommand(isReadonly: boolean, words: readonly string[]): Promise<unknown>
}

/** After how many ms a line that has given up is opened again. */
const OPEN_AGAIN = 1_000

export class NodeRedisDialect implements Dialect {
  readonly isCluster = false
  readonly #client: NodeRedis
  readonly #clock: Clock

  constructor(client: RedisLike, clock: Clock) {
    this.#client = client as NodeRedis
    this.#clock = clock
  }

  async send(words: readonly string[]): Promise<unknown> {
    return this.#client.sendCommand(words)
  }

  openLine(events: LineEvents): Line {
    return new NodeRedisLine(
      this.#client.duplicate({ disableOfflineQueue: false }),
      events,
      this.#clock,
    )
  }

  onReconnect(callback: () => void): () => void {
    let wasReady = this.#client.isReady
    return hear(this.#client, {
      ready: () => {
        if (wasReady) callback()
        wasReady = true
      },
    })
  }
}

export class NodeRedisSentinelDialect extends NodeRedisDialect {
  readonly #sentinel: NodeRedisSentinel

  constructor(client: RedisLike, clock: Clock) {
    super(client, clock)
    this.#sentinel = client as NodeRedisSentinel
  }

  override async send(words: readonly string[]): Promise<unknown> {
    return this.#sentinel.sendCommand(false, words)
  }
}

export class NodeRedisClusterDialect implements Dialect {
  readonly isCluster = true
  readonly #client: NodeRedisCluster
  readonly #clock: Clock

  constructor(client: RedisLike, clock: Clock) {
    this.#client = client as NodeRedisCluster
    this.#clock = clock
  }

  async send(words: readonly string[], key: string | undefined): Promise<unknown> {
    return this.#client.sendCommand(key, false, words)
  }

  openLine(events: LineEvents): Line {
    // One connection is enough to subscribe: the others would be opened at once.
    const line = this.#client.duplicate({ minimizeConnections: true })
    return new NodeRedisLine(line, events, this.#clock)
  }

  onReconnect(callback: () => void): () => void {
    const client = this.#client
    const nodes = new Set<RedisLike>()
    /** A node of the Cluster is there for the first time. From then on it says so itself: node-redis 5 does not. */
    const watch = (): void => {
      for (const { client: node } of client.nodeByAddress.values()) {
        if (node === undefined || nodes.has(node)) continue
        nodes.add(node)
        node.on('ready', callback)
        if (isConnected) callback()
      }
    }
    let isConnected = false
    watch()
    isConnected = client.isOpen
    const stop = hear(client, {
      connect: () => {
        isConnected = true
      },
      'node-ready': watch,
    })
    return () => {
      stop()
      for (const node of nodes) node.off('ready', callback)
    }
  }
}

class NodeRedisLine implements Line {
  readonly #line: NodeRedis
  readonly #events: LineEvents
  readonly #clock: Clock
  #timer: Timer | undefined
  #isClosed = false
  /** A Cluster that is not open yet takes no command. */
  readonly #opened = new Deferred<void>()

  constructor(line: NodeRedis, events: LineEvents, clock: Clock) {
    this.#line = line
    this.#events = events
    this.#clock = clock
    hear(line, { ready: events.ready, error: (error: unknown) => this.#failed(error) })
    this.#open()
  }

  async subscribe(channel: string): Promise<unknown> {
    await this.#opened.promise
    return this.#line.subscribe(channel, this.#heard)
  }

  async unsubscribe(channel: string): Promise<unknown> {
    await this.#opened.promise
    return this.#line.unsubscribe(channel)
  }

  close(): void {
    this.#isClosed = true
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    if (!this.#line.isOpen) return
    Promise.resolve(this.#line.destroy()).catch(this.#events.failed)
  }

  readonly #heard = (message: string, channel: string): void => {
    this.#events.heard(channel, message)
  }

  #open(): void {
    this.#timer = undefined
    this.#line.connect().then(
      () => {
        this.#opened.resolve()
        this.#events.ready()
      },
      (error: unknown) => this.#failed(error),
    )
  }

  #failed(error: unknown): void {
    if (this.#isClosed) return
    this.#events.failed(error)
    // Otherwise node-redis tries again by itself.
    if (this.#line.isOpen || this.#timer !== undefined) return
    this.#timer = this.#clock.setTimeout(() => this.#open(), OPEN_AGAIN)
    this.#timer.unref()
  }
}
