import { setTimeout as wait } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { LifecycleClient } from '../../../../lib/client/index.js'
import { isMessage, messageOf } from '../../../support/models/chaos-messages.js'
import { randomFrom } from '../../../support/models/random.js'
import type { SessionLog, World } from './world.js'

/** Some wait, in ms, and how long all may take to arrive. */
const EVERY = 250
const SETTLES_WITHIN = 60_000

/** A client of ours, over lines that break: it sends `up <name>`, and expects `down <name>`, in order. */
export class SessionPeer {
  readonly log: SessionLog
  readonly #world: World
  readonly #client: LifecycleClient
  readonly #random: () => number
  readonly #closed: Promise<void>

  /** @param port of a line to the server */
  constructor(world: World, seed: number, name: string, port: number) {
    this.#world = world
    this.#random = randomFrom(seed)
    this.log = { name, sent: 0, received: 0, resumes: 0, undelivered: 0, isDrained: false }
    world.log.sessions.push(this.log)
    this.#client = new LifecycleClient(`ws://127.0.0.1:${port}/session/${name}`, {
      resume: true,
      WebSocket,
      backoff: { min: 100, max: 1_000 },
      connectTimeout: 6_000,
      liveness: { interval: 2_000, timeout: 4_000 },
    })
    this.#listen()
    this.#closed = new Promise((resolve) => {
      this.#client.addEventListener('close', ({ code, reason, undelivered }) => {
        this.log.undelivered = undelivered.length
        if (code !== 1000) this.#fault(`was closed with ${code} ${reason}`)
        resolve()
      })
    })
  }

  /** Sends as long as the world is on. */
  async run(): Promise<void> {
    const world = this.#world
    while (world.isOn) {
      await world.pause(EVERY * (0.5 + this.#random()))
      if (!world.isOn || this.log.isDrained) continue
      if (this.#client.send(messageOf(`up ${this.log.name}`, this.log.sent + 1))) this.log.sent++
      // The app believes that the line is dead.
      if (this.#random() < 0.01) this.#client.reconnect()
    }
  }

  /** Whether all has come that the server's session has sent, and the server has confirmed all of this one. */
  hasAll(sent: number | undefined): boolean {
    const { bufferedAmount, state } = this.#client
    return state === 'open' && bufferedAmount === 0 && this.log.received === sent
  }

  /** @param isEven asks the server whether both have got all from each other */
  async leave(isEven: () => Promise<boolean>): Promise<void> {
    const until = performance.now() + SETTLES_WITHIN
    let isDone = this.log.isDrained || (await isEven())
    while (!isDone && performance.now() < until) {
      await wait(100)
      isDone = this.log.isDrained || (await isEven())
    }
    const { received, sent } = this.log
    if (!isDone) this.#fault(`not all has arrived: it has sent ${sent} and received ${received}`)
    await this.end()
  }

  async end(): Promise<void> {
    this.#client.close()
    await this.#closed
  }

  #listen(): void {
    const { log } = this
    this.#client.addEventListener('open', ({ first, resumed, undelivered }) => {
      if (resumed) log.resumes++
      if (first || resumed) return
      if (log.resumes > 0) this.#fault('begins anew after it has resumed')
      // The server had not heard that the client has the token, and so it did not wait.
      if (undelivered.length !== log.sent) {
        this.#fault(`${undelivered.length} undelivered of ${log.sent}, and nothing was handled`)
      }
      log.sent = 0
      log.received = 0
    })
    this.#client.addEventListener('message', ({ data }) => {
      const number = ++log.received
      this.#world.log.answers++
      if (!isMessage(`down ${log.name}`, number, data)) this.#fault(`not message ${number}`)
    })
    this.#client.addEventListener('lost', ({ code }) => {
      if (code !== 1012) return
      log.isDrained = true
      if (!this.#world.isDraining) this.#fault('was sent away')
    })
  }

  #fault(text: string): void {
    this.#world.log.fault(`session ${this.log.name}: ${text}`)
  }
}
