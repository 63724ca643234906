import type { Cluster } from '../cluster/cluster.js'
import { resumptionOf } from './take-offer.js'
import type { Handshake } from './upgrade-request.js'

/** What `forward` needs of `Shared`. */
interface ForwardShared {
  readonly cluster: Cluster
  readonly facts: { readonly isDraining: boolean }
}

/**
 * Gives an upgrade to the node that has the session which it resumes. No hook sees it here, and no limit counts it.
 * @param here what to do if there is no such node, or it does not answer
 * @returns `false` if it is for this node
 */
export function forward(
  { cluster, facts }: ForwardShared,
  [message, raw, head]: Handshake,
  here: () => void,
): boolean {
  if (cluster.node === undefined || facts.isDraining) return false
  const resumption = resumptionOf(message)
  // A request of injectWS has no raw headers, and no other node could answer it.
  if (resumption?.rawHeaders === undefined) return false
  const upgrade = { message, raw, head, rawHeaders: resumption.rawHeaders }
  return cluster.node.forward(upgrade, resumption.token, here)
}
