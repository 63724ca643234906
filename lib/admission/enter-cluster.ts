import type { FastifyRequest } from 'fastify'
import type { Json } from '../api/cluster.js'
import type { Cluster, ClusterNode, DurableHold } from '../cluster/cluster.js'
import type { Claimant } from '../core/admission/succession.js'
import { invalidOption } from '../errors.js'
import { kindOf } from '../options/complaints.js'
import { ignoreRejection, isThenable } from '../platform/thenable.js'
import type { Route } from '../routes/route.js'
import type { Clock } from '../time/clock.js'
import type { Places } from './places.js'

/** An upgrade that other nodes have to know of. */
export interface Entrant extends Claimant {
  readonly id: string
  /** Whether it is over, or is being answered. */
  readonly isDecided: boolean
  readonly shared: { readonly clock: Clock; readonly cluster: Cluster }
}

/**
 * Takes what the other nodes have to know before the 101: the place of its key, and then the record of its cleanup.
 * @returns what to await, with the place on this server; `undefined` if there is nothing
 * @throws (rejects with) FST_ERR_WSL_CLUSTER_UNAVAILABLE, FST_ERR_WSL_INVALID_OPTION, and what the app's function throws
 */
export function enterCluster(
  entrant: Entrant,
  places: Places,
  route: Route,
  request: FastifyRequest,
): Promise<void> | undefined {
  const { node } = entrant.shared.cluster
  const isKnown = route.settings.cluster.durable ?? route.capacity.perKey?.everywhere
  if (node === undefined || isKnown === undefined) return places.untilSeated
  return enter(entrant, places, route, request, node)
}

async function enter(
  entrant: Entrant,
  places: Places,
  route: Route,
  request: FastifyRequest,
  node: ClusterNode,
): Promise<void> {
  await places.untilSeated
  const everywhere = route.capacity.perKey?.everywhere
  const { key } = places
  if (everywhere !== undefined && key !== undefined && !entrant.isDecided) {
    places.add(await node.takePlace(everywhere.of, key, everywhere.max, entrant))
  }
  if (entrant.isDecided) return
  const hold = await record(entrant, route, request, node)
  if (hold !== undefined) places.keep(hold)
}

function record(
  { id, shared: { clock, cluster } }: Entrant,
  { settings, url }: Route,
  request: FastifyRequest,
  node: ClusterNode,
): Promise<DurableHold> | undefined {
  const { durable } = settings.cluster
  const route = durable && cluster.durableRoutes.get(durable.name)
  if (route === undefined) return undefined
  const data: Json = route.settings.data?.(request) ?? null
  if (isThenable(data)) {
    ignoreRejection(data)
    throw invalidOption(
      `Expected \`cluster.durable.data\` to return what JSON can carry, got ${kindOf(data)}, in the options of route ${url}`,
    )
  }
  return node.record({ id, route, openedAt: clock.wall(), data })
}
