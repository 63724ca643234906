import * as ioredis from 'ioredis'
import * as ioredis5 from 'ioredis-5'
import * as iovalkey from 'iovalkey'
import * as redis from 'redis'
import * as redis5 from 'redis-5'
import type { RedisLike } from '../../../lib/redis/client.js'

/** The client of an app. */
export interface AppClient {
  readonly client: RedisLike
  readonly quit: () => void
}

/** Connects to a Redis. */
export type Connect = (port: number) => Promise<AppClient>

/** All kinds of clients that an app may have. */
export const CLIENTS: Readonly<Record<string, Connect>> = {
  'ioredis 6': async (port) => ofIoredis(new ioredis.Redis(port)),
  'ioredis 5': async (port) => ofIoredis(new ioredis5.Redis(port)),
  iovalkey: async (port) => ofIoredis(new iovalkey.Redis(port)),
  'node-redis 6': async (port) => ofNodeRedis(redis.createClient({ socket: { port } })),
  'node-redis 5': async (port) => ofNodeRedis(redis5.createClient({ socket: { port } })),
}

/** The same for a Redis Cluster. */
export const CLUSTER_CLIENTS: Readonly<Record<string, Connect>> = {
  'ioredis 6': async (port) => ofIoredis(new ioredis.Cluster([{ host: '127.0.0.1', port }])),
  'ioredis 5': async (port) => ofIoredis(new ioredis5.Cluster([{ host: '127.0.0.1', port }])),
  iovalkey: async (port) => ofIoredis(new iovalkey.Cluster([{ host: '127.0.0.1', port }])),
  'node-redis 6': async (port) => ofNodeRedis(redis.createCluster(rootAt(port))),
  'node-redis 5': async (port) => ofNodeRedis(redis5.createCluster(rootAt(port))),
}

function rootAt(port: number): { rootNodes: Array<{ url: string }> } {
  return { rootNodes: [{ url: `redis://127.0.0.1:${port}` }] }
}

type Ioredis = RedisLike & { status: string; disconnect(): void }

export async function ofIoredis(client: Ioredis): Promise<AppClient> {
  client.on('error', () => {})
  await new Promise<void>((resolve) => {
    client.on('ready', () => resolve())
  })
  return { client, quit: () => client.disconnect() }
}

type NodeRedis = RedisLike & { connect(): Promise<unknown>; destroy(): unknown }

export async function ofNodeRedis(client: NodeRedis): Promise<AppClient> {
  client.on('error', () => {})
  await client.connect()
  return { client, quit: () => client.destroy() }
}
