import { nextTick } from '../platform/real-time.js'
import type { OutboxOwner } from './owner.js'

/** What `send()` calls when a message has left, or has not. */
export type SendCallback = (error?: Error) => void

/**
 * Callbacks of what was sent. Of what ws still has to compress, or to read, it tells only when it has done so, which
 * may be after the end: so they are kept here, and told when the transport is gone.
 */
export class SendCallbacks {
  readonly #pending = new Set<SendCallback>()

  /** @returns what to give to ws; whatever is called first, ws or we, `done` is called once */
  add(done: SendCallback): SendCallback {
    const once: SendCallback = (error) => {
      if (this.#pending.delete(once)) done(error)
    }
    this.#pending.add(once)
    return once
  }

  /** The transport is gone: nothing will be written any more. */
  transportGone(owner: OutboxOwner): void {
    for (const done of this.#pending) done(owner.abortReason())
  }
}

/**
 * What was sent too late is told so in a later tick, as in ws.
 * @returns `false`: nothing was queued
 */
export function tellTooLate(owner: OutboxOwner, done: SendCallback | undefined): false {
  if (done !== undefined) nextTick(done, owner.abortReason())
  return false
}
