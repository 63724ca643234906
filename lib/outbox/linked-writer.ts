import type { SendOptions } from '../api/socket.js'
import { toPayload } from '../platform/payload.js'
import { marked } from './marked.js'
import type { SendCallback } from './send-callbacks.js'
import { isFragment } from './send-options.js'
import type { SharedMessage } from './shared-message.js'
import { Writer } from './writer.js'

/** The outbox of a connection without a session whose client speaks the link. */
export class LinkedWriter extends Writer {
  /** Whether the last message was a fragment, and more of it follows: only the first one is marked. */
  #isWithin = false

  override send(data: unknown, options: SendOptions, callback: SendCallback | undefined): boolean {
    const payload = this.#isWithin ? data : marked(toPayload(data), options)
    this.#isWithin = isFragment(options)
    return super.send(payload, options, callback)
  }

  override foresee(message: SharedMessage): void {
    super.foresee(message.forLink)
  }

  override isPreparing(message: SharedMessage): boolean {
    return super.isPreparing(message.forLink)
  }

  override take(message: SharedMessage): boolean {
    return super.take(message.forLink)
  }
}
