import type { TestContext } from 'node:test'
import Fastify, { type FastifyBaseLogger } from 'fastify'
import { Redis as Ioredis } from 'ioredis'
import { connectRedis } from '../../../lib/redis/connect.js'
import type { Here } from '../../../lib/redis/here.js'
import type { LocalMember, LocalMembers } from '../../../lib/redis/local-members.js'
import { Keeper } from '../../../lib/redis/keeper.js'
import { Mail } from '../../../lib/redis/mail.js'
import { Names } from '../../../lib/redis/names.js'
import { Places } from '../../../lib/redis/places.js'
import { Presence } from '../../../lib/redis/presence.js'
import type { Redis } from '../../../lib/redis/redis.js'
import { Requests } from '../../../lib/redis/requests.js'
import type { Clock } from '../../../lib/time/clock.js'
import { type LogLine, logLines } from '../servers/log-lines.js'
import { patientClock } from '../time/patient-clock.js'
import { CLIENTS, type Connect } from './clients.js'
import type { RedisServer } from './redis-server.js'

/** Looks into a Redis. */
export function lookInto(t: TestContext, { port }: RedisServer): Ioredis {
  const db = new Ioredis(port)
  db.on('error', () => {})
  t.after(() => db.disconnect())
  return db
}

/** Members that are no connections. */
export class ListedMembers implements LocalMembers {
  readonly byKey: Map<string, LocalMember[]> = new Map()
  readonly sent: Array<string | Uint8Array> = []
  readonly closed: Array<{ key: string; code: number; reason: string }> = []

  add(key: string, ...ids: string[]): void {
    const members = ids.map((id) => ({ id, route: '/', openedAt: 1, suspended: false }))
    this.byKey.set(key, [...(this.byKey.get(key) ?? []), ...members])
  }

  has(key: string): boolean {
    return this.byKey.has(key)
  }

  find(key: string): Iterable<LocalMember> {
    return this.byKey.get(key) ?? []
  }

  async close(key: string, code: number, reason: string): Promise<number> {
    const { length } = this.byKey.get(key) ?? []
    this.byKey.delete(key)
    this.closed.push({ key, code, reason })
    return length
  }

  send(key: string, data: string | Uint8Array): void {
    if (this.has(key)) this.sent.push(data)
  }
}

export interface NodeSetup {
  readonly id?: string
  readonly clock?: Clock
  readonly connect?: Connect
  /** Puts something between the parts and Redis. */
  readonly through?: (redis: Redis) => Redis
}

/** One of several nodes, made by hand: its lease lasts for ever. */
export class TestNode implements Here {
  id: string
  fence = 1
  isConnected = true
  readonly names: Names = new Names('wsl')
  readonly redis: Redis
  readonly clock: Clock
  readonly log: FastifyBaseLogger
  readonly lines: readonly LogLine[]
  readonly members: ListedMembers = new ListedMembers()
  readonly keeper: Keeper
  readonly presence: Presence
  readonly mail: Mail
  readonly requests: Requests
  readonly places: Places

  private constructor(id: string, redis: Redis, clock: Clock) {
    const { lines, fastify } = logLines()
    this.id = id
    this.redis = redis
    this.clock = clock
    this.log = Fastify(fastify).log
    this.lines = lines
    this.keeper = new Keeper(this)
    this.presence = new Presence(this, this.keeper)
    this.mail = new Mail(this)
    this.requests = new Requests(this, this.mail, this.members, this.presence)
    this.places = new Places(this, this.keeper, this.mail)
  }

  static async start(
    t: TestContext,
    { port }: RedisServer,
    { id = 'a', clock = patientClock, connect, through = (redis) => redis }: NodeSetup = {},
  ): Promise<TestNode> {
    const open = connect ?? CLIENTS['ioredis 6']
    if (open === undefined) throw new Error('Expected a client')
    const { client, quit } = await open(port)
    const log = Fastify().log
    const redis = connectRedis(client, clock, log)
    t.after(async () => {
      await redis.close()
      quit()
    })
    const node = new TestNode(id, through(redis), clock)
    redis.onReconnect(() => node.writeAgain())
    await node.mail.hear(node.id)
    await node.live()
    return node
  }

  /** Has a lease from now on. */
  async live(): Promise<void> {
    await this.redis.command('ZADD', this.names.nodes, 9e15, this.id)
  }

  /** A survivor has claimed it: it has a new name. */
  async fenceAs(id: string): Promise<void> {
    for (const part of [this.keeper, this.mail]) {
      part.cutOff()
      part.fenced()
    }
    await this.mail.hear(id)
    this.id = id
    await this.live()
    this.writeAgain()
  }

  writeAgain(): void {
    this.keeper.writeAgain()
    this.mail.writeAgain()
  }
}
