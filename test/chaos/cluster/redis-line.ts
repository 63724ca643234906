import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

/**
 * What a line to Redis is like.
 * - `cut`: whoever connects, or is connected, gets a RST.
 * - `held`: nothing moves. When that is over, all comes late: as with a short partition of a network.
 * - `dropped`: nothing comes out. When that is over, the connections are reset.
 * - `slow`: each read comes some ms late, both ways.
 */
export type LineState = 'open' | 'cut' | 'held' | 'dropped' | { readonly slow: number }

/** Carries what comes from one side to the other one. */
function carry(from: Socket, to: Socket, line: RedisLine): void {
  let queue = Promise.resolve()
  from.on('data', (data) => {
    const { state } = line
    const dueAt = performance.now() + (typeof state === 'object' ? state.slow : 0)
    queue = queue.then(async () => {
      const left = dueAt - performance.now()
      if (left > 0) await wait(left)
      await line.untilMoving()
      if (line.state === 'dropped' || to.destroyed) return
      if (!to.write(data)) from.pause()
    })
  })
  from.on('end', () => void queue.then(() => to.end()))
  from.on('close', () => void queue.then(() => to.destroy()))
  to.on('drain', () => from.resume())
}

/** Stands between one node and Redis. */
export class RedisLine {
  /** Another Redis may take over. */
  target: number
  #state: LineState = 'open'
  #moving: Promise<void> | undefined
  #move: () => void = () => {}
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(target: number) {
    this.target = target
    this.#server = createServer((client) => void this.#join(client))
  }

  static async to(target: number): Promise<RedisLine> {
    const line = new RedisLine(target)
    line.#server.listen(0, '127.0.0.1')
    await once(line.#server, 'listening')
    return line
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get state(): LineState {
    return this.#state
  }

  set state(state: LineState) {
    const before = this.#state
    this.#state = state
    if (state === 'cut' || before === 'dropped') this.reset()
    if (state === 'held') {
      this.#moving ??= new Promise((resolve) => {
        this.#move = resolve
      })
      return
    }
    this.#moving = undefined
    this.#move()
  }

  /** Ends all connections: whoever is there connects again. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  async untilMoving(): Promise<void> {
    await this.#moving
  }

  close(): void {
    this.#server.close()
    this.#move()
    for (const socket of this.#sockets) socket.destroy()
  }

  async #join(client: Socket): Promise<void> {
    this.#keep(client)
    if (this.#state === 'cut') return void client.resetAndDestroy()
    await this.untilMoving()
    if (client.destroyed) return
    const redis = connect(this.target, '127.0.0.1')
    // node-redis 5.9 never comes back from a connection that ends in peace before anything was said.
    redis.once('error', () => client.resetAndDestroy())
    this.#keep(redis)
    for (const socket of [client, redis]) socket.setNoDelay(true)
    carry(client, redis, this)
    carry(redis, client, this)
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
  }
}
