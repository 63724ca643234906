import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Contestant } from './contestants.js'

/** The heartbeat of all servers of a scenario, in ms. With an interval of 0 there is none. */
export interface Settings {
  readonly interval?: number
  readonly timeout?: number
  /** Whether messages are compressed, each by itself, where a peer offers that. */
  readonly compresses?: boolean
}

/** What ws needs for {@link Settings.compresses}. */
export const compression = ({ compresses = false }: Settings) =>
  compresses && { serverNoContextTakeover: true, threshold: 1 }

/** Bytes, after a collection; `external` is that of buffers. `NaN` where a contestant cannot tell. */
type Memory = Readonly<Record<'heap' | 'external' | 'rss', number>>

export type Server = Awaited<ReturnType<typeof start>>

/** Starts a contestant in a process of its own, for one measurement. */
export async function start(contestant: Contestant, settings: Settings = {}) {
  const [program = '', ...args] = contestant.command
  const child = spawn(program, [...args, JSON.stringify(settings)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()

  /** Gives an order, see servers/control.ts; one at a time. JSON has no `NaN`: it says `null`. */
  async function ask<Answer = number>(order: string, argument = 0): Promise<Answer> {
    child.stdin.write(`${order} ${argument}\n`)
    const answer = await answers.next()
    if (answer.done) throw new Error(`${contestant.name} ended, asked for: ${order}`)
    return JSON.parse(answer.value, (_key, value: unknown) => value ?? NaN) as Answer
  }

  return {
    ...contestant,
    port: await ask('port'),
    ask,
    memory: () => ask<Memory>('memory'),
    /** @returns the CPU that it uses during `work`, in µs, and what `work` returns */
    async cpuOf<Result>(work: () => Promise<Result>): Promise<[cpu: number, result: Result]> {
      const before = await ask('cpu')
      const result = await work()
      return [(await ask('cpu')) - before, result]
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}
