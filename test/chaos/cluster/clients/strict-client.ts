import type { Socket } from 'node:net'
import { WebSocket } from 'ws'
import { sendReset } from '../../../support/peers/send-reset.js'
import { Sight } from './sight.js'
import { groupOf, pause, type World } from './world.js'

/** Another client, on the route whose connections end when their node is cut off. */
export class StrictClient {
  readonly #world: World
  readonly #name: string
  readonly #key: string
  #attempts = 0

  constructor(world: World, index: number) {
    this.#world = world
    this.#name = `strict-${index}`
    this.#key = groupOf(index)
  }

  async run(): Promise<void> {
    while (this.#world.isOn) {
      await this.#live()
      await pause(this.#world, 100, 2_000)
    }
  }

  async #live(): Promise<void> {
    const { ledger, pick, random } = this.#world
    const ticket = `${this.#name}.${++this.#attempts}`
    const sight = new Sight(this.#key, ledger)
    const url = `ws://127.0.0.1:${pick().port}/strict?ticket=${ticket}&key=${this.#key}`
    const ws = new WebSocket(url, { handshakeTimeout: 3_000 })
    const closed = new Promise((resolve) => {
      ws.once('close', resolve)
    })
    ws.on('error', () => {})
    ws.on('open', () => ledger.write({ what: 'admitted', ticket, kind: 'strict' }))
    ws.on('message', (data: Buffer) => sight.hear(data.toString()))
    const until = performance.now() + 2_000 + random() * 30_000
    while (this.#world.isOn && ws.readyState < WebSocket.CLOSING && performance.now() < until) {
      await pause(this.#world, 500, 1_500)
      if (ws.readyState === WebSocket.OPEN && sight.id !== undefined) ws.send(sight.next())
    }
    leave(ws, random())
    await closed
    sight.over()
  }
}

/** With a close frame, a RST or a FIN. */
function leave(ws: WebSocket, chance: number): void {
  const socket = Reflect.get(ws, '_socket') as Socket | undefined
  if (ws.readyState !== WebSocket.OPEN || socket === undefined || chance < 0.5) {
    setTimeout(() => ws.terminate(), 2_000)
    ws.close(1000)
  } else if (chance < 0.75) sendReset(socket)
  else socket.end()
}
