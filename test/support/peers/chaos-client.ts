import { once } from 'node:events'
import { WebSocket } from 'ws'
import { Client } from '../../../lib/client/client.js'
import type { LifecycleClient } from '../../../lib/client/index.js'
import { isMessage, messageOf } from '../models/chaos-messages.js'
import { turns } from '../time/fake-clock.js'
import { fastWorld } from '../time/fast-time.js'

/** A client of ours that sends `up <name>`, and checks that it gets `down <name>`. */
export class ChaosClient {
  readonly name: string
  readonly client: LifecycleClient
  sent = 0
  received = 0
  /** `first`, `resumed` or `anew`, for each connection. */
  readonly opens: string[] = []
  readonly closes: number[] = []
  /** What should never happen. */
  readonly faults: string[] = []

  constructor(port: number, name: string, speed: number, random: () => number) {
    this.name = name
    const options = {
      resume: true,
      WebSocket,
      backoff: { min: 100, max: 1_000 },
      connectTimeout: 10_000,
      liveness: { interval: 5_000, timeout: 5_000 },
    }
    const url = `ws://127.0.0.1:${port}/${name}`
    const client: unknown = new Client(url, options, fastWorld(speed, random))
    this.client = client as LifecycleClient
    this.client.addEventListener('open', ({ first, resumed, undelivered }) => {
      this.opens.push(first ? 'first' : resumed ? 'resumed' : 'anew')
      if (resumed || first) this.#expectUndelivered(0, undelivered)
      else this.#beginAnew(undelivered)
    })
    this.client.addEventListener('message', ({ data }) => {
      const number = ++this.received
      if (!isMessage(`down ${name}`, number, data)) this.faults.push(`not message ${number}`)
    })
    this.client.addEventListener('close', ({ code, undelivered }) => {
      this.closes.push(code)
      this.#expectUndelivered(0, undelivered)
    })
  }

  /** The server had not heard that the client has the token, and so it did not wait: nothing was handled. */
  #beginAnew(undelivered: readonly unknown[]): void {
    if (this.opens.includes('resumed')) this.faults.push('anew after it was resumed')
    this.#expectUndelivered(this.sent, undelivered)
    this.sent = 0
    this.received = 0
  }

  #expectUndelivered(count: number, { length }: readonly unknown[]): void {
    if (length !== count) this.faults.push(`${length} undelivered, not ${count}`)
  }

  /** Sends one message after the other, as long as it should. */
  async send(goesOn: () => boolean): Promise<void> {
    let isEmpty = false
    // When the last message is confirmed all are, and `bufferedAmount` tells when, unless it is empty.
    while ((await this.client.drained()) && (goesOn() || isEmpty)) {
      const message = messageOf(`up ${this.name}`, this.sent + 1)
      if (!this.client.send(message)) continue
      this.sent++
      isEmpty = message.length === 0
      if (this.sent % 8 === 0) await turns(3)
      // The app believes that the line is dead.
      if (this.sent % 50 === 0) this.client.reconnect()
    }
  }
}

/** Another client, which knows nothing of the link: it sends `up <name>`, and checks that it gets `down <name>`. */
export class PlainClient {
  readonly name: string
  readonly ws: WebSocket
  sent = 0
  received = 0
  /** What should never happen. */
  readonly faults: string[] = []

  constructor(port: number, name: string) {
    this.name = name
    this.ws = new WebSocket(`ws://127.0.0.1:${port}/${name}`)
    this.ws.on('message', (data: Buffer, isBinary) => {
      const number = ++this.received
      const message = isBinary ? data : data.toString()
      if (!isMessage(`down ${name}`, number, message)) this.faults.push(`not message ${number}`)
    })
    this.ws.on('close', (code) => this.faults.push(`closed with ${code}`))
  }

  async send(count: number): Promise<void> {
    await once(this.ws, 'open')
    while (this.sent < count) this.ws.send(messageOf(`up ${this.name}`, ++this.sent))
  }

  async close(): Promise<void> {
    this.ws.removeAllListeners('close')
    this.ws.close(1000)
    await once(this.ws, 'close')
  }
}
