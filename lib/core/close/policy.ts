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
  | 'node-fenced'

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
 * What happens to messages once a cause is known:
 * - `handled`: they are handled as before.
 * - `new ones dropped`: messages that wait are handled, new ones are dropped.
 * - `all dropped`: messages that wait are dropped too.
 * - `for listeners only`: only plain listeners get them, as with bare ws.
 */
export type MessagesAfter = 'handled' | 'new ones dropped' | 'all dropped' | 'for listeners only'

/** Everything that follows from a cause. */
export interface CausePolicy<Code extends number | undefined = number | undefined> {
  readonly initiator: CloseInitiator
  readonly expected: 'always' | 'never' | 'if the code is listed'
  /**
   * The code of our close frame, if the plugin decides to send one. `undefined` if there is no frame, or if
   * its code comes from elsewhere: from the app, the peer, or the drain's options.
   */
  readonly code: Code
  readonly messages: MessagesAfter
  /**
   * Which code tells the client whether to connect again: the code that we sent, or that of its own frame. If
   * it is ours, the result must not depend on whether the peer has echoed our frame.
   */
  readonly codeIsOurs: boolean
}

/** Common parts of the rows: our own decisions, faults on our side, faults of the peer, and losses. */
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

/**
 * What follows from each cause. A new cause needs a name above and a row here. The code that ends a
 * connection for it calls `connection.end(cause)`.
 */
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
  // Another node may do what this one has to do for the connection.
  'node-fenced': { ...FAULT, code: CloseCode.ServiceRestart },
  'rate-limited': { ...FAULT, code: CloseCode.PolicyViolation },
  'heartbeat-timeout': LOSS,
  'connection-lost': LOSS,
  'connection-reset': LOSS,
  // For a message that does not match its schema. For an invalid frame ws has codes of its own.
  'protocol-error': { ...PEERS_FAULT, code: CloseCode.InvalidFramePayloadData },
  'message-too-big': { ...PEERS_FAULT, code: CloseCode.MessageTooBig },
}

/**
 * The codes of errors that tell what the peer did wrong: ws's own (`WS_ERR_...`), and those of zlib
 * (`Z_...`).
 */
const CODES_OF_FAULTS = /^(?:WS_ERR_|Z_)/
const TOO_BIG = /^WS_ERR_UNSUPPORTED_(?:MESSAGE|DATA_PAYLOAD)_LENGTH$/

/**
 * Tells what the peer did wrong.
 * @param code of an error of the socket
 * @returns `undefined` if the error is not the peer's fault
 */
export function faultOfPeer(code: unknown): 'message-too-big' | 'protocol-error' | undefined {
  if (typeof code !== 'string' || !CODES_OF_FAULTS.test(code)) return undefined
  return TOO_BIG.test(code) ? 'message-too-big' : 'protocol-error'
}

/** Every cause, in the order of the table. */
export const CLOSE_CAUSES: readonly CloseCause[] = Object.keys(POLICY) as CloseCause[]
