import { outboxFull } from '../errors.js'
import type { Facts } from '../facts/facts.js'
import type { RecordedSubject } from '../facts/subjects.js'
import { nextTick, queueMicrotask } from '../platform/real-time.js'
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
 * Calls the callback of a message that was sent too late: when the caller is done, as ws does. It is called before
 * `closed` resolves, also if the last release has sent the message.
 * @returns `false`: nothing was queued
 */
export function tellTooLate(
  owner: Pick<OutboxOwner, 'abortReason'>,
  done: SendCallback | undefined,
): false {
  if (done === undefined) return false
  const error = owner.abortReason()
  queueMicrotask(() => done(error))
  return false
}

/** Whose message is dropped. */
interface DroppingOwner extends RecordedSubject {
  readonly shared: { readonly facts: Facts }
}

/**
 * Counts a message for which there was no room, and calls its callback in a later tick.
 * @returns `false`: nothing was queued
 */
export function tellDropped(owner: DroppingOwner, done: SendCallback | undefined): false {
  owner.shared.facts.messagesDropped(owner, 'sent')
  if (done !== undefined) nextTick(done, outboxFull('the message was dropped'))
  return false
}
