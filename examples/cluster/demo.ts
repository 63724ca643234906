import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { Balancer } from './balancer.js'
import { NodeProcess } from './nodes.js'
import { type RedisServer, startRedis } from './redis.js'
import { buildSite } from './site.js'
import { Visitors } from './visitors.js'
import { Watch } from './watch.js'

export interface ClusterDemoOptions {
  readonly host?: string
  readonly port?: number
  /** Of a Redis that is there already. */
  readonly redisUrl?: string | undefined
  /** How many clients of the demo's own there are. */
  readonly visitors?: number
  /** How often one of them leaves and another one comes, in ms; never if not given. */
  readonly stir?: number
  /** How long a node that was killed stays away, in ms. */
  readonly awayFor?: number
}

/** A Redis, three nodes, and a balancer with a page. */
export class ClusterDemo {
  readonly url: string
  readonly #redis: RedisServer
  readonly #nodes: readonly NodeProcess[]
  readonly #site: FastifyInstance
  readonly #visitors: Visitors

  private constructor(
    redis: RedisServer,
    nodes: readonly NodeProcess[],
    site: FastifyInstance,
    visitors: Visitors,
    url: string,
  ) {
    this.#redis = redis
    this.#nodes = nodes
    this.#site = site
    this.#visitors = visitors
    this.url = url
  }

  static async open(options: ClusterDemoOptions = {}): Promise<ClusterDemo> {
    const { host = '127.0.0.1', port = 0, awayFor = 8_000, visitors = 0 } = options
    const redis = await startRedis(options.redisUrl)
    const prefix = `wsl-demo-${randomBytes(4).toString('hex')}` // a Redis may have other users
    const common = { redisUrl: redis.url, prefix, awayFor }
    const nodes = await Promise.all([1, 2, 3].map((number) => NodeProcess.start(number, common)))
    const site = await buildSite(nodes, new Balancer(nodes), new Watch(nodes))
    await site.listen({ host, port })
    const { port: taken } = site.server.address() as AddressInfo
    const url = `http://${host.includes(':') ? `[${host}]` : host}:${taken}`
    const room = new Visitors(`ws://127.0.0.1:${taken}/room`)
    const demo = new ClusterDemo(redis, nodes, site, room, url)
    await room.moveIn(visitors)
    if (options.stir !== undefined) room.stir(options.stir)
    return demo
  }

  async close(): Promise<void> {
    this.#visitors.leave()
    await this.#site.close()
    await Promise.all(this.#nodes.map((node) => node.close()))
    await this.#redis.stop()
  }
}
