import { CloseCode, REPLACED } from './codes.js'

/** Who ended the connection. */
export type CloseInitiator = 'client' | 'server' | 'network'

/**
 * Causes for which `connection.end(cause)` sends a close frame. Its code is in the cause's row of {@link POLICY}, its
 * reason is the name of the cause (`invalid-message` for a message that does not match its schema).
 */
export type CauseWithCode =
  | 'idle-timeout'
  | 'lifetime-expired'
  | 'auth-expired'
  | 'slow-consumer'
  | 'rate-limited'
  | 'handler-error'
  | 'protocol-error'
  | 'message-too-big'
  | 'replaced'

/** Why the connection ended. */
export type CloseCause =
  | CauseWithCode
  | 'client-close'
  | 'server-close'
  | 'server-terminate'
  | 'shutdown'
  | 'heartbeat-timeout'
  | 'connection-lost'
  | 'connection-reset'

/**
 * What becomes of messages once a cause is known: they are handled all the same; those that come from now on are
 * dropped; those that wait are dropped too; or nobody but plain listeners hears of them, as with bare ws.
 */
export type MessagesAfter = 'handled' | 'new ones dropped' | 'all dropped' | 'for listeners only'

/** All that follows from a cause. */
export interface CausePolicy<Code extends number | undefined = number | undefined> {
  readonly initiator: CloseInitiator
  readonly expected: 'always' | 'never' | 'if the code is listed'
  /**
   * The code of our close frame, where the plugin decides to send one. `undefined` where there is none, or where
   * whoever ends the connection gives it: the app, the peer, the drain.
   */
  readonly code: Code
  readonly messages: MessagesAfter
  /**
   * Whether a client learns from the code that we sent, not from that of its own frame, what to do next. It must not
   * depend on whether the peer had the manners to echo ours.
   */
  readonly codeIsOurs: boolean
}

/** By whom an end was decided: the app or the plugin, the client, or nobody. */
const OURS = { initiator: 'server', expected: 'always', codeIsOurs: true } as const
const FAULT = { ...OURS, expected: 'never', messages: 'all dropped' } as const
const PEERS_FAULT = {
  initiator: 'client',
  expected: 'never',
  messages: 'handled',
  codeIsOurs: true,
} as const
const LOSS = {
  initiator: 'network',
  expected: 'if the code is listed',
  code: undefined,
  messages: 'handled',
  codeIsOurs: false,
} as const

/** A new cause is a name above and a row here; whoever ends a connection for it calls `connection.end(cause)`. */
export const POLICY: {
  readonly [Cause in CloseCause]: CausePolicy<Cause extends CauseWithCode ? number : undefined>
} = {
  'client-close': { ...LOSS, initiator: 'client' },
  'server-close': { ...OURS, code: undefined, messages: 'for listeners only' },
  'server-terminate': { ...OURS, code: undefined, messages: 'for listeners only' },
  shutdown: { ...OURS, code: undefined, messages: 'new ones dropped' },
  'idle-timeout': { ...OURS, code: CloseCode.Timeout, messages: 'handled' },
  'lifetime-expired': { ...OURS, code: CloseCode.GoingAway, messages: 'handled' },
  'auth-expired': { ...OURS, code: CloseCode.Unauthorized, messages: 'handled' },
  replaced: { ...OURS, code: REPLACED, messages: 'handled' },
  'handler-error': { ...FAULT, code: CloseCode.InternalError },
  'slow-consumer': { ...FAULT, code: CloseCode.TryAgainLater },
  'rate-limited': { ...FAULT, code: CloseCode.PolicyViolation },
  'heartbeat-timeout': LOSS,
  'connection-lost': LOSS,
  'connection-reset': LOSS,
  // Of a message that does not match its schema; ws has codes of its own for what is no valid frame.
  'protocol-error': { ...PEERS_FAULT, code: CloseCode.InvalidFramePayloadData },
  'message-too-big': { ...PEERS_FAULT, code: CloseCode.MessageTooBig },
}

/** ws names what the peer did wrong with codes of its own, zlib with these. */
const CODES_OF_FAULTS = /^(?:WS_ERR_|Z_)/
const TOO_BIG = /^WS_ERR_UNSUPPORTED_(?:MESSAGE|DATA_PAYLOAD)_LENGTH$/

/** @param code of an error of the socket. @returns what the peer did wrong; `undefined` where it is none of the peer's */
export function faultOfPeer(code: unknown): 'message-too-big' | 'protocol-error' | undefined {
  if (typeof code !== 'string' || !CODES_OF_FAULTS.test(code)) return undefined
  return TOO_BIG.test(code) ? 'message-too-big' : 'protocol-error'
}

/** Every cause, in the order of the table. */
export const CLOSE_CAUSES: readonly CloseCause[] = Object.keys(POLICY) as CloseCause[]
