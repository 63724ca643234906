import type { AddressInfo } from 'node:net'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import type { DrainReport } from 'fastify-websocket-lifecycle'
import { buildApp } from './app.js'
import { Helpers } from './helpers.js'
import { ChatRoom } from './chat-room.js'
import { Lines } from './lines.js'

export interface DemoOptions {
  readonly host?: string
  readonly port?: number
  readonly fastify?: FastifyServerOptions
  /** How many helpers come in to stay. */
  readonly regulars?: number
  /** How long a helper is there before it ends, in ms. */
  readonly linger?: number
}

/** The server, which comes back on the same port when a client has had it drained. */
export class Demo {
  readonly chat = new ChatRoom()
  readonly #options: DemoOptions
  readonly #helpers: Helpers
  readonly #lines = new Lines()
  #app: FastifyInstance | undefined
  #port: number
  #isClosing = false
  #reopening: Promise<void> | undefined

  private constructor(options: DemoOptions) {
    this.#options = options
    this.#port = options.port ?? 0
    this.#helpers = new Helpers(this.chat, options.linger ?? 1_200)
    this.chat.on('failure', ({ client, port }, how) => {
      const downFor = this.#lines.fail(port, client.name, how)
      if (downFor !== undefined) void this.#helpers.chatFor(downFor)
    })
    this.chat.on('drain', () => {
      if (this.#isClosing) return
      this.#reopening ??= this.#reopen().finally(() => (this.#reopening = undefined))
    })
  }

  static async open(options: DemoOptions = {}): Promise<Demo> {
    const demo = new Demo(options)
    await demo.#listen()
    await demo.#moveIn()
    return demo
  }

  /** Where the page is. */
  get url(): string {
    const { host = '127.0.0.1' } = this.#options
    return `http://${host.includes(':') ? `[${host}]` : host}:${this.#port}`
  }

  /** Ends all connections, and tells how that went. */
  async close(): Promise<DrainReport | undefined> {
    this.#isClosing = true
    await this.#reopening
    const report = await this.#app?.websocketLifecycle.drain()
    await this.#app?.close()
    return report
  }

  async #listen(): Promise<void> {
    const { host = '127.0.0.1', fastify } = this.#options
    this.#app = await buildApp(this.chat, this.#lines, fastify)
    await this.#app.listen({ host, port: this.#port })
    this.#port = (this.#app.server.address() as AddressInfo).port
  }

  async #moveIn(): Promise<void> {
    const room = new URL('/room', this.url.replace('http', 'ws'))
    if (room.hostname === '0.0.0.0') room.hostname = '127.0.0.1'
    if (room.hostname === '[::]') room.hostname = '[::1]'
    await this.#helpers.moveIn(room, this.#options.regulars ?? 0)
  }

  async #reopen(): Promise<void> {
    const report = await this.#app?.websocketLifecycle.drain()
    if (report === undefined) return
    const at = Date.now()
    await this.#app?.close()
    await this.#listen()
    const { closed, terminated, duration } = report
    const abandoned = report.abandoned.length
    this.chat.noteDrain({
      at,
      closed,
      terminated,
      abandoned,
      duration,
      awayFor: Date.now() - at,
    })
    await this.#moveIn()
    this.chat.emit('back')
  }
}
