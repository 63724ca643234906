import { WebSocket } from 'ws'
import { LifecycleClient } from '../../../../lib/client/index.js'
import { Sight } from './sight.js'
import { groupOf, pause, type World } from './world.js'

/** A client of ours, on a route with sessions: it comes back through any node. */
export class SessionClient {
  readonly #world: World
  readonly #name: string
  readonly #key: string
  #attempts = 0
  /** The process that the last attempt went to. */
  #asked = -1
  #sight: Sight

  constructor(world: World, index: number) {
    this.#world = world
    this.#name = `session-${index}`
    this.#key = groupOf(index)
    this.#sight = new Sight(this.#key, world.ledger)
  }

  /** One life after the other. */
  async run(): Promise<void> {
    while (this.#world.isOn) {
      await this.#live()
      await pause(this.#world, 100, 2_000)
    }
  }

  async #live(): Promise<void> {
    const { random } = this.#world
    const client = this.#connect()
    const closed = new Promise((resolve) => {
      client.addEventListener('close', resolve)
    })
    const until = performance.now() + 5_000 + random() * 60_000
    while (this.#world.isOn && performance.now() < until) {
      await pause(this.#world, 500, 1_500)
      if (this.#sight.id === undefined) continue
      if (!client.send(this.#sight.next())) this.#sight.sent--
      if (random() < 0.01) client.reconnect()
    }
    client.close()
    await closed
    this.#sight.over()
  }

  #connect(): LifecycleClient {
    const { ledger } = this.#world
    this.#sight = new Sight(this.#key, ledger)
    const client = new LifecycleClient(() => this.#url(), {
      resume: true,
      WebSocket: this.#watched(),
      backoff: { min: 100, max: 1_000 },
      connectTimeout: 3_000,
      liveness: { interval: 3_000, timeout: 2_000 },
      shouldRetry: () => true,
    })
    client.addEventListener('open', ({ first, resumed, undelivered }) => {
      if (resumed) {
        const { id = '', of } = this.#sight
        ledger.write({ what: 'resumed', id, forwarded: of !== this.#asked })
        return
      }
      if (first) return
      this.#sight.undelivered(undelivered)
      this.#sight.over()
      this.#sight = new Sight(this.#key, ledger)
      this.#admitted()
    })
    client.addEventListener('message', ({ data }) => this.#sight.hear(data as string))
    return client
  }

  #url(): string {
    const node = this.#world.pick()
    this.#attempts++
    this.#asked = node.number
    return `ws://127.0.0.1:${node.port}/session?ticket=${this.#ticket}&key=${this.#key}`
  }

  get #ticket(): string {
    return `${this.#name}.${this.#attempts}`
  }

  #admitted(): void {
    this.#world.ledger.write({ what: 'admitted', ticket: this.#ticket, kind: 'session' })
  }

  /** Its 101 counts, also if the node dies before it has said anything. */
  #watched(): new (url: string, protocols: string[]) => WebSocket {
    const admitted = (): void => this.#admitted()
    return class extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols)
        const isResume = protocols.some((name) => name.startsWith('wsl.r.'))
        if (!isResume) this.once('open', admitted)
      }
    }
  }
}
