/** A resolved `inbox` option. */
export interface InboxPolicy {
  readonly maxMessages: number
  readonly maxBytes: number
  readonly concurrency: number
}

/**
 * The messages that were received and are not yet handled, in order: those that wait, and those that are
 * being handled (at most `concurrency` at once). From the moment it is full until it is half empty, reading
 * should be paused.
 */
export class Inbox<Message extends { readonly bytes: number; readonly era: number }> {
  readonly #policy: InboxPolicy
  #waiting: Array<Message | undefined> = []
  /** Index of the first message that waits. `shift()` on a long array would copy the array each time. */
  #head = 0
  #handling = 0
  #bytes = 0
  #isFull = false
  #era = 0
  #older = 0

  constructor(policy: InboxPolicy) {
    this.#policy = policy
  }

  /** Number of messages that wait. */
  get waiting(): number {
    return this.#waiting.length - this.#head
  }

  /** Number of bytes that were received and are not yet handled. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether nothing waits and nothing is being handled. */
  get isIdle(): boolean {
    return this.#handling === 0 && this.waiting === 0
  }

  /**
   * Number of the current era. Code that waits for all messages that have come by now begins a new era. So it
   * need not wait for messages that come later.
   */
  get era(): number {
    return this.#era
  }

  /** How many messages of earlier eras are not handled yet. */
  get older(): number {
    return this.#older
  }

  /** Whether reading should be paused: `true` from full until half empty. */
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

  /** Takes out the first message that waits; its handling begins. */
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

  /** The handling of a message begins that never had to wait. */
  begin(bytes: number): void {
    this.#handling++
    this.#weigh(bytes)
  }

  /** A message that came in `era` has been handled. */
  end(bytes: number, era: number): void {
    this.#handling--
    if (era < this.#era) this.#older--
    this.#weigh(-bytes)
  }

  /** Begins a new era: all messages that have come by now belong to an earlier one. */
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
