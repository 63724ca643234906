import { LifecycleClient, type ClientOptions } from 'fastify-websocket-lifecycle/client'
import { WebSocket } from 'ws'

/** A client of the package in Node whose line can be cut, and all that it has told. */
export class CuttableClient {
  readonly client: LifecycleClient
  /** `open`, `open resumed`, `message …`, `lost <code>`, `close <code>`. */
  readonly events: string[] = []
  #line: WebSocket | undefined
  #taken = 0
  #wake: (() => void) | undefined

  constructor(url: string | (() => string), options: ClientOptions = {}) {
    const opened = (line: WebSocket): void => {
      this.#line = line
    }
    class Line extends WebSocket {
      constructor(address: string, protocols: string[]) {
        super(address, protocols)
        opened(this)
      }
    }
    const backoff = { min: 1, max: 1 }
    this.client = new LifecycleClient(url, { WebSocket: Line, backoff, resume: true, ...options })
    this.client.addEventListener('open', ({ resumed }) =>
      this.#note(`open${resumed ? ' resumed' : ''}`),
    )
    this.client.addEventListener('message', ({ data }) => this.#note(`message ${data as string}`))
    this.client.addEventListener('lost', ({ code }) => this.#note(`lost ${code}`))
    this.client.addEventListener('close', ({ code }) => this.#note(`close ${code}`))
  }

  /** The network is gone, without a word. */
  cut(): void {
    this.#line?.terminate()
  }

  /** The next event that was not taken yet. */
  async next(): Promise<string> {
    while (this.events.length <= this.#taken) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.events[this.#taken++] as string
  }

  #note(event: string): void {
    this.events.push(event)
    this.#wake?.()
  }
}
