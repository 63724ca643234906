import { Capacity } from '../core/admission/capacity.js'
import { Succession } from '../core/admission/succession.js'
import type { PerKeyPolicy, RouteSettings } from '../options/settings.js'

/** The capacities in which a connection of a route counts. */
export interface RouteCapacity {
  readonly inAll: readonly Capacity[]
  readonly perKey:
    | { readonly capacity: Capacity | Succession; readonly key: PerKeyPolicy['key'] }
    | undefined
}

/** The capacities of one server. A capacity that several routes share is one object. */
export class Capacities {
  readonly #ofServer: Capacity | undefined
  readonly #plugins: PerKeyPolicy | undefined
  readonly #perKeyOfServer: Capacity | Succession | undefined

  constructor({ maxConnections, maxConnectionsPerKey }: RouteSettings) {
    this.#ofServer = capacityOf('the server', maxConnections)
    this.#plugins = maxConnectionsPerKey
    this.#perKeyOfServer = perKeyOf('the server', maxConnectionsPerKey)
  }

  of({ maxConnections, maxConnectionsPerKey }: RouteSettings, url: string): RouteCapacity {
    const route = `route ${url}`
    const isShared = maxConnectionsPerKey === this.#plugins
    const capacity = isShared ? this.#perKeyOfServer : perKeyOf(route, maxConnectionsPerKey)
    const inAll = [this.#ofServer, capacityOf(route, maxConnections)]
    return {
      inAll: inAll.filter((one) => one !== undefined),
      perKey: capacity && maxConnectionsPerKey && { capacity, key: maxConnectionsPerKey.key },
    }
  }
}

/** `undefined` if there is no maximum, so nothing to count. */
function capacityOf(of: string, max = Infinity): Capacity | undefined {
  return max === Infinity ? undefined : new Capacity(of, max)
}

function perKeyOf(of: string, policy: PerKeyPolicy | undefined): Capacity | Succession | undefined {
  const capacity = capacityOf(of, policy?.max)
  return capacity && policy?.whenFull === 'replace' ? new Succession(policy.max) : capacity
}
