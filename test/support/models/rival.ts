// One of several who want the place of one key, where the newest win: what they are told, and how they take it.
import { OPCODE, RawPeer } from '../peers/raw-peer.js'

export interface RivalSetup {
  readonly path?: string
  readonly headers?: Record<string, string>
  /** Whether it answers no close frame. */
  readonly isMute?: boolean
}

export class Rival {
  readonly peer: RawPeer
  /** `open`, statuses of HTTP, and close frames as `4409 replaced`; in their order. */
  readonly told: string[] = []
  readonly #isMute: boolean

  private constructor(peer: RawPeer, isMute: boolean) {
    this.peer = peer
    this.#isMute = isMute
  }

  /** Sends its upgrade request. */
  static async dial(port: number, setup: RivalSetup = {}): Promise<Rival> {
    const peer = await RawPeer.dial(port, setup.path ?? '/', setup.headers)
    const rival = new Rival(peer, setup.isMute === true)
    void rival.#listen()
    return rival
  }

  get isOpen(): boolean {
    return this.told.length === 1 && this.told[0] === 'open' && !this.peer.hasEnded
  }

  async #listen(): Promise<void> {
    const { peer } = this
    const answer = await peer.answer().catch(() => undefined)
    if (answer === undefined) return
    if (!answer.startsWith('HTTP/1.1 101')) this.told.push(answer.slice(9, 12))
    for (let frame = await peer.next(); frame !== undefined; frame = await peer.next()) {
      // Only a handler greets: whoever is refused by a close frame gets that alone.
      if (frame.opcode === OPCODE.text) this.told.push(frame.payload.toString())
      if (frame.opcode !== OPCODE.close) continue
      const { payload } = frame
      this.told.push(`${payload.readUInt16BE()} ${payload.subarray(2).toString()}`.trimEnd())
      if (!this.#isMute) peer.send(RawPeer.frame(OPCODE.close, payload))
    }
  }
}
