import { Limit } from '../core/admission/limits.js'
import { Succession } from '../core/admission/succession.js'
import type { PerKeyPolicy, RouteSettings } from '../options/settings.js'

/** What a connection of a route counts in. */
export interface RouteLimits {
  readonly inAll: readonly Limit[]
  readonly perKey:
    | { readonly limit: Limit | Succession; readonly key: PerKeyPolicy['key'] }
    | undefined
}

/** The limits of one server: those that several routes share are counted once. */
export class Limits {
  readonly #ofServer: Limit | undefined
  readonly #plugins: PerKeyPolicy | undefined
  readonly #perKeyOfServer: Limit | Succession | undefined

  constructor({ maxConnections, maxConnectionsPerKey }: RouteSettings) {
    this.#ofServer = limitOf('the server', maxConnections)
    this.#plugins = maxConnectionsPerKey
    this.#perKeyOfServer = perKeyOf('the server', maxConnectionsPerKey)
  }

  of({ maxConnections, maxConnectionsPerKey }: RouteSettings, url: string): RouteLimits {
    const route = `route ${url}`
    const isShared = maxConnectionsPerKey === this.#plugins
    const limit = isShared ? this.#perKeyOfServer : perKeyOf(route, maxConnectionsPerKey)
    const inAll = [this.#ofServer, limitOf(route, maxConnections)]
    return {
      inAll: inAll.filter((one) => one !== undefined),
      perKey: limit && maxConnectionsPerKey && { limit, key: maxConnectionsPerKey.key },
    }
  }
}

/** `undefined` where there is nothing to count. */
function limitOf(of: string, max = Infinity): Limit | undefined {
  return max === Infinity ? undefined : new Limit(of, max)
}

function perKeyOf(of: string, policy: PerKeyPolicy | undefined): Limit | Succession | undefined {
  const limit = limitOf(of, policy?.max)
  return limit && policy?.whenFull === 'replace' ? new Succession(policy.max) : limit
}
