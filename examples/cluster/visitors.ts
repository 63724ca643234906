import { LifecycleClient } from 'fastify-websocket-lifecycle/client'
import { WebSocket } from 'ws'

/** Clients of the demo's own, so that there is somebody on each node. They come through the balancer, as all do. */
export class Visitors {
  readonly #url: string
  readonly #clients: LifecycleClient[] = []
  #timer: NodeJS.Timeout | undefined
  #count = 0

  /** @param url of the room */
  constructor(url: string) {
    this.#url = url
  }

  /** Resolves when all of them are in. */
  async moveIn(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const client = this.#enter()
      await new Promise((resolve) => {
        client.addEventListener('open', resolve, { once: true })
      })
    }
  }

  /** Now and then one leaves, and another one comes: so a node that was killed gets its share again. */
  stir(interval: number): void {
    this.#timer = setInterval(() => {
      this.#clients.shift()?.close()
      this.#enter()
    }, interval)
  }

  leave(): void {
    clearInterval(this.#timer)
    for (const client of this.#clients) client.close()
  }

  #enter(): LifecycleClient {
    const url = `${this.#url}?visitor=${++this.#count}`
    const client = new LifecycleClient(url, {
      resume: true,
      backoff: { min: 200, max: 2_000 },
      WebSocket: WebSocket as unknown as typeof globalThis.WebSocket,
    })
    this.#clients.push(client)
    return client
  }
}
