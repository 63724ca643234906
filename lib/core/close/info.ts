import { CloseCode, isRetryable } from './codes.js'
import { type CloseCause, type CloseInitiator, POLICY } from './policy.js'

/**
 * A close frame (RFC 6455 §5.5.1). The plugin's own have a reason that a program can read, and nothing of an error: the
 * {@link CloseCause}, but `invalid-message` for a message that does not match its schema, and `drain.reason`; of a refusal the
 * `RefusalReason`.
 */
export interface CloseFrame {
  /** 1005 if the frame was empty. */
  readonly code: number
  readonly reason: string
}

/** How a connection ended: one frozen record, derived from recorded evidence. */
export interface CloseInfo {
  /** RFC 6455 §7.1.5: what the peer's close frame said, 1005 if it was empty, 1006 if none came. */
  readonly code: number
  /** What the peer's close frame said; `''` without one. */
  readonly reason: string
  readonly cause: CloseCause
  readonly initiator: CloseInitiator
  /** Whether both sides sent a close frame. */
  readonly clean: boolean
  /** Whether it was meant: `onUnexpectedClose` is called where it is `false`. */
  readonly expected: boolean
  /** Whether a client does well to connect again; see `isRetryable`. */
  readonly retryable: boolean
  /** Our close frame, if it was handed to the stream. */
  readonly sent: CloseFrame | undefined
  /** The peer's close frame, if one came. */
  readonly received: CloseFrame | undefined
  /** What was thrown, or the transport's or protocol's error; the one member that JSON cannot carry. */
  readonly error: Error | undefined
  /** Epoch ms. */
  readonly openedAt: number
  /** From the 101 to the end of the transport, in ms. */
  readonly duration: number
  readonly messagesReceived: number
  readonly messagesSent: number
  /** On the wire, from the 101 on; 0 where the stream does not count. */
  readonly bytesReceived: number
  /**
   * Those that the kernel took: what still waited in the process when the transport went was never sent. Over TLS both count what
   * was encrypted, not the records; but where something was left behind, what the kernel took of records (about one in 700 more).
   */
  readonly bytesSent: number
  /** Round trip of the last answered keepalive ping, in ms. */
  readonly latency: number | undefined
}

/** What is known of the transport when it is gone. */
export interface TransportFacts {
  /** The error that it was destroyed with. */
  readonly transportError: Error | undefined
  readonly received: CloseFrame | undefined
  /** Whether our close frame left ws's own queue. */
  readonly isSentHandedOver: boolean
  readonly openedAt: number
  readonly duration: number
  readonly messagesReceived: number
  readonly messagesSent: number
  readonly bytesReceived: number
  readonly bytesSent: number
  readonly latency: number | undefined
}

/** What was recorded while it happened; the verdicts of {@link CloseInfo} follow from it alone. */
export interface CloseEvidence {
  /** The first cause that was known for certain: our own call, the frame received, an error. */
  readonly cause: CloseCause | undefined
  readonly error: Error | undefined
  /** Whether the peer's FIN was the first sign of the end. */
  readonly finished: boolean
  readonly sent: CloseFrame | undefined
}

/** The one place where evidence becomes a verdict. */
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
  // RFC 6455 §7.1.5: the connection's close code is what the peer's frame said.
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
  })
}

/** The level at which an end is logged: the network's whims are news, our and their faults warn. */
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
