// Real Redis servers, on the disk, so that they may be started again with their data.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { freePort } from '../../../examples/cluster/free-port.js'

export class Store {
  readonly port: number
  readonly admin: Redis
  readonly #folder: string
  #child: ChildProcess | undefined

  private constructor(port: number, folder: string) {
    this.port = port
    this.#folder = folder
    this.admin = new Redis(port, {
      lazyConnect: true,
      retryStrategy: () => 50,
      maxRetriesPerRequest: null,
    })
    this.admin.on('error', () => {})
  }

  static async start(folder: string): Promise<Store> {
    const port = await freePort()
    const store = new Store(port, join(folder, `redis-${port}`))
    mkdirSync(store.#folder)
    await store.start()
    return store
  }

  async start(): Promise<void> {
    const fixed = ['--port', String(this.port), '--dir', this.#folder, '--save', '']
    // With a disk that is slow, `everysec` answers before it has written, or stands still for seconds.
    const kept = ['--appendonly', 'yes', '--appendfsync', 'no']
    this.#child = spawn('redis-server', [...fixed, ...kept], { stdio: 'ignore' })
    for (;;) {
      if (this.#child.exitCode !== null) throw new Error('redis-server has ended at its start')
      const answer = await this.#ping()
      if (answer === 'PONG') return
      await wait(20)
    }
  }

  /** It ends as if it were killed, or as at a deploy. What it has answered is written. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }

  kill(): void {
    this.#child?.kill('SIGKILL')
  }

  forget(): void {
    rmSync(this.#folder, { recursive: true })
    mkdirSync(this.#folder)
  }

  async close(): Promise<void> {
    this.admin.disconnect()
    await this.end('SIGKILL')
  }

  /** @returns `undefined` while it loads its data, or is not there */
  async #ping(): Promise<string | undefined> {
    const client = new Redis(this.port, { lazyConnect: true, retryStrategy: () => null })
    client.on('error', () => {})
    try {
      await client.connect()
      return await client.ping()
    } catch {
      return undefined
    } finally {
      client.disconnect()
    }
  }
}

/** Every key, and how long it is kept, in ms; negative if for ever. */
export async function keysOf({ admin }: Store): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  let cursor = '0'
  do {
    const [next, keys] = await admin.scan(cursor, 'COUNT', 500)
    cursor = next
    const ttls = await Promise.all(keys.map((key) => admin.pttl(key)))
    // -2: it is gone by now.
    for (const [at, key] of keys.entries()) if (ttls[at] !== -2) found.set(key, ttls[at] as number)
  } while (cursor !== '0')
  return found
}
