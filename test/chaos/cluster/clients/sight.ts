import type { LedgerFile } from '../ledger.js'

/** What a node sends. */
interface Down {
  /** The first message of a connection or session: its id. */
  readonly hello?: string
  /** Which process. */
  readonly process?: number
  /** The answer to a message of this number. */
  readonly number?: number
  readonly publish?: string
  /** When it was sent. */
  readonly at: number
}

/** What a client sees of one connection, or of one session: messages in order, none missing and none twice. */
export class Sight {
  /** The process of its node. */
  of = -1
  sent = 0
  #id: string | undefined
  #answered = 0
  #openedAt = 0
  #upTo = 0
  readonly #publishes: string[] = []
  readonly #key: string
  readonly #ledger: LedgerFile

  constructor(key: string, ledger: LedgerFile) {
    this.#key = key
    this.#ledger = ledger
  }

  /** `undefined` until its first message has come. */
  get id(): string | undefined {
    return this.#id
  }

  /** The next message to send. */
  next(): string {
    return JSON.stringify({ number: ++this.sent })
  }

  hear(data: string): void {
    const { at, hello, number, process = -1, publish } = JSON.parse(data) as Down
    if (hello !== undefined) {
      if (this.#id !== undefined) this.#fault(`began anew as ${hello}`)
      this.#id = hello
      this.of = process
      this.#openedAt = at
    } else if (this.#id === undefined) this.#fault(`its first message was ${data}`)
    if (publish !== undefined) return void this.#publishes.push(publish)
    this.#upTo = Math.max(this.#upTo, at)
    if (number === undefined) return
    if (number !== ++this.#answered) this.#fault(`got answer ${number}, not ${this.#answered}`)
    this.#answered = number
  }

  /** The client has another one, or none any more. */
  over(): void {
    if (this.#id === undefined) return
    this.#ledger.write({
      what: 'seen',
      id: this.#id,
      of: this.of,
      key: this.#key,
      openedAt: this.#openedAt,
      upTo: this.#upTo,
      publishes: this.#publishes,
    })
  }

  /** What was not confirmed are the last messages, in order. */
  undelivered(messages: readonly unknown[]): void {
    const numbers = messages.map((message) => (JSON.parse(String(message)) as Down).number)
    const isRight = numbers.every((number, at) => number === this.sent - numbers.length + 1 + at)
    if (!isRight) this.#fault(`of ${this.sent} messages these are undelivered: ${numbers.join()}`)
  }

  #fault(text: string): void {
    this.#ledger.write({ what: 'fault', text: `S1: ${this.#id} of ${this.#key}: ${text}` })
  }
}
