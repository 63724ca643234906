import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { CleanupLimits } from '../../../lib/redis/cleanups.js'
import { until } from '../time/timed.js'

/** What a process is told when it starts. */
export interface Setup {
  readonly port: number
  /** Gets a line for each release that has run. */
  readonly file: string
  readonly lease: number
  /** How long each release takes, in ms. */
  readonly delay: number
  readonly limits: CleanupLimits
  /** What becomes of the first that has run 20 releases, in the middle of the others; to leave is to end as at a deploy. */
  readonly fate?: 'SIGKILL' | 'SIGSTOP' | 'leave'
}

/** What a process is asked to do. */
export interface Asked {
  /** The ids of connections that open. */
  readonly record?: readonly string[]
  /** All connections end. */
  readonly end?: true
}

/** What a process tells. */
export interface Told {
  /** The name of the node, once it is registered. */
  readonly id?: string
  readonly recorded?: readonly string[]
  /** The id of a connection that was ended because the node was fenced. */
  readonly ended?: string
}

/** A process that records and cleans up. */
export interface Cleaner {
  /** The name of the node, as last heard. */
  readonly id: () => string
  /** The ids of connections that were ended because it was fenced. */
  readonly ended: readonly string[]
  /** @returns who has got in */
  record(ids: readonly string[]): Promise<readonly string[]>
  /** Has all connections end, as soon as it runs. */
  end(): void
  kill(signal: NodeJS.Signals): void
}

/** What was released. */
export interface Released {
  readonly id: string
  /** The node that has done it. */
  readonly by: string
  readonly fence: number
}

/** Processes that share a Redis, and write down what they release. */
export class Cleaners {
  readonly #t: TestContext
  readonly #setup: Setup

  constructor(t: TestContext, port: number, setup: Omit<Setup, 'port' | 'file'>) {
    const folder = mkdtempSync(join(tmpdir(), 'cleaners-'))
    const file = join(folder, 'released')
    writeFileSync(file, '')
    t.after(() => rmSync(folder, { recursive: true }))
    this.#t = t
    this.#setup = { ...setup, port, file }
  }

  get released(): readonly Released[] {
    const lines = readFileSync(this.#setup.file, 'utf8').split('\n').slice(0, -1)
    return lines.map((line) => {
      const [id = '', by = '', fence] = line.split(' ')
      return { id, by, fence: Number(fence) }
    })
  }

  /** The node that has met its fate; `undefined` before that. */
  get fated(): string | undefined {
    const file = `${this.#setup.file}.fate`
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined
  }

  /** How often each of these was released. */
  counts(ids: readonly string[]): number[] {
    const counts = new Map(ids.map((id) => [id, 0]))
    for (const { id } of this.released) counts.set(id, (counts.get(id) ?? 0) + 1)
    return ids.map((id) => counts.get(id) ?? 0)
  }

  async start(): Promise<Cleaner> {
    const script = new URL('cleaner.ts', import.meta.url)
    const child = fork(script, [JSON.stringify(this.#setup)], { execArgv: ['--import', 'tsx'] })
    this.#t.after(async () => end(child))
    let name = ''
    const ended: string[] = []
    let haveRecorded: ((ids: readonly string[]) => void) | undefined
    child.on('message', ({ id, ended: one, recorded }: Told) => {
      if (id !== undefined) name = id
      if (one !== undefined) ended.push(one)
      if (recorded !== undefined) haveRecorded?.(recorded)
    })
    const send = (asked: Asked): void => void child.send(asked)
    await until(() => name !== '')
    return {
      ended,
      id: () => name,
      record: async (ids) => {
        send({ record: ids })
        return new Promise((resolve) => {
          haveRecorded = resolve
        })
      },
      end: () => send({ end: true }),
      kill: (signal) => void child.kill(signal),
    }
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}
