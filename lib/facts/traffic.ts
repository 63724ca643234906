import type { CloseInfo } from '../core/close/info.js'

/** What has gone over connections since they were opened; see {@link CloseInfo}. */
export type Totals = Pick<
  CloseInfo,
  'messagesReceived' | 'messagesSent' | 'bytesReceived' | 'bytesSent'
>

/** What has gone over the connections of a route since the server started, and what waits there now. */
export interface Traffic extends Mutable<Totals> {
  /** Number of messages that were received and are not handled yet. */
  inboxMessages: number
  /** Number of bytes of these, and of those that are being handled. */
  inboxBytes: number
  /** Number of bytes that were sent and have not left. On a route with `resume`: that are not confirmed. */
  outboxBytes: number
  /** Number of sessions that wait for their client. */
  interrupted: number
}

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] }

export function noTraffic(): Traffic {
  return {
    messagesReceived: 0,
    messagesSent: 0,
    bytesReceived: 0,
    bytesSent: 0,
    inboxMessages: 0,
    inboxBytes: 0,
    outboxBytes: 0,
    interrupted: 0,
  }
}

export function addTotals(traffic: Mutable<Totals>, totals: Totals): void {
  traffic.messagesReceived += totals.messagesReceived
  traffic.messagesSent += totals.messagesSent
  traffic.bytesReceived += totals.bytesReceived
  traffic.bytesSent += totals.bytesSent
}
