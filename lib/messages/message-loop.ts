import type { Message } from '../api/socket.js'

/** A message that a loop got. */
export interface Taken {
  readonly message: Message
  readonly bytes: number
  readonly era: number
}

/** Where a loop gets its messages from. */
export interface Source {
  /** @returns the first message that waits */
  take(): Taken | undefined
  /** A message that was taken has been handled. */
  handled(taken: Taken): void
  /** The loop takes no more. */
  left(): void
}

type Result = IteratorResult<Message, undefined>

const DONE: Result = { done: true, value: undefined }

/** The iterator of `socket.messages()`. A message counts as handled when the loop asks for the next one. */
export class MessageLoop implements AsyncIterableIterator<Message> {
  readonly #source: Source
  readonly #waiting: Array<(result: Result) => void> = []
  /** The messages that were given to the loop and are not handled yet, the oldest first. */
  readonly #handling: Taken[] = []
  #isEnding = false
  #isDone = false

  constructor(source: Source) {
    this.#source = source
  }

  /** Whether the loop is done: it has ended, or was left by `return()`. */
  get isDone(): boolean {
    return this.#isDone
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<Result> {
    this.#settleOne()
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.offer()
    })
  }

  return(): Promise<Result> {
    while (this.#handling.length > 0) this.#settleOne()
    if (!this.#isDone) {
      this.#isDone = true
      this.offer()
      this.#source.left()
    }
    return Promise.resolve(DONE)
  }

  /** A message may wait. */
  offer(): void {
    while (this.#waiting.length > 0 && !this.#isDone) {
      const taken = this.#source.take()
      if (taken === undefined) break
      this.#handling.push(taken)
      const resolve = this.#waiting.shift()
      // A plain listener gets the message first, and may have left the loop.
      if (resolve === undefined) this.#settleOne()
      else resolve({ done: false, value: taken.message })
    }
    if (this.#waiting.length === 0 || !(this.#isEnding || this.#isDone)) return
    this.#isDone = true
    for (const resolve of this.#waiting.splice(0)) resolve(DONE)
  }

  /** No message will come after those that wait. */
  end(): void {
    this.#isEnding = true
    this.offer()
  }

  #settleOne(): void {
    const taken = this.#handling.shift()
    if (taken !== undefined) this.#source.handled(taken)
  }
}
