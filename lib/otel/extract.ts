import { type Context, propagation } from '@opentelemetry/api'
import { toError } from '../platform/thrown.js'

/** The context that a span begins in. */
export interface Parent {
  readonly parent: Context
  /** Why it is not what the client has asked for. */
  readonly problem?: Error | undefined
}

/**
 * Reads the context that a request or a message carries. Clients send what they like, and a propagator may
 * throw.
 * @param none the context if there is none
 */
export function extractSafely(none: Context, carrier: object): Parent {
  try {
    return { parent: propagation.extract(none, carrier) }
  } catch (error) {
    return { parent: none, problem: toError(error) }
  }
}
