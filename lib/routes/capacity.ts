import { Capacity } from '../core/admission/capacity.js'
import { Succession } from '../core/admission/succession.js'
import type { PerKeyPolicy, RouteSettings } from '../options/settings.js'

/** A capacity that is counted over all nodes. */
interface Everywhere {
  /** The route, or the server, whose option it is. */
  readonly of: string
  readonly max: number
}

/** The capacities in which a connection of a route counts. */
export interface RouteCapacity {
  readonly inAll: readonly Capacity[]
  readonly perKey:
    | {
        readonly capacity: Capacity | Succession
        readonly key: PerKeyPolicy['key']
        /** Also counted over all nodes, as those of this route or server; `undefined` if they are not. */
        readonly everywhere: Everywhere | undefined
      }
    | undefined
}

const SERVER = 'the server'

/** The capacities of one server. A capacity that several routes share is one object. */
export class Capacities {
  readonly #ofServer: Capacity | undefined
  readonly #plugins: PerKeyPolicy | undefined
  readonly #perKeyOfServer: Capacity | Succession | undefined

  constructor({ maxConnections, maxConnectionsPerKey }: RouteSettings) {
    this.#ofServer = capacityOf(SERVER, maxConnections)
    this.#plugins = maxConnectionsPerKey
    this.#perKeyOfServer = perKeyOf(SERVER, maxConnectionsPerKey)
  }

  of({ maxConnections, maxConnectionsPerKey }: RouteSettings, url: string): RouteCapacity {
    const route = `route ${url}`
    const isShared = maxConnectionsPerKey === this.#plugins
    const capacity = isShared ? this.#perKeyOfServer : perKeyOf(route, maxConnectionsPerKey)
    const of = isShared ? SERVER : route
    const everywhere =
      maxConnectionsPerKey?.scope === 'cluster' ? { of, max: maxConnectionsPerKey.max } : undefined
    const inAll = [this.#ofServer, capacityOf(route, maxConnections)]
    return {
      inAll: inAll.filter((one) => one !== undefined),
      perKey: capacity &&
        maxConnectionsPerKey && { capacity, key: maxConnectionsPerKey.key, everywhere },
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
