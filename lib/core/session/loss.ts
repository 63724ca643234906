import { CloseCode } from '../close/codes.js'
import type { CloseCause } from '../close/policy.js'

const LOSSES: ReadonlySet<CloseCause> = new Set([
  'connection-lost',
  'connection-reset',
  'heartbeat-timeout',
])

/**
 * Whether a session outlives the end of its connection. A close frame is an intention and ends the session;
 * silence is an accident. No browser sends a close frame of 1011 to 1014: something between has sent it.
 * @param code of the client's close frame
 */
export function isLoss(cause: CloseCause, code: number | undefined): boolean {
  if (LOSSES.has(cause)) return true
  if (cause !== 'client-close' || code === undefined) return false
  return code >= CloseCode.InternalError && code <= CloseCode.BadGateway
}
