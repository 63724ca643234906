import type { HistoryEntry } from '../diagnosis/history.js'
import { CloseCode, isRetryable } from './codes.js'
import { type CloseCause, type CloseInitiator, POLICY } from './policy.js'

/**
 * A close frame (RFC 6455 §5.5.1).
 *
 * Frames that the plugin sends have a reason that a program can read, and that tells nothing about errors. It
 * is the {@link CloseCause}, with three exceptions: `invalid-message` for a message that does not match its
 * schema, `drain.reason` in a drain, and the `RefusalReason` for a refused upgrade.
 */
export interface CloseFrame {
  /** 1005 if the frame was empty. */
  readonly code: number
  readonly reason: string
}

/** How a connection ended: a frozen object, derived from recorded evidence. */
export interface CloseInfo {
  /** The code of the peer's close frame (RFC 6455 §7.1.5). 1005 if the frame was empty, 1006 if none came. */
  readonly code: number
  /** The reason of the peer's close frame; `''` if none came. */
  readonly reason: string
  readonly cause: CloseCause
  readonly initiator: CloseInitiator
  /** Whether both sides sent a close frame. */
  readonly clean: boolean
  /** Whether this end was expected. `onUnexpectedClose` is called if it is `false`. */
  readonly expected: boolean
  /** Whether the client should connect again; see `isRetryable`. */
  readonly retryable: boolean
  /** Our close frame, if it was given to the stream. */
  readonly sent: CloseFrame | undefined
  /** The peer's close frame, if one came. */
  readonly received: CloseFrame | undefined
  /**
   * What the app threw, or the error of the transport or of the protocol. It is the only member that JSON
   * cannot carry.
   */
  readonly error: Error | undefined
  /** When the (first) 101 was sent, in epoch ms. */
  readonly openedAt: number
  /**
   * From the 101 to the end of the transport, in ms. On a route with `resume` the sum over the connections of
   * the session, like the four numbers that follow.
   */
  readonly duration: number
  readonly messagesReceived: number
  readonly messagesSent: number
  /** Number of bytes on the wire since the 101; 0 where the stream does not count. */
  readonly bytesReceived: number
  /**
   * Number of bytes that the kernel took since the 101. Bytes that still waited in the process when the
   * transport went were never sent.
   *
   * Over TLS both numbers count bytes before encryption. But if bytes were left behind, `bytesSent` counts
   * bytes of TLS records (about one in 700 more).
   */
  readonly bytesSent: number
  /** Round trip of the last answered keepalive ping, in ms. `undefined` if none was answered. */
  readonly latency: number | undefined
  /** How often the client has come back to its session; 0 on a route without `resume`. */
  readonly resumes: number
  /**
   * How many messages were sent whose receipt the client has not confirmed. It may have received them all the
   * same. 0 on a route without `resume`, and for a client that confirms nothing.
   */
  readonly unacknowledged: number
  /**
   * The last 16 facts of the connection, or of the session, until its transport was gone: frozen. `undefined` if
   * there is no history: the option `history` is off, and there was no sign that something was wrong.
   */
  readonly history: readonly HistoryEntry[] | undefined
}

/** What is known about the transport when it is gone. */
export interface TransportFacts {
  /** The error with which the stream was destroyed. */
  readonly transportError: Error | undefined
  readonly received: CloseFrame | undefined
  /** Whether our close frame has left ws's own queue. */
  readonly isSentHandedOver: boolean
  readonly openedAt: number
  readonly duration: number
  readonly messagesReceived: number
  readonly messagesSent: number
  readonly bytesReceived: number
  readonly bytesSent: number
  readonly latency: number | undefined
  readonly history: readonly HistoryEntry[] | undefined
}

/**
 * What was recorded while the connection was ending. The verdicts in {@link CloseInfo} follow from this and
 * from {@link TransportFacts}.
 */
export interface CloseEvidence {
  /** The first cause that was certain: our own call, the frame that came, or an error. */
  readonly cause: CloseCause | undefined
  readonly error: Error | undefined
  /** Whether the peer's FIN was the first sign of the end. */
  readonly finished: boolean
  readonly sent: CloseFrame | undefined
}

/** Makes the verdict from the evidence. This happens nowhere else. */
export function deriveCloseInfo(
  evidence: CloseEvidence,
  facts: TransportFacts,
  expectedCloseCodes: readonly number[],
): CloseInfo {
  const { sent } = evidence
  const { received } = facts
  const isBroken = facts.transportError !== undefined && !evidence.finished
  const cause = evidence.cause ?? unrecordedCause(received !== undefined, isBroken)
  const { initiator, expected, codeIsOurs } = POLICY[cause]
  // RFC 6455 §7.1.5: the close code of a connection is the one in the peer's frame.
  const code = received?.code ?? CloseCode.AbnormalClosure
  return Object.freeze({
    code,
    reason: received?.reason ?? '',
    cause,
    initiator,
    clean: sent !== undefined && received !== undefined,
    expected: expected === 'always' || (expected !== 'never' && expectedCloseCodes.includes(code)),
    retryable: isRetryable(codeIsOurs ? (sent?.code ?? code) : code),
    sent,
    received,
    error: cause === 'connection-reset' ? facts.transportError : evidence.error,
    openedAt: facts.openedAt,
    duration: facts.duration,
    messagesReceived: facts.messagesReceived,
    messagesSent: facts.messagesSent,
    bytesReceived: facts.bytesReceived,
    bytesSent: facts.bytesSent,
    latency: facts.latency,
    resumes: 0,
    unacknowledged: 0,
    history: facts.history,
  })
}

/**
 * The level at which an end is logged. A loss in the network is information; a fault of ours or of the peer
 * is a warning.
 */
export function closeLogLevel(close: CloseInfo): 'debug' | 'info' | 'warn' {
  if (close.expected) return 'debug'
  return close.initiator === 'network' ? 'info' : 'warn'
}

/**
 * The cause of an end for which none was recorded.
 *
 * A close frame may have come unnoticed: it was in bytes before the FIN that were still being inflated when
 * the FIN came.
 * @param isBroken whether the stream has an error, and no FIN came before it
 */
export function unrecordedCause(isFrameReceived: boolean, isBroken: boolean): CloseCause {
  if (isFrameReceived) return 'client-close'
  return isBroken ? 'connection-reset' : 'connection-lost'
}
