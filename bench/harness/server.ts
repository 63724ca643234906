import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import type { Contestant } from './contestants.js'
import type { Dialect } from './dialects.js'

/** Bytes, after a collection. */
export interface Memory {
  /** `NaN` where the contestant cannot tell. */
  readonly heap: number
  /** Of buffers, outside of the heap; `NaN` likewise. */
  readonly external: number
  readonly rss: number
}

/** ms; what watches the loop looks each millisecond, and notes no stall before its second look. */
const LOOK = 10

/** A contestant in a process of its own, for one measurement. */
export class Server {
  readonly name: string
  readonly dialect: Dialect
  readonly port: number
  readonly #contestant: Contestant
  readonly #settings: object
  readonly #child: ChildProcess
  readonly #answers: AsyncIterator<string>

  private constructor(
    contestant: Contestant,
    settings: object,
    port: number,
    child: ChildProcess,
    answers: AsyncIterator<string>,
  ) {
    this.name = contestant.name
    this.dialect = contestant.dialect
    this.port = port
    this.#contestant = contestant
    this.#settings = settings
    this.#child = child
    this.#answers = answers
  }

  static async start(contestant: Contestant, settings: object = {}): Promise<Server> {
    const [program = '', ...args] = contestant.command
    const child = spawn(program, [...args, JSON.stringify(settings)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const port = (await nextAnswer(contestant.name, answers)) as number
    return new Server(contestant, settings, port, child, answers)
  }

  /** @returns the same contestant in another process, with other settings where there are some */
  again(settings: object = this.#settings): Promise<Server> {
    return Server.start(this.#contestant, settings)
  }

  /** Gives an order; one at a time. */
  async ask(order: string, argument = 0): Promise<unknown> {
    this.#child.stdin?.write(`${order} ${argument}\n`)
    return nextAnswer(`${this.name}: ${order}`, this.#answers)
  }

  /** What it has used since it started, in µs, as the operating system counts them. */
  async cpu(): Promise<number> {
    return (await this.ask('cpu')) as number
  }

  async memory(): Promise<Memory> {
    const answer = (await this.ask('memory')) as Partial<Record<keyof Memory, number | null>>
    const { heap, external, rss } = answer
    return { heap: heap ?? NaN, external: external ?? NaN, rss: rss ?? NaN }
  }

  /** From here on, `worst` counts. */
  async watch(): Promise<void> {
    await this.ask('watch')
    await pause(LOOK)
  }

  /** The worst stall of its loop since `watch`, in ms. */
  async worst(): Promise<number> {
    await pause(LOOK)
    return (await this.ask('worst')) as number
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }
}

async function nextAnswer(question: string, answers: AsyncIterator<string>): Promise<unknown> {
  const answer = await answers.next()
  if (answer.done === true) throw new Error(`${question}: the server ended instead of answering`)
  return JSON.parse(answer.value)
}
