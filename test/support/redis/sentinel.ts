import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Cleanup, type RedisServer, startRedis, tell } from './redis-server.js'

/** By which name the sentinel knows the Redis that it watches. */
export const WATCHED = 'main'

/** A primary, its replica, and a sentinel that promotes the replica when it is told to. */
export interface Watched {
  /** Of the sentinel. */
  readonly port: number
  readonly primary: RedisServer
  readonly replica: RedisServer
  /** The primary is gone. A sentinel that finds that out by itself may err, on a busy machine. */
  failOver(): Promise<void>
}

export async function startWatched(t: Cleanup): Promise<Watched> {
  const primary = await startRedis(t, '--repl-diskless-sync-delay', '0')
  const replica = await startRedis(t, '--replicaof', '127.0.0.1', String(primary.port))
  await says(replica.port, 'INFO replication', 'master_link_status:up')
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-'))
  t.after(async () => rmSync(folder, { recursive: true }))
  const settings = join(folder, 'sentinel.conf')
  writeFileSync(
    settings,
    `sentinel monitor ${WATCHED} 127.0.0.1 ${primary.port} 1
sentinel down-after-milliseconds ${WATCHED} 60000
sentinel failover-timeout ${WATCHED} 1000
`,
  )
  const { port } = await startRedis(t, settings, '--sentinel')
  await says(port, `SENTINEL replicas ${WATCHED}`, String(replica.port))
  const failOver = async (): Promise<void> => says(port, `SENTINEL FAILOVER ${WATCHED}`, '+OK')
  return { port, primary, replica, failOver }
}

async function says(port: number, command: string, what: string): Promise<void> {
  while (!(await tell(port, command)).includes(what));
}
