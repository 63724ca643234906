import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { freePort } from './free-port.js'

export interface RedisServer {
  readonly url: string
  stop(): Promise<void>
}

const HOW_TO_GET_ONE = `Expected redis-server on the PATH, or REDIS_URL. Install Redis (apt install redis-server, brew install redis), or:
  docker run --rm --detach --publish 6379:6379 redis
  REDIS_URL=redis://127.0.0.1:6379 npm run start:cluster`

/**
 * A Redis for the time of the demo; it keeps nothing.
 * @param url of one that is there already
 */
export async function startRedis(url: string | undefined): Promise<RedisServer> {
  if (url !== undefined) return { url, stop: async () => {} }
  if (spawnSync('redis-server', ['--version']).error !== undefined) throw new Error(HOW_TO_GET_ONE)
  const port = await freePort()
  const options = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  // It ends when its input does: also if this process is killed. In a group of its own it outlives the nodes on Ctrl+C.
  const child = spawn('sh', ['-c', 'redis-server "$@" & read _; kill $!; wait', 'sh', ...options], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const closed = once(child, 'close')
  await listening(createInterface(child.stdout))
  child.stdout.resume()
  return {
    url: `redis://127.0.0.1:${port}`,
    stop: async () => {
      child.stdin.end()
      await closed
    },
  }
}

async function listening(lines: AsyncIterable<string>): Promise<void> {
  const said: string[] = []
  for await (const line of lines) {
    said.push(line)
    if (line.includes('Ready to accept connections')) return
  }
  throw new Error(`redis-server has ended: ${said.join('\n')}`)
}
