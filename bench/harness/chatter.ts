import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { end, open } from './peers.js'
import type { Server } from './server.js'

export interface Load {
  readonly connections: number
  readonly bytes: number
  readonly inFlight: number
}

/** Connections that echo as fast as the server can, whenever they are told to. */
export class Chatter {
  /** For how long the collector of the server has worked meanwhile, in ms, where `talk` watches it. */
  collected = 0
  readonly #server: Server
  readonly #sockets: readonly Socket[]
  readonly #underWayAtOnce: number
  readonly #packet: Buffer
  #isTalking = false
  #echoed = 0
  #underWay = 0
  #quiet = (): void => {}
  /** All that was counted while it talked; times in ms and µs. */
  #counted = 0
  #duration = 0
  #cpu = 0

  private constructor(server: Server, sockets: readonly Socket[], { bytes, inFlight }: Load) {
    const { dialect } = server
    const message = dialect.message(bytes)
    this.#server = server
    this.#sockets = sockets
    this.#underWayAtOnce = inFlight * sockets.length
    this.#packet = Buffer.concat(Array.from({ length: inFlight }, () => message))
    for (const socket of sockets) this.#answer(socket, message.length, dialect.echoBytes(bytes))
  }

  static async open(server: Server, load: Load): Promise<Chatter> {
    return new Chatter(server, await open(server, load.connections), load)
  }

  /** What it has cost so far, from the first message to the last echo, in µs of CPU a message. */
  get cpu(): number {
    return this.#cpu / this.#echoed
  }

  /** Messages a second, of those that were echoed while it talked. */
  get rate(): number {
    return (this.#counted / this.#duration) * 1_000
  }

  /** What has been counted so far was to warm up. */
  forget(): void {
    this.#counted = this.#duration = this.#cpu = this.#echoed = 0
  }

  /**
   * Talks for so many ms, and then waits for what is under way.
   * @param watchesGc adds up what the collector does meanwhile
   */
  async talk(duration: number, watchesGc = false): Promise<void> {
    if (watchesGc) await this.#server.ask('watchGc')
    const quiet = new Promise<void>((resolve) => (this.#quiet = resolve))
    const cpuBefore = await this.#server.cpu()
    const echoedBefore = this.#echoed
    const startedAt = performance.now()
    this.#isTalking = true
    this.#underWay = this.#underWayAtOnce
    for (const socket of this.#sockets) socket.write(this.#packet)
    await pause(duration)
    this.#isTalking = false
    this.#counted += this.#echoed - echoedBefore
    this.#duration += performance.now() - startedAt
    await quiet
    this.#cpu += (await this.#server.cpu()) - cpuBefore
    if (watchesGc) this.collected += await this.#server.ask('collected')
  }

  end(): Promise<void> {
    return end(this.#sockets)
  }

  #answer(socket: Socket, messageBytes: number, echoBytes: number): void {
    let received = 0
    socket.on('data', (data) => {
      received += data.length
      const whole = Math.floor(received / echoBytes)
      received -= whole * echoBytes
      this.#echoed += whole
      if (whole === 0) return
      if (this.#isTalking) {
        socket.write(this.#packet.subarray(0, whole * messageBytes))
      } else {
        this.#underWay -= whole
        if (this.#underWay === 0) this.#quiet()
      }
    })
  }
}
