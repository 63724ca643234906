/** A resolved `inbox` option. */
export interface InboxPolicy {
  readonly maxMessages: number
  readonly maxBytes: number
  readonly concurrency: number
}

/**
 * Messages received and not yet handled, in order: those that wait, and those that are being
 * handled, at most `concurrency` at once. Full, it wants its source to pause; half empty, to resume.
 */
export class Inbox<Message extends { readonly bytes: number; readonly era: number }> {
  readonly #policy: InboxPolicy
  #waiting: Array<Message | undefined> = []
  /** Where the first one that waits stands: shifting a long array would copy it each time. */
  #head = 0
  #handling = 0
  #bytes = 0
  #isFull = false
  #era = 0
  #older = 0

  constructor(policy: InboxPolicy) {
    this.#policy = policy
  }

  /** Messages that wait. */
  get waiting(): number {
    return this.#waiting.length - this.#head
  }

  /** Bytes received and not yet handled. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether nothing waits and nothing is being handled. */
  get isIdle(): boolean {
    return this.#handling === 0 && this.waiting === 0
  }

  /** Which of its times it is: whoever waits for what has come by now begins another. */
  get era(): number {
    return this.#era
  }

  /** How many of earlier eras are not handled yet. */
  get older(): number {
    return this.#older
  }

  /** Whether its source is to pause: from full until half empty. */
  get isFull(): boolean {
    return this.#isFull
  }

  get hasRoom(): boolean {
    const { maxMessages, maxBytes } = this.#policy
    return this.#count < maxMessages && this.#bytes < maxBytes
  }

  /** Whether the next message may be handled now. */
  get mayHandle(): boolean {
    return this.#handling < this.#policy.concurrency
  }

  push(message: Message): void {
    this.#waiting.push(message)
    this.#weigh(message.bytes)
  }

  /** Takes the first one that waits to its handling. */
  shift(): Message | undefined {
    const first = this.#waiting[this.#head]
    if (first === undefined) return undefined
    this.#waiting[this.#head++] = undefined
    if (this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head)
      this.#head = 0
    }
    this.#handling++
    return first
  }

  /** A message need not wait, because none does: its handling begins. */
  begin(bytes: number): void {
    this.#handling++
    this.#weigh(bytes)
  }

  /** A message has been handled, which came in that era. */
  end(bytes: number, era: number): void {
    this.#handling--
    if (era < this.#era) this.#older--
    this.#weigh(-bytes)
  }

  /** All that has come by now is of an earlier era than what will come. */
  beginEra(): void {
    this.#era++
    this.#older = this.#count
  }

  /**
   * Forgets the messages that wait.
   * @returns how many there were
   */
  clear(): number {
    const forgotten = this.#waiting.filter((message) => message !== undefined)
    this.#waiting = []
    this.#head = 0
    this.#older -= forgotten.filter(({ era }) => era < this.#era).length
    this.#weigh(-forgotten.reduce((bytes, message) => bytes + message.bytes, 0))
    return forgotten.length
  }

  get #count(): number {
    return this.waiting + this.#handling
  }

  #weigh(bytes: number): void {
    this.#bytes += bytes
    if (!this.#isFull) {
      this.#isFull = !this.hasRoom
      return
    }
    const { maxMessages, maxBytes } = this.#policy
    this.#isFull = this.#count * 2 > maxMessages || this.#bytes * 2 > maxBytes
  }
}
