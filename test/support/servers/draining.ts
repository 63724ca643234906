import type { TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import type {
  DrainReport,
  LifecycleOptions,
  LifecycleSocket,
  WebsocketLifecycleOptions,
} from '../../../lib/index.js'
import type { Peer } from '../../../lib/testing/index.js'
import { connect } from '../peers/connect.js'
import { within } from '../time/bound.js'
import { FakeClock } from '../time/fake-clock.js'
import { RawPeer } from '../peers/raw-peer.js'
import { portOf, serve, type Setup } from './server.js'

export interface Served {
  readonly app: FastifyInstance
  readonly clock: FakeClock
  readonly port: number
  readonly url: string
  /** Those that the handler has seen, in their order. */
  readonly sockets: LifecycleSocket[]
}

/** An app with the route `/ws`, on a clock that only the test moves. */
export async function start(
  t: TestContext,
  options: WebsocketLifecycleOptions = {},
  route: LifecycleOptions = {},
  setup: Setup & { handler?: (socket: LifecycleSocket) => unknown } = {},
): Promise<Served> {
  const clock = new FakeClock()
  const sockets: LifecycleSocket[] = []
  const app = await serve(t, {
    clock,
    options: { keepalive: false, ...options },
    ...setup,
    routes: (app) => {
      setup.routes?.(app)
      app.get('/ws', { websocket: true, ...route }, (socket) => {
        sockets.push(socket)
        return setup.handler?.(socket)
      })
      app.get('/http', async () => 'http')
    },
  })
  const port = portOf(app)
  return { app, clock, port, url: `ws://127.0.0.1:${port}/ws`, sockets }
}

export const openClient = async ({ app }: Served): Promise<Peer> => connect(app, '/ws')
export const openPeer = async ({ port }: Served): Promise<RawPeer> => RawPeer.open(port, '/ws')

/** Whether a promise has settled by now. */
export function watch(promise: Promise<unknown>): { settled: boolean } {
  const watched = { settled: false }
  const settle = (): void => {
    watched.settled = true
  }
  promise.then(settle, settle)
  return watched
}

export async function drained(promise: Promise<DrainReport>): Promise<DrainReport> {
  return within(promise, 'the end of the drain')
}
