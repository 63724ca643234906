import type { Socket } from 'node:net'
import { frameBytes } from './dialects.js'
import type { Server } from './server.js'

/** How long one message to all took, in ms. */
export interface FanOut {
  /** The loop of sends, in the server. */
  readonly loop: number
  /** From the order until the last peer had it, whole. */
  readonly last: number
}

/** Peers that read whatever comes. What they hear is counted together: nobody hears a part only. */
export class Audience {
  readonly #sockets: readonly Socket[]
  #awaited = 0
  #settle = (_error?: Error): void => {}
  readonly #onData = (data: Buffer): void => {
    this.#awaited -= data.length
    if (this.#awaited === 0) this.#settle()
  }
  readonly #onClose = (): void => this.#settle(new Error('A peer that reads was cut off'))

  constructor(sockets: readonly Socket[]) {
    this.#sockets = sockets
    for (const socket of sockets) socket.on('data', this.#onData).on('close', this.#onClose)
  }

  /** Has the server send one message of so many bytes to all its connections. */
  async hear(server: Server, bytes: number): Promise<FanOut> {
    this.#awaited += frameBytes(bytes) * this.#sockets.length
    const heard = new Promise<void>((resolve, reject) => {
      this.#settle = (error) => (error ? reject(error) : resolve())
    })
    const startedAt = performance.now()
    const sent = server.ask('fanOut', bytes)
    await heard
    const last = performance.now() - startedAt
    return { loop: await sent, last }
  }

  /** They hear no more; what they do from now on is left to others. */
  leave(): void {
    for (const socket of this.#sockets) socket.off('data', this.#onData).off('close', this.#onClose)
  }
}
