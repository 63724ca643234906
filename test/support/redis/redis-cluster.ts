import { setTimeout as wait } from 'node:timers/promises'
import { freePort } from '../../../examples/cluster/free-port.js'
import { type Cleanup, type RedisServer, startRedis, tell } from './redis-server.js'

/** How many slots a Redis Cluster has. */
const SLOTS = 16_384

/** A Redis Cluster of three primaries. One that is killed and started again is still of it. */
export async function startCluster(t: Cleanup): Promise<readonly RedisServer[]> {
  const servers: RedisServer[] = []
  const buses: number[] = []
  // One after the other: a port that is free for two is taken by one.
  for (let i = 0; i < 3; i++) {
    const bus = await freePort()
    buses.push(bus)
    const options = ['--cluster-enabled', 'yes', '--cluster-port', String(bus)]
    servers.push(await startRedis(t, ...options))
  }
  for (const [index, { port }] of servers.entries()) {
    const from = Math.ceil((index * SLOTS) / servers.length)
    const to = Math.ceil(((index + 1) * SLOTS) / servers.length) - 1
    await tell(port, `CLUSTER SET-CONFIG-EPOCH ${index + 1}`)
    await tell(port, `CLUSTER ADDSLOTSRANGE ${from} ${to}`)
    await tell(port, `CLUSTER MEET 127.0.0.1 ${servers[0]?.port} ${buses[0]}`)
  }
  for (const { port } of servers) await isOk(port)
  return servers
}

/** All slots are served, as this one knows. */
export async function isOk(port: number): Promise<void> {
  while (true) {
    const info = await tell(port, 'CLUSTER INFO')
    const nodes = await tell(port, 'CLUSTER NODES')
    const isWhole = nodes.match(/ connected \d+-\d+/g)?.length === 3
    if (info.includes('cluster_state:ok') && isWhole) return
    await wait(20)
  }
}
