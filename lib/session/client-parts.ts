import type { Callbacks } from '../callbacks/callbacks.js'
import type { RateGate } from '../messages/rate-gate.js'
import type { Reader } from '../messages/reader.js'
import type { RequestContext } from '../platform/context.js'

/** What all connections of a session have in common. A connection without a session has its own. */
export interface ClientParts {
  readonly callbacks: Callbacks
  readonly context: RequestContext
  readonly rate: RateGate | undefined
  readonly reader: Reader
  /** When the lifetime is over, by the clock. */
  readonly endsAt: number
}
