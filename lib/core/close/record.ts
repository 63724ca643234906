import {
  type CloseFrame,
  type CloseInfo,
  deriveCloseInfo,
  type TransportFacts,
  unrecordedCause,
} from './info.js'
import type { CloseCause } from './policy.js'

/**
 * Collects, while a connection ends, what is known of why. The first cause wins; two exceptions
 * are of the protocol's making. A FIN says that the peer has gone, but what it said before may
 * still wait to be parsed. And ws answers a protocol error with `close()` before it says why.
 */
export class CloseRecord {
  #cause: CloseCause | undefined
  #error: Error | undefined
  #sent: CloseFrame | undefined
  #finished = false
  #mayBeWsClose = false

  /** `undefined` as long as it is not certain. */
  get cause(): CloseCause | undefined {
    return this.#cause
  }

  /** Our close frame, as it was given to ws. */
  get sent(): CloseFrame | undefined {
    return this.#sent
  }

  /** Notes why the connection ends, unless that is known. */
  note(cause: CloseCause, error?: Error): void {
    if (this.#cause !== undefined || this.#finished) return
    this.#cause = cause
    this.#error = error
  }

  /** Notes a `close()` of the app's, or so it seems: {@link explain} may tell that it was ws's. */
  noteOwnClose(): void {
    this.#mayBeWsClose = this.#cause === undefined && !this.#finished
    this.note('server-close')
  }

  /** From here on nothing explains the `close()` that was noted: it was the app's. */
  trustOwnClose(): void {
    this.#mayBeWsClose = false
  }

  /** What the peer did wrong, told by ws right after its own `close()`. */
  explain(cause: CloseCause, error: Error): void {
    if (!this.#mayBeWsClose && !(this.#finished && this.#cause === undefined)) return
    this.#mayBeWsClose = false
    this.#cause = cause
    this.#error = error
  }

  noteSent(code: number | undefined, reason: string): void {
    this.#sent = Object.freeze(code === undefined ? { code: 1005, reason: '' } : { code, reason })
  }

  /** The peer's FIN came before any other sign of an end. */
  noteFinished(): void {
    if (this.#cause === undefined) this.#finished = true
  }

  /** All that stood before the FIN was parsed, a close frame among it or none. */
  trustFinished(isFrameReceived: boolean): void {
    if (this.#finished) this.#cause ??= unrecordedCause(isFrameReceived, false)
  }

  /** The verdict, once the transport is gone. */
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
