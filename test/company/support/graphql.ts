// One GraphQL schema for all who serve it, and the client of graphql-ws, which speaks to all of them.
import type { TestContext } from 'node:test'
import { type Client, createClient } from 'graphql-ws'
import { WebSocket } from 'ws'
import { within } from '../../support/time/bound.js'
import { closeOf, type Subscriber } from './subscriptions.js'

export const SCHEMA = `
  type Query { add(x: Int!, y: Int!): Int! fail: Int }
  type Subscription { items: Int! }
`

/** A query at which hooks of apps throw. */
export const REFUSED = '{ __typename }'

/** What `iterate` has given. */
interface Result {
  readonly data?: Readonly<Record<string, unknown>> | null | undefined
  readonly errors?: ReadonlyArray<{ readonly message: string }> | undefined
}

function fieldOf(field: string, { done, value }: IteratorResult<Result, undefined>): number {
  if (done === true) throw new Error(`Expected ${field}, but there is no more`)
  const [error] = value.errors ?? []
  if (error !== undefined) throw new Error(error.message)
  return Number(value.data?.[field])
}

export interface Visit {
  readonly headers?: Readonly<Record<string, string>>
}

/** Opens a WebSocket at once, and makes no other. */
export async function openClient(
  t: Pick<TestContext, 'after'>,
  url: string,
  { headers = {} }: Visit = {},
): Promise<{ client: Client; ws: WebSocket; closed: Promise<number> }> {
  const opened: WebSocket[] = []
  class Visitor extends WebSocket {
    constructor(address: string, protocols: string[]) {
      super(address, protocols, { headers })
      opened.push(this)
    }
  }
  const client = createClient({
    url,
    webSocketImpl: Visitor,
    lazy: false,
    retryAttempts: 0,
    // Whoever asks for `closed` is told of it.
    onNonLazyError: () => {},
  })
  t.after(() => client.dispose())
  const connected = new Promise((resolve, reject) => {
    client.on('connected', resolve)
    client.on('error', reject)
    client.on('closed', () => reject(new Error('Expected a connection, but it closed')))
  })
  await within(connected, 'the acknowledgement')
  const ws = opened[0] as WebSocket
  return { client, ws, closed: closeOf(ws) }
}

/** @param url that of the GraphQL endpoint */
export async function subscribe(
  t: Pick<TestContext, 'after'>,
  url: string,
  visit?: Visit,
): Promise<Subscriber> {
  const { client, ws, closed } = await openClient(t, url, visit)
  const items = client.iterate({ query: 'subscription { items }' })
  // The items of the first turns of the loop would be lost: nobody says that a subscription has begun.
  const query = client.iterate({ query: '{ add(x: 0, y: 0) }' })
  const first = items.next()
  first.catch(() => {})
  await query.next()
  let taken: typeof first | undefined = first
  return {
    closed,
    next: async () => {
      const result = taken ?? items.next()
      taken = undefined
      return fieldOf('items', await result)
    },
    add: async () => {
      const answer = client.iterate({ query: '{ add(x: 2, y: 3) }' })
      return fieldOf('add', await answer.next())
    },
    fail: async () => fieldOf('fail', await client.iterate({ query: '{ fail }' }).next()),
    failInHook: async () => client.iterate({ query: REFUSED }).next(),
    unsubscribe: () => items.return?.(),
    leave: () => client.dispose(),
    vanish: () => ws.terminate(),
  }
}
