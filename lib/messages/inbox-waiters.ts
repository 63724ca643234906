import { Deferred } from '../platform/deferred.js'

/** What is left in the inbox. */
export interface InboxContent {
  /** Whether nothing waits and nothing is being handled. */
  readonly isIdle: boolean
  /** Messages of earlier eras that are not handled yet. */
  readonly older: number
}

/** Promises for code that waits until messages have been handled: all of them, or those of earlier eras. */
export class InboxWaiters {
  #idle: Deferred<void> | undefined
  #caughtUp: Deferred<void> | undefined

  /** Resolves when nothing is left in the inbox. */
  untilIdle(): Promise<void> {
    return (this.#idle ??= new Deferred<void>()).promise
  }

  /** Resolves when nothing of an earlier era is left in the inbox. */
  untilCaughtUp(): Promise<void> {
    return (this.#caughtUp ??= new Deferred<void>()).promise
  }

  /** A message was handled or dropped. */
  tell(inbox: InboxContent): void {
    if (inbox.older === 0) {
      this.#caughtUp?.resolve()
      this.#caughtUp = undefined
    }
    if (!inbox.isIdle) return
    this.#idle?.resolve()
    this.#idle = undefined
  }
}
