import { isRetryable } from '../core/close/codes.js'
import { type CloseFrame, type CloseInfo, deriveCloseInfo } from '../core/close/info.js'
import type { CloseCause } from '../core/close/policy.js'
import type { Grave } from '../core/session/graves.js'
import { addTotals, type Totals } from '../facts/traffic.js'

/** How a session ends for which there is no connection. */
export interface Away {
  readonly cause: CloseCause
  /** Of the close frame that the client would have got. */
  readonly code: number | undefined
  readonly reason: string
}

export function frameOf({ code, reason }: Away): CloseFrame | undefined {
  return code === undefined ? undefined : { code, reason }
}

/** Adds up what the connections of a session have counted. */
export class SessionTotals implements Totals {
  resumes = 0
  #openedAt = Infinity
  #duration = 0
  messagesReceived = 0
  messagesSent = 0
  bytesReceived = 0
  bytesSent = 0

  /** When the first connection was opened that has ended, in epoch ms. */
  get openedAt(): number {
    return this.#openedAt
  }

  /** A connection has ended. */
  add(close: CloseInfo): void {
    this.#openedAt = Math.min(this.#openedAt, close.openedAt)
    this.#duration += close.duration
    addTotals(this, close)
  }

  /**
   * The record of the session, made of the record of its end.
   * @param sent number of messages sent; `undefined` if the connections have counted them
   */
  conclude(
    close: CloseInfo,
    history: CloseInfo['history'],
    unacknowledged: number,
    sent: number | undefined,
  ): CloseInfo {
    return Object.freeze({
      ...close,
      history,
      openedAt: this.#openedAt,
      duration: this.#duration,
      messagesReceived: this.messagesReceived,
      messagesSent: sent ?? this.messagesSent,
      bytesReceived: this.bytesReceived,
      bytesSent: this.bytesSent,
      resumes: this.resumes,
      unacknowledged,
    })
  }
}

/**
 * What a client is told that comes back to a session, if it has not heard of its end.
 * @param untold the close frame that it has not answered
 * @returns `undefined` if the client may come back: a new session is what it needs
 */
export function graveOf(
  { key, path }: Pick<Grave, 'key' | 'path'>,
  untold: CloseFrame | undefined,
): Grave | undefined {
  if (untold === undefined || isRetryable(untold.code)) return undefined
  return { key, path, code: untold.code, reason: untold.reason }
}

/**
 * The record of an end for which there was no connection.
 * @param wanted the close frame that the client would have got: it says whether to connect again
 */
export function endedAway(
  cause: CloseCause,
  error: Error | undefined,
  wanted: CloseFrame | undefined,
  lost: CloseInfo,
): CloseInfo {
  const evidence = { cause, error, finished: false, sent: wanted }
  const facts = { ...lost, transportError: undefined, received: undefined, isSentHandedOver: false }
  return { ...deriveCloseInfo(evidence, facts, []), sent: undefined }
}
