import { nextTick } from '../platform/real-time.js'
import type { OutboxOwner } from './owner.js'

/** The callback of `send()`: called when a message has left, or cannot leave. */
export type SendCallback = (error?: Error) => void

/**
 * The callbacks of messages that were sent. For a message that ws still has to compress or to read, ws calls
 * back only after that, and this may be after the end. So callbacks are kept here, and called when the
 * transport is gone.
 */
export class SendCallbacks {
  readonly #pending = new Set<SendCallback>()

  /** @returns a callback for ws; `done` is called once, by ws or by us */
  add(done: SendCallback): SendCallback {
    const once: SendCallback = (error) => {
      if (this.#pending.delete(once)) done(error)
    }
    this.#pending.add(once)
    return once
  }

  /** The transport is gone: nothing will be written any more. */
  transportGone(owner: Pick<OutboxOwner, 'abortReason'>): void {
    for (const done of this.#pending) done(owner.abortReason())
  }
}

/**
 * Calls the callback of a message that was sent too late, in a later tick as in ws.
 * @returns `false`: nothing was queued
 */
export function tellTooLate(owner: OutboxOwner, done: SendCallback | undefined): false {
  if (done !== undefined) nextTick(done, owner.abortReason())
  return false
}
