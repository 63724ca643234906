import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { bundle } from '../bundle.js'
import {
  type Answer,
  LEDGER,
  type Measurement,
  type Order,
  type Report,
  type ServerConfig,
  type ServerLedger,
  type SessionRecord,
} from './server/config.js'

/** After that the server hangs, in ms. */
const LONGEST_LEAVE = 30_000

/** How the server has ended. */
export interface Outcome {
  readonly code: number | null
  readonly signal: string | null
  /** From the signal to the exit, in ms. */
  readonly took: number
  /** What it has printed last. */
  readonly ledger: ServerLedger | undefined
}

/** The server, as the runner sees it. */
export class ServerProcess {
  readonly port: number
  readonly exited: Promise<void>
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #asked = 0
  #ledger: ServerLedger | undefined

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.port = port
    this.exited = once(child, 'close').then(() => {})
    child.on('message', (report: Report) => {
      if (report.report === 'answer') this.#waiting.get(report.to)?.(report.answer)
    })
    if (child.stdout === null) throw new Error('Expected a pipe')
    createInterface(child.stdout).on('line', (line) => {
      if (!line.startsWith(LEDGER)) console.log(line)
      else this.#ledger = JSON.parse(line.slice(LEDGER.length)) as ServerLedger
    })
  }

  static async start(config: ServerConfig): Promise<ServerProcess> {
    const entry = new URL('./server/main.ts', import.meta.url)
    const script = await bundle(entry, 'server', true)
    const flags = ['--expose-gc', '--enable-source-maps', script, JSON.stringify(config)]
    const child = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
    process.on('exit', () => child.kill('SIGKILL'))
    const gone = once(child, 'exit').then(() => {
      throw new Error('Expected a server, but it did not start')
    })
    const [report] = (await Promise.race([once(child, 'message'), gone])) as [Report]
    gone.catch(() => {})
    if (report.report !== 'listening') throw new Error(`Expected a port, got ${report.report}`)
    return new ServerProcess(child, report.port)
  }

  async storm(isOn: boolean): Promise<void> {
    await this.#ask({ order: 'storm', isOn })
  }

  async measure(): Promise<Measurement> {
    const answer = await this.#ask({ order: 'measure' })
    if (answer.answer !== 'measurement') throw new Error(`Expected numbers, got ${answer.answer}`)
    return answer
  }

  async sessions(): Promise<readonly SessionRecord[]> {
    const answer = await this.#ask({ order: 'sessions' })
    if (answer.answer !== 'sessions') throw new Error(`Expected sessions, got ${answer.answer}`)
    return answer.sessions
  }

  async ledger(): Promise<ServerLedger> {
    const answer = await this.#ask({ order: 'ledger' })
    if (answer.answer !== 'ledger') throw new Error(`Expected a ledger, got ${answer.answer}`)
    return answer.ledger
  }

  /** Tells it to leave, and waits until it has. */
  async leave(): Promise<Outcome> {
    const from = performance.now()
    const exit = once(this.#child, 'exit') as Promise<[number | null, string | null]>
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), LONGEST_LEAVE)
    const [code, signal] = await exit
    const took = Math.round(performance.now() - from)
    clearTimeout(timer)
    await this.exited
    return { code, signal, took, ledger: this.#ledger }
  }

  async #ask(order: Order): Promise<Answer> {
    const number = ++this.#asked
    const answer = new Promise<Answer>((resolve) => this.#waiting.set(number, resolve))
    this.#child.send({ number, ...order })
    const gone = this.exited.then(() => undefined)
    const answered = await Promise.race([answer, gone])
    this.#waiting.delete(number)
    if (answered === undefined) throw new Error(`The server has gone, asked for ${order.order}`)
    return answered
  }
}
