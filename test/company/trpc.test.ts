// tRPC, by its own adapter for Fastify, with `useWSS`.
import type { TestContext } from 'node:test'
import { createTRPCClient, createWSClient, wsLink } from '@trpc/client'
import { initTRPC } from '@trpc/server'
import { fastifyTRPCPlugin } from '@trpc/server/adapters/fastify'
import { WebSocket } from 'ws'
import { within } from '../support/time/bound.js'
import { until } from '../support/time/timed.js'
import type { Item, Source } from './support/source.js'
import { describeSubscriptionStages } from './support/subscription-stages.js'
import {
  closeOf,
  describeSubscriptions,
  fail,
  type Library,
  type Subscriber,
  sum,
} from './support/subscriptions.js'

interface Sum {
  readonly x: number
  readonly y: number
}

interface Unsubscribable {
  unsubscribe(): void
}

function toSum(input: unknown): Sum {
  return input as Sum
}

function makeRouter(makeSource: () => Source) {
  const { router, procedure } = initTRPC.create()
  return router({
    add: procedure.input(toSum).query(({ input: { x, y } }) => sum(x, y)),
    fail: procedure.query(fail),
    items: procedure.subscription(makeSource),
  })
}

type Router = ReturnType<typeof makeRouter>

/** A client that opens at once, and only once. */
async function subscribe(t: Pick<TestContext, 'after'>, port: number): Promise<Subscriber> {
  const opened: WebSocket[] = []
  class Visitor extends WebSocket {
    constructor(url: string, protocols?: string[]) {
      super(url, protocols)
      opened.push(this)
    }
  }
  const client = createWSClient({
    url: `ws://127.0.0.1:${port}/trpc`,
    WebSocket: Visitor as unknown as typeof globalThis.WebSocket,
    // It would come back.
    onClose: () => void client.close(),
  })
  t.after(() => client.close())
  const trpc = createTRPCClient<Router>({ links: [wsLink({ client })] })

  const items: number[] = []
  const onData = ({ items: item }: Item): void => void items.push(item)
  const subscription = await within(
    new Promise<Unsubscribable>((resolve) => {
      const begun = trpc.items.subscribe(undefined, { onStarted: () => resolve(begun), onData })
    }),
    'the subscription',
  )
  const ws = opened[0] as WebSocket
  return {
    closed: closeOf(ws),
    next: async () => {
      await until(() => items.length > 0)
      return Number(items.shift())
    },
    add: async () => trpc.add.query({ x: 2, y: 3 }),
    fail: async () => trpc.fail.query(),
    unsubscribe: () => subscription.unsubscribe(),
    leave: () => client.close(),
    vanish: () => ws.terminate(),
  }
}

const LIBRARY: Library = {
  route: '/trpc',
  leavesWith: 1005,
  add: async (app, makeSource) =>
    app.register(fastifyTRPCPlugin, {
      prefix: '/trpc',
      useWSS: true,
      trpcOptions: { router: makeRouter(makeSource) },
    }),
  subscribe,
}

describeSubscriptions('tRPC', LIBRARY)
describeSubscriptionStages('tRPC', LIBRARY)
