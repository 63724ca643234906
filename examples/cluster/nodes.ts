import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Target } from './balancer.js'
import type { NodeState } from './events.js'
import { freePort } from './free-port.js'

/** What is the same for all nodes. */
export interface Common {
  readonly redisUrl: string
  readonly prefix: string
  /** How long a node that was killed stays away, in ms. */
  readonly awayFor: number
}

/** A node that does not end by itself is killed after this time, in ms. */
const PATIENCE = 8_000

const SCRIPT = new URL('node.ts', import.meta.url)

/** One node: a process, and after that was killed another one on the same port. */
export class NodeProcess implements Target {
  readonly number: number
  readonly port: number
  readonly #common: Common
  #child: ChildProcess | undefined
  #state: NodeState = 'starting'
  #since = Date.now()
  #timer: NodeJS.Timeout | undefined
  #isClosing = false

  private constructor(number: number, port: number, common: Common) {
    this.number = number
    this.port = port
    this.#common = common
  }

  static async start(number: number, common: Common): Promise<NodeProcess> {
    const node = new NodeProcess(number, await freePort(), common)
    await node.#start().catch((error: unknown) => {
      node.#isClosing = true
      throw error
    })
    return node
  }

  get state(): NodeState {
    return this.#state
  }

  /** When it has come into this state, in epoch ms. */
  get since(): number {
    return this.#since
  }

  get isUp(): boolean {
    return this.#state === 'up'
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** kill -9. It comes back after a while. @returns whether there was something to kill */
  kill(): boolean {
    if (!this.isUp) return false
    this.#enter('killed')
    this.#child?.kill('SIGKILL')
    return true
  }

  /** Drains it. */
  async close(): Promise<void> {
    this.#isClosing = true
    clearTimeout(this.#timer)
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    if (child.connected) child.disconnect()
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE)
    await exited
    clearTimeout(timer)
  }

  async #start(): Promise<void> {
    const { redisUrl, prefix } = this.#common
    const child = fork(SCRIPT, {
      execArgv: ['--import', import.meta.resolve('tsx')],
      env: {
        ...process.env,
        NODE_NUMBER: String(this.number),
        NODE_PORT: String(this.port),
        REDIS_URL: redisUrl,
        PREFIX: prefix,
      },
    })
    this.#child = child
    this.#enter('starting')
    child.once('exit', () => this.#ended())
    const isThere = await Promise.race([
      once(child, 'message').then(() => true),
      once(child, 'exit').then(() => false),
    ])
    if (isThere) this.#enter('up')
    else throw new Error(`Node ${this.number} has ended before it was there`)
  }

  /** However it has ended: after a while another process takes its place. */
  #ended(): void {
    if (this.#isClosing) return
    this.#enter('killed')
    this.#timer = setTimeout(() => {
      this.#start().catch((error: unknown) => console.error(error))
    }, this.#common.awayFor)
  }

  #enter(state: NodeState): void {
    if (this.#state === state) return
    this.#state = state
    this.#since = Date.now()
  }
}
