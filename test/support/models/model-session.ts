import type { CloseCause } from '../../../lib/index.js'

/** How many bytes are counted for a kept message, beside its own. */
const BESIDE = 128

/** One session, as its model knows it. */
export class ModelSession {
  readonly id: string
  readonly key: string
  state: 'connected' | 'suspended' | 'over' = 'connected'
  /** Whether the client has said that it has the token. */
  isConfirmed = false
  /** Whether nothing comes or goes on its connection, and nobody has noticed. */
  isDeaf = false
  isClosing = false
  isDisplaced = false
  /** The last one that was taken. */
  attempt = 0
  /** Number of those who stand in a hook, and want to go on with it. */
  asking = 0
  answeredAt = -Infinity
  suspensions = 0
  resumes = 0
  /** How its connection was lost, and until when it waits. */
  lost: CloseCause | undefined
  until = Infinity
  expiresAt = Infinity
  /** Of the close frame that the client gets, or would get. */
  code: number | undefined
  graveUntil = -Infinity
  /** Of the messages that the app has sent, in bytes. */
  readonly sizes: number[] = []
  acknowledged = 0
  endsBy = Infinity
  lossBy = Infinity
  readonly #ends = new Set<CloseCause>()
  #losses: readonly CloseCause[] = []

  constructor(id: string, key: string) {
    this.id = id
    this.key = key
  }

  get isOpen(): boolean {
    return this.state !== 'over' && !this.isClosing && !this.isDisplaced
  }

  /** What the messages take that the client has not confirmed, in bytes. */
  get kept(): number {
    return this.sizes.slice(this.acknowledged).reduce((sum, size) => sum + size + BESIDE, 0)
  }

  get about(): string {
    const { id, isDeaf, state } = this
    return `${id.slice(0, 4)}, ${isDeaf ? 'deaf' : state},`
  }

  mayEnd(cause: CloseCause): void {
    this.#ends.add(cause)
  }

  mayEndBy(cause: CloseCause): boolean {
    return this.#ends.has(cause)
  }

  hasToEnd(by: number): void {
    this.endsBy = Math.min(this.endsBy, by)
  }

  lostBy(causes: readonly CloseCause[], by: number): void {
    this.#losses = [...this.#losses, ...causes]
    this.lossBy = Math.min(this.lossBy, by)
  }

  mayBeLostBy(cause: CloseCause): boolean {
    return this.state === 'connected' && this.#losses.includes(cause)
  }

  suspend(cause: CloseCause, until: number): void {
    this.state = 'suspended'
    this.suspensions++
    this.lost = cause
    this.until = until
    this.#onNewLine()
  }

  resume(attempt: number, received: number): void {
    // A connection that is replaced was lost, too.
    if (this.state === 'connected') this.suspensions++
    this.state = 'connected'
    this.resumes++
    this.attempt = attempt
    this.isConfirmed = true
    this.acknowledge(received)
    this.#onNewLine()
  }

  acknowledge(received: number): void {
    this.isConfirmed = true
    this.acknowledged = Math.max(this.acknowledged, received)
  }

  #onNewLine(): void {
    this.isDeaf = false
    this.#losses = []
    this.lossBy = Infinity
  }
}
