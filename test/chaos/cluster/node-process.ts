import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as wait } from 'node:timers/promises'
import { ChaosProxy, type Plan } from '../../support/peers/chaos-proxy.js'
import { freePort } from '../../../examples/cluster/free-port.js'
import type { LedgerFile } from './ledger.js'
import type { Answer, NodeConfig, Order, Report } from './node/config.js'
import { RedisLine } from './redis-line.js'

/** How long operations may take, when nothing happens any more, before we believe that they are lost, in ms. */
const LONG = 15_000
const LOOK_EVERY = 100

export interface NodeSetup {
  readonly number: number
  /** The script. */
  readonly script: string
  readonly folder: string
  readonly redis: number
  readonly client: string
  readonly director: LedgerFile
  /** What happens to each line of a client. */
  readonly plan: () => Plan
  /** It has claimed another node. */
  readonly onCleaning: (node: NodeProcess) => void
}

/** A node, as the director sees it: with a proxy on each side. */
export class NodeProcess {
  readonly number: number
  /** Where clients reach it. */
  readonly port: number
  readonly line: RedisLine
  readonly ledger: string
  /** Resolves when it is there, or never will be. */
  readonly ready: Promise<boolean>
  readonly exited: Promise<void>
  isListening = false
  isGone = false
  isStopped = false
  /** It was told to leave. */
  isLeaving = false
  readonly #front: ChaosProxy
  readonly #child: ChildProcess
  readonly #setup: NodeSetup
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #asked = 0

  private constructor(setup: NodeSetup, port: number, line: RedisLine, front: ChaosProxy) {
    const { number, client, folder, script } = setup
    this.number = number
    this.line = line
    this.ledger = join(folder, `node-${number}.jsonl`)
    this.port = front.port
    this.#front = front
    this.#setup = setup
    const config: NodeConfig = {
      process: number,
      ledger: this.ledger,
      port,
      redis: line.port,
      client,
    }
    const flags = ['--enable-source-maps', '--report-on-signal', `--report-directory=${folder}`]
    this.#child = spawn(process.execPath, [...flags, script, JSON.stringify(config)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.ready = new Promise((resolve) => {
      this.#child.on('message', (report) => {
        if ((report as Report).report === 'listening') resolve(true)
        this.#heard(report as Report)
      })
      this.#child.once('exit', () => resolve(false))
    })
    this.exited = this.#awaitExit()
  }

  static async start(setup: NodeSetup): Promise<NodeProcess> {
    const port = await freePort()
    const line = await RedisLine.to(setup.redis)
    const front = await ChaosProxy.to({ after: () => {} }, port, setup.plan)
    return new NodeProcess(setup, port, line, front)
  }

  /** Whether clients may try it. */
  get isThere(): boolean {
    return this.isListening && !this.isGone && !this.isLeaving
  }

  kill(signal: NodeJS.Signals): void {
    if (signal === 'SIGSTOP') this.isStopped = true
    if (signal === 'SIGCONT') this.isStopped = false
    if (signal === 'SIGTERM') this.isLeaving = true
    this.#child.kill(signal)
  }

  /** From now on nothing happens to the lines of its clients. */
  calm(): void {
    this.#front.calm()
    this.#send({ number: 0, order: 'calm' })
  }

  /** Resolves with `undefined` if it dies. */
  ask(order: Order): Promise<Answer | undefined> {
    const number = ++this.#asked
    return new Promise((resolve) => {
      const answered = (answer: Answer | undefined): void => {
        this.#waiting.delete(number)
        resolve(answer)
      }
      this.#waiting.set(number, answered)
      void this.exited.then(() => answered(undefined))
      if (!this.isGone) this.#send({ number, ...order })
    })
  }

  /** @returns how many operations have not been answered, as long as that is waited for */
  async unanswered(): Promise<number> {
    for (let waited = 0; this.#waiting.size > 0 && waited < LONG; waited += LOOK_EVERY) {
      await wait(LOOK_EVERY)
    }
    return this.#waiting.size
  }

  /** It may be dying: who waits for an answer learns that from its exit. */
  #send(order: Order & { readonly number: number }): void {
    this.#child.send(order, () => {})
  }

  #heard(report: Report): void {
    if (report.report === 'listening') this.isListening = true
    else if (report.report === 'cleaning') this.#setup.onCleaning(this)
    else this.#waiting.get(report.to)?.(report.answer)
  }

  async #awaitExit(): Promise<void> {
    const [code, signal] = (await once(this.#child, 'exit')) as [number | null, string | null]
    this.isGone = true
    const { director, number } = this.#setup
    director.write({ what: 'exited', of: number, code, signal })
    if (signal !== 'SIGKILL' && code !== 0) {
      director.write({ what: 'fault', text: `node ${number} has ended with ${code ?? signal}` })
    }
    this.line.close()
    this.#front.close()
  }
}
