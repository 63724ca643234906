import {
  type CloseFrame,
  type CloseInfo,
  deriveCloseInfo,
  type TransportFacts,
  unrecordedCause,
} from './info.js'
import type { CloseCause } from './policy.js'

/**
 * Collects evidence of why a connection ends, while it ends.
 *
 * The first cause wins, with two exceptions that the protocol requires. After a FIN, a close frame from
 * before it may still wait to be parsed. And on a protocol error ws calls `close()` before it says what was
 * wrong.
 */
export class CloseRecord {
  #cause: CloseCause | undefined
  #error: Error | undefined
  #sent: CloseFrame | undefined
  #finished = false
  #mayBeWsClose = false

  /** Why the connection ends; `undefined` as long as that is not certain. */
  get cause(): CloseCause | undefined {
    return this.#cause
  }

  /** Our close frame, as we gave it to ws. */
  get sent(): CloseFrame | undefined {
    return this.#sent
  }

  /** Notes the cause, unless there is one already or a FIN came first. */
  note(cause: CloseCause, error?: Error): void {
    if (this.#cause !== undefined || this.#finished) return
    this.#cause = cause
    this.#error = error
  }

  /**
   * Notes a call of `close()`, and why it was made. If ws has made it, it still has to say what was wrong: see
   * {@link explain}.
   */
  noteOwnClose(cause: CloseCause): void {
    this.#mayBeWsClose = this.#cause === undefined && !this.#finished
    this.note(cause)
  }

  /** The last `close()` was the app's: from now on {@link explain} does not replace its cause. */
  trustOwnClose(): void {
    this.#mayBeWsClose = false
  }

  /** Notes what the peer did wrong, as ws tells it right after its own `close()`. */
  explain(cause: CloseCause, error: Error): void {
    if (!this.#mayBeWsClose && !(this.#finished && this.#cause === undefined)) return
    this.#mayBeWsClose = false
    this.#cause = cause
    this.#error = error
  }

  noteSent(code: number | undefined, reason: string): void {
    this.#sent = Object.freeze(code === undefined ? { code: 1005, reason: '' } : { code, reason })
  }

  /** Notes that the peer's FIN came before any other sign of an end. */
  noteFinished(): void {
    if (this.#cause === undefined) this.#finished = true
  }

  /** Everything before the FIN has been parsed, so the cause is certain now. */
  trustFinished(isFrameReceived: boolean): void {
    if (this.#finished) this.#cause ??= unrecordedCause(isFrameReceived, false)
  }

  /** Makes the verdict, once the transport is gone. */
  conclude(facts: TransportFacts, expectedCloseCodes: readonly number[]): CloseInfo {
    const evidence = {
      cause: this.#cause,
      error: this.#error,
      finished: this.#finished,
      sent: facts.isSentHandedOver ? this.#sent : undefined,
    }
    const close = deriveCloseInfo(evidence, facts, expectedCloseCodes)
    this.#cause = close.cause
    return close
  }
}
