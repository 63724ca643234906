import { WebSocket } from 'ws'
import { now } from '../ledger.js'
import { pause, type World } from './world.js'

const REPLACED = 4409
/** How long a node may stand still, and then let in a client that has given up. */
const LONGEST_STOP = 20_000

/** A device that comes back through any node while its connection before is still there. One may stay: the newest. */
export class DeviceClient {
  readonly #world: World
  readonly #name: string
  #attempts = 0
  #newest: WebSocket | undefined
  #gaveUpAt = -Infinity
  readonly #open = new Set<WebSocket>()

  constructor(world: World, index: number) {
    this.#world = world
    this.#name = `device-${index}`
  }

  /** How many of its connections are there. */
  get size(): number {
    return this.#open.size
  }

  async run(): Promise<void> {
    while (this.#world.isOn) {
      await this.#connect()
      await pause(this.#world, 1_000, 8_000)
    }
  }

  leave(): void {
    for (const ws of this.#open) ws.close(1000)
  }

  async #connect(): Promise<void> {
    const { ledger, pick } = this.#world
    const ticket = `${this.#name}.${++this.#attempts}`
    const url = `ws://127.0.0.1:${pick().port}/device?ticket=${ticket}&key=${this.#name}`
    const ws = new WebSocket(url, { handshakeTimeout: 3_000 })
    // Also if it is not let in: the one before may have had to go by then.
    this.#newest = ws
    ws.on('open', () => {
      this.#open.add(ws)
    })
    // It is not known what becomes of it there.
    ws.on('error', () => {
      if (!this.#open.has(ws)) this.#gaveUpAt = now()
    })
    ws.on('close', (code) => {
      this.#open.delete(ws)
      if (code !== REPLACED) return
      const hasGivenUp = now() - this.#gaveUpAt < LONGEST_STOP
      const isNewest = ws === this.#newest && !hasGivenUp
      ledger.write({ what: 'replaced', device: this.#name, isNewest })
    })
    await new Promise((resolve) => {
      ws.once('open', resolve)
      ws.once('close', resolve)
    })
  }
}
