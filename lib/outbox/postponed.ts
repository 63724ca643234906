import type { SharedMessage } from './shared-message.js'

/** Messages to many that came within a message in fragments: that one has to end first (RFC 6455 §5.4). */
export class Postponed {
  readonly messages: SharedMessage[] = []
  bytes = 0

  add(message: SharedMessage): void {
    this.messages.push(message)
    this.bytes += message.bytes
  }
}
