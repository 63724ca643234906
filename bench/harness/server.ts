import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import type { Contestant } from './contestants.js'
import type { Dialect } from './dialects.js'

/** What a scenario sets of all servers alike: of heartbeats, in ms. With an interval of 0 there are none. */
export interface Settings {
  readonly interval?: number
  readonly timeout?: number
}

/** Bytes, after a collection; `NaN` where the contestant cannot tell. */
export interface Memory {
  readonly heap: number
  /** Of buffers, outside of the heap. */
  readonly external: number
  readonly rss: number
}

/** ms; what watches the loop looks each millisecond, and notes no stall before its second look. */
const LOOK = 10

/** A contestant in a process of its own, for one measurement. */
export class Server {
  readonly name: string
  readonly dialect: Dialect
  port = NaN
  readonly #contestant: Contestant
  readonly #child: ChildProcess
  readonly #answers: AsyncIterator<string>

  private constructor(contestant: Contestant, settings: Settings) {
    const [program = '', ...args] = contestant.command
    const child = spawn(program, [...args, JSON.stringify(settings)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.name = contestant.name
    this.dialect = contestant.dialect
    this.#contestant = contestant
    this.#child = child
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  }

  static async start(contestant: Contestant, settings: Settings = {}): Promise<Server> {
    const server = new Server(contestant, settings)
    server.port = (await server.#answer('port')) as number
    return server
  }

  /** @returns the same contestant in another process */
  again(settings: Settings): Promise<Server> {
    return Server.start(this.#contestant, settings)
  }

  /** Gives an order, see servers/control.ts; one at a time. */
  async ask(order: string, argument = 0): Promise<number> {
    return (await this.#order(order, argument)) as number
  }

  /** What it has used since it started, in µs, as the operating system counts them. */
  cpu(): Promise<number> {
    return this.ask('cpu')
  }

  async memory(): Promise<Memory> {
    return (await this.#order('memory')) as Memory
  }

  /** From here on, `worst` counts. */
  async watch(): Promise<void> {
    await this.ask('watch')
    await pause(LOOK)
  }

  /** The worst stall of its loop since `watch`, in ms. */
  async worst(): Promise<number> {
    await pause(LOOK)
    return this.ask('worst')
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }

  #order(order: string, argument = 0): Promise<unknown> {
    this.#child.stdin?.write(`${order} ${argument}\n`)
    return this.#answer(order)
  }

  /** JSON has no `NaN`: it says `null`. */
  async #answer(order: string): Promise<unknown> {
    const answer = await this.#answers.next()
    if (answer.done) throw new Error(`${this.name} ended instead of answering: ${order}`)
    return JSON.parse(answer.value, (_key, value: unknown) => value ?? NaN)
  }
}
