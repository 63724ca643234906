import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, open, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

/** libuv's own default. */
const THREADS = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4)

/** Node's thread pool, where zlib works. */
export interface ThreadPool {
  /** Keeps all its threads busy until `release`: nothing is compressed or inflated meanwhile. */
  hold(): void
  release(): Promise<void>
}

/** Threads wait for the other end of a pipe, as they would for a slow disk. */
export function threadPool(t: TestContext): ThreadPool {
  const folder = mkdtempSync(join(tmpdir(), 'pool-'))
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  let held: Array<Promise<void>> = []
  const pool: ThreadPool = {
    hold() {
      held = Array.from(
        { length: THREADS },
        async () =>
          new Promise((resolve, reject) => {
            open(pipe, 'r', (error, file) => {
              if (error) return reject(error)
              closeSync(file)
              resolve()
            })
          }),
      )
    },
    async release() {
      const file = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK)
      await Promise.all(held)
      closeSync(file)
    },
  }
  t.after(async () => {
    await pool.release()
    rmSync(folder, { recursive: true })
  })
  return pool
}
