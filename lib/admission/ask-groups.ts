import type { FastifyRequest } from 'fastify'
import type { ClusterNode } from '../cluster/cluster.js'
import { invalidOption } from '../errors.js'
import { kindOf } from '../options/complaints.js'
import { ignoreRejection } from '../platform/thenable.js'
import type { Route } from '../routes/route.js'

const NONE: readonly string[] = []

/**
 * Asks the route's `groups` for the groups that a connection is in from its open on.
 * @throws FST_ERR_WSL_INVALID_OPTION, FST_ERR_WSL_CLUSTER_KEY, and what the app's function throws
 */
export function askGroups(
  { settings, url }: Route,
  request: FastifyRequest,
  node: ClusterNode | undefined,
): readonly string[] {
  const answer: unknown = settings.groups?.(request)
  if (answer === undefined) return NONE
  const names: readonly unknown[] = Array.isArray(answer) ? answer : [answer]
  if (areStrings(names)) {
    node?.checkGroups(names, new Set(names).size)
    return names
  }
  ignoreRejection(answer)
  const wrong = names.find((name) => typeof name !== 'string')
  const got = Array.isArray(answer) ? `an array with ${kindOf(wrong)}` : kindOf(wrong)
  throw invalidOption(
    `Expected \`groups\` to return a string, an array of strings or undefined, got ${got}, in the options of route ${url}`,
  )
}

function areStrings(values: readonly unknown[]): values is readonly string[] {
  return values.every((value) => typeof value === 'string')
}
