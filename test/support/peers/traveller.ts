import type { ModelSession } from '../models/model-session.js'
import type { Dial } from '../models/sessions-model.js'
import type { LinkPeer } from './link-peer.js'

/** A client of one session. It counts what comes, and sends again what the server has not got. */
export class Traveller {
  readonly session: ModelSession
  readonly key: string
  /** The connection that it listens to. */
  peer: LinkPeer | undefined
  /** The number of its last attempt. */
  attempt = 0
  sent = 0
  received = 0
  /** What it has seen that must not be. */
  readonly faults: string[] = []
  #read = 0
  readonly #home: LinkPeer

  constructor(session: ModelSession, peer: LinkPeer) {
    this.session = session
    this.key = session.key
    this.peer = peer
    this.#home = peer
    this.#read = peer.frames.indexOf('welcome') + 1
  }

  /** What it asks for. */
  request(attempt: number): ReturnType<LinkPeer['resume']> {
    return this.#home.resume(attempt, this.received)
  }

  /** It is welcome again on another connection, and sends what the server has not got. */
  moveTo(peer: LinkPeer, { attempt }: Dial): void {
    const { received } = peer.welcome
    if (received > this.sent) this.faults.push(`${received} of ${this.sent} have come`)
    this.peer = peer
    this.attempt = Math.max(this.attempt, attempt)
    this.#read = peer.frames.indexOf('welcome') + 1
    for (let number = received; number < this.sent; number++) this.#say(number)
  }

  /** From now on it listens to nobody. @returns the connection that it had */
  letGo(): LinkPeer | undefined {
    const { peer } = this
    this.peer = undefined
    return peer
  }

  send(): void {
    this.#say(this.sent++)
  }

  /** A message says after how many gaps it was sent: it must not be handled before these are over. */
  #say(number: number): void {
    this.peer?.send(`up ${number} ${this.session.resumes}`)
  }

  /** Takes what has come. */
  listen(): void {
    const frames = this.peer?.frames ?? []
    for (; this.#read < frames.length; this.#read++) {
      const frame = frames[this.#read] as string
      if (frame.startsWith('close')) this.peer = undefined
      if (!frame.startsWith('down')) continue
      const [, number] = frame.split(' ')
      if (Number(number) !== this.received) this.faults.push(`${frame} after ${this.received}`)
      this.received++
    }
  }
}
