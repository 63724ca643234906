import { offered, type Told } from '../session/link.js'
import { Incoming } from '../session/numbering.js'
import { bytesOf, type Message } from './data.js'

/** How much may wait. */
export interface Bounds {
  readonly maxMessages: number
  readonly maxBytes: number
}

/** What the beginning of a connection means for the app. */
export interface Begun {
  /** Whether the session of before goes on. */
  readonly resumed: boolean
  /** What the session of before has never confirmed. */
  readonly undelivered: readonly Message[]
}

/**
 * What outlives a connection: whose session it is, how far both sides have come, and what was sent and waits. A message
 * waits for a connection and, with a session, for the server to confirm it. It has no number on the wire: both sides
 * count.
 *
 *     confirmed │ handed to the connection │ waiting
 *               └──────────── kept ─────────────────┘
 */
export class ClientSession {
  /** Counts what comes. */
  incoming: Incoming = new Incoming()
  /** How many bytes are kept. */
  bytes = 0
  readonly #resumes: boolean
  #kept: Message[] = []
  /** How many of these were handed to the connection. */
  #handedOver = 0
  /** How many messages the server has confirmed. */
  #confirmed = 0
  #token: string | undefined
  /** How many attempts have offered the token. The server takes no number twice. */
  #attempts = 0
  /** Whether the server has a session for us, and so has to be told what has come. */
  #isCounted = false
  /** Whether what is sent is kept until the server has confirmed it. */
  #isKept = false

  /** @param resumes whether to go on with a session */
  constructor(resumes: boolean) {
    this.#resumes = resumes
  }

  /** Whether the server is to be told what has come. */
  get owes(): boolean {
    return this.#isCounted && this.incoming.owes
  }

  add(data: Message): void {
    this.bytes += bytesOf(data)
    this.#kept.push(data)
  }

  /**
   * Whether less than this part of the bounds is taken. It is full at 1, so the last message may go beyond: else one that
   * is larger than all of them could never be sent.
   */
  hasRoom({ maxMessages, maxBytes }: Bounds, part: number): boolean {
    return this.#kept.length < maxMessages * part && this.bytes < maxBytes * part
  }

  /** The next message to hand to the connection. */
  next(): Message | undefined {
    if (!this.#isKept) return this.#drop(1)[0]
    const next = this.#kept[this.#handedOver]
    if (next !== undefined) this.#handedOver++
    return next
  }

  /** The subprotocols that the next attempt offers. Each attempt has a number of its own. */
  offer(protocols: readonly string[]): string[] {
    if (this.#token === undefined) return offered(protocols)
    return offered(protocols, ++this.#attempts, this.incoming.received, this.#token)
  }

  /** The session is over. What it has not confirmed is told when the next one begins. */
  forget(): void {
    this.#token = undefined
  }

  /**
   * A connection is ready: it gets all messages that are kept.
   * @param told what the server's welcome says of a session; `undefined`: it has none for us
   * @returns `undefined` if that cannot be
   */
  begin(told: Told | undefined): Begun | undefined {
    const resumed = told?.isResumed === true
    // It was not asked to, or it tells of messages that it never got.
    if (resumed ? !this.#token || !this.confirm(told.received) : told?.received) return undefined
    const undelivered = this.#isKept && !resumed ? this.empty() : []
    if (!resumed) {
      this.incoming = new Incoming()
      this.#attempts = 0
      this.#confirmed = 0
      this.#isCounted = told !== undefined
      this.#isKept = this.#resumes && this.#isCounted
    }
    this.#token = this.#isKept ? told?.token : undefined
    this.#handedOver = 0
    return { resumed, undelivered }
  }

  /**
   * The server has received so many messages.
   * @returns `false` if that cannot be
   */
  confirm(count: number): boolean {
    const news = count - this.#confirmed
    if (!this.#isKept) return true
    if (news < 0 || news > this.#handedOver) return false
    this.#drop(news)
    this.#confirmed = count
    this.#handedOver -= news
    return true
  }

  /** @returns all that was kept, in order; from now on nothing is */
  empty(): Message[] {
    return this.#drop(this.#kept.length)
  }

  #drop(count: number): Message[] {
    const dropped = this.#kept.splice(0, count)
    for (const data of dropped) this.bytes -= bytesOf(data)
    return dropped
  }
}
