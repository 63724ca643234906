/** After so many messages the peer is told at once how many have come. */
const MOST_UNTOLD = 32
/** After so many bytes too. */
const MOST_BYTES_UNTOLD = 16 * 1024

/**
 * The messages that one side of a session sends, in order. Each is kept until the peer has confirmed it, so
 * that a new connection can send it again. A message has no number on the wire: both sides count.
 *
 *     confirmed │ handed to the connection │ waiting
 *               └──────────── kept ─────────────────┘
 */
export class Outgoing<Item> {
  #acknowledged = 0
  #kept: Array<Item | undefined> = []
  /** Index of the first message that is kept. `shift()` on a long array would copy the array each time. */
  #head = 0
  /** Index of the next message to hand to the connection. */
  #next = 0
  /** The highest number that was ever handed to a connection. */
  #handedOver = 0

  /** How many messages the peer has confirmed. */
  get acknowledged(): number {
    return this.#acknowledged
  }

  /** How many messages are kept. */
  get size(): number {
    return this.#kept.length - this.#head
  }

  /** How many messages there were in all. */
  get total(): number {
    return this.#acknowledged + this.size
  }

  /** Whether a message waits to be handed to the connection. */
  get isWaiting(): boolean {
    return this.#next < this.#kept.length
  }

  push(item: Item): void {
    this.#kept.push(item)
  }

  /** The next message to hand to the connection; from now on it counts as handed over. */
  next(): Item | undefined {
    if (!this.isWaiting) return undefined
    const item = this.#kept[this.#next++]
    this.#handedOver = Math.max(this.#handedOver, this.#acknowledged + this.#next - this.#head)
    return item
  }

  /** Whether the peer can have received so many messages. */
  isPossible(count: number): boolean {
    return count >= this.#acknowledged && count <= this.#handedOver
  }

  /**
   * The peer has received so many messages.
   * @returns the messages that are kept no longer, in order; `undefined` if that cannot be: then nothing changes
   */
  acknowledge(count: number): Item[] | undefined {
    if (!this.isPossible(count)) return undefined
    const from = this.#head
    this.#head += count - this.#acknowledged
    this.#acknowledged = count
    this.#next = Math.max(this.#next, this.#head)
    const confirmed = this.#kept.slice(from, this.#head) as Item[]
    this.#kept.fill(undefined, from, this.#head)
    if (this.#head * 2 > this.#kept.length) {
      this.#next -= this.#head
      this.#kept = this.#kept.slice(this.#head)
      this.#head = 0
    }
    return confirmed
  }

  /** A new connection: it gets all messages that are kept. */
  rewind(): void {
    this.#next = this.#head
  }

  /** The messages that are kept, in order. */
  all(): Item[] {
    return this.#kept.slice(this.#head) as Item[]
  }
}

/** Counts the messages that one side of a session receives, and knows when to tell the peer. */
export class Incoming {
  #received = 0
  #told = 0
  #bytesUntold = 0

  get received(): number {
    return this.#received
  }

  /** Whether the peer does not know the number yet. */
  get owes(): boolean {
    return this.#received > this.#told
  }

  /**
   * A message has come.
   * @returns whether the peer should be told at once
   */
  note(bytes: number): boolean {
    this.#received++
    this.#bytesUntold += bytes
    return this.#received - this.#told >= MOST_UNTOLD || this.#bytesUntold >= MOST_BYTES_UNTOLD
  }

  /** The peer is told now. @returns the number */
  tell(): number {
    this.#told = this.#received
    this.#bytesUntold = 0
    return this.#received
  }
}
