import type { SendOptions } from '../api/socket.js'
import { MARK } from '../core/session/link.js'
import type { Payload } from '../platform/payload.js'
import { isBinary } from './send-options.js'

/**
 * A message as it is sent to a client that speaks the link: a text that begins with U+0000 gets one more in
 * front, so that it is not taken for a control frame.
 * @throws TypeError for a Blob that is sent as text: its first letter is not at hand
 */
export function marked(payload: Payload, options: SendOptions): Payload {
  if (isBinary(payload as string | Uint8Array, options) !== false) return payload
  if (typeof payload === 'string') return payload.startsWith(MARK) ? MARK + payload : payload
  if (payload instanceof Uint8Array) {
    return payload[0] === 0 ? Buffer.concat([Buffer.alloc(1), payload]) : payload
  }
  throw new TypeError('Expected a Blob to be sent as a binary message, got `binary: false`')
}
