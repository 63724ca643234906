import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { freePort } from '../../../examples/cluster/free-port.js'

/** A real Redis. */
export interface RedisServer {
  readonly port: number
  /** Starts it again, on the same port, with nothing in it. */
  start(): Promise<void>
  /** It ends as it would at a deploy. */
  stop(): Promise<void>
  /** It ends as if its machine had lost power. */
  kill(): Promise<void>
  /** It stands still, with all its connections. */
  pause(): void
  resume(): void
}

export interface Cleanup {
  after(callback: () => Promise<void>): void
}

/**
 * Starts a `redis-server` that writes nothing to the disk.
 * @param options more arguments, such as `--cluster-enabled yes`; a file of settings comes first
 */
export async function startRedis(t: Cleanup, ...options: string[]): Promise<RedisServer> {
  return startRedisAt(t, await freePort(), ...options)
}

/** The same, on a port that somebody knows already. */
export async function startRedisAt(
  t: Cleanup,
  port: number,
  ...options: string[]
): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'redis-'))
  let child: ChildProcess | undefined
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    child.kill('SIGCONT')
    await exited
  }
  const server: RedisServer = {
    port,
    async start() {
      const fixed = ['--port', String(port), '--dir', folder, '--save', '', '--appendonly', 'no']
      child = spawn('redis-server', [...options, ...fixed], { stdio: 'ignore' })
      dieWithUs(child)
      await answers(port, child)
    },
    stop: async () => end('SIGTERM'),
    kill: async () => end('SIGKILL'),
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
  }
  t.after(async () => {
    await server.kill()
    rmSync(folder, { recursive: true })
  })
  await server.start()
  return server
}

/** Sends one command as a line of text, such as `SET a 1`. Resolves with the first bytes of the answer. */
export async function tell(port: number, command: string): Promise<string> {
  const socket = createConnection(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    socket.write(`${command}\r\n`)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    return answer.toString()
  } finally {
    socket.destroy()
  }
}

/** A test that is killed cannot clean up. Its pipes are closed, and somebody who reads one sees that. */
function dieWithUs(child: ChildProcess): void {
  const guard = spawn('sh', ['-c', `read line; kill -9 ${child.pid}`], {
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  guard.unref()
  child.once('exit', () => guard.kill())
}

/** There is no event for it: another process begins to listen. */
async function answers(port: number, child: ChildProcess): Promise<void> {
  while (child.exitCode === null) {
    const answer = await tell(port, 'PING').catch(() => '')
    if (answer.startsWith('+PONG')) return
    await wait(10)
  }
  throw new Error(`Expected a redis-server on port ${port}, it has ended with ${child.exitCode}`)
}
