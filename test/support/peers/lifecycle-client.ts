import type { Address, ClientOptions } from '../../../lib/client/api.js'
import { Client } from '../../../lib/client/client.js'
import type { ClientEvents, LifecycleClient } from '../../../lib/client/index.js'
import type { ClientWorld } from '../time/client-world.js'

/** What an event told, without what all events have. */
export type Told = { readonly type: keyof ClientEvents } & Readonly<Record<string, unknown>>

/** A client in a world of a test, and all that it has told. */
export interface Observed {
  readonly client: LifecycleClient
  readonly told: Told[]
  /** What was told last. */
  readonly last: Told | undefined
  /** How often it has told that. */
  readonly count: (type: keyof ClientEvents) => number
}

const TYPES = ['open', 'message', 'lost', 'close'] as const

export function clientIn(
  world: ClientWorld,
  options?: ClientOptions,
  url: Address = 'wss://test/',
): Observed {
  return observe(new Client(url, options, world))
}

/** Listens to all events of a client. */
export function observe(client: LifecycleClient): Observed {
  const told: Told[] = []
  for (const type of TYPES) {
    client.addEventListener(type, (event) => {
      // Node keeps what all events have under symbols.
      const details = Object.entries(event).filter(([name]) => name !== 'isTrusted')
      told.push({ type, ...Object.fromEntries(details) })
    })
  }
  return {
    client,
    told,
    get last() {
      return told.at(-1)
    },
    count: (type) => told.filter((each) => each.type === type).length,
  }
}
