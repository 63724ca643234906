// An app whose server, route and key are all limited, and how much room each of them has.
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { FastifyInstance, FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { LifecycleSocket } from '../../../lib/index.js'
import type { Answer } from '../peers/client.js'
import { countRoom } from '../models/door.js'
import { FakeClock, turns } from '../time/fake-clock.js'
import { RawPeer } from '../peers/raw-peer.js'
import { portOf, serve } from './server.js'
import { serverSockets } from './server-sockets.js'
import { type Arrangement, FAULTY } from '../models/stages.js'
import { until } from '../time/timed.js'

/** Where one of them is full, those above it are not. */
const MAX = { key: 2, route: 3, server: 4 } as const

/** How many more there is room for. */
export type Room = Readonly<Record<keyof typeof MAX, number>>

export interface LimitedSetup extends Arrangement {
  readonly handler?: (socket: LifecycleSocket, request: FastifyRequest) => unknown
  /** Whether nobody else is there: what happens would happen to everybody. */
  readonly isAlone?: boolean
}

export interface Limited {
  readonly app: FastifyInstance
  readonly clock: FakeClock
  readonly port: number
  /** Somebody faulty wants in. */
  readonly dial: (headers?: Record<string, string>) => Promise<RawPeer>
  readonly open: (headers?: Record<string, string>) => Promise<RawPeer>
  /** Resolves when of all the faulty nothing is left. */
  readonly gone: () => Promise<void>
  readonly room: () => Promise<Room>
  /** What {@link room} is while nobody faulty holds a place. */
  readonly allRoom: Room
}

/** An app with the routes `/` and `/other`; one connection that is not faulty is there already. */
export async function serveLimited(t: TestContext, setup: LimitedSetup): Promise<Limited> {
  const clock = new FakeClock()
  const app = await serve(t, {
    clock,
    ...(setup.before && { before: setup.before }),
    options: {
      keepalive: false,
      allowedOrigins: '*',
      maxConnections: MAX.server,
      maxConnectionsPerKey: { max: MAX.key, key: keyOf },
      ...setup.options,
    },
    routes: (app) => {
      const options = { maxConnections: MAX.route, ...setup.route } as RouteShorthandOptions
      app.get('/', { ...options, websocket: true }, (socket, request) =>
        setup.handler?.(socket, request),
      )
      app.get('/other', { websocket: true }, () => {})
    },
  })
  const port = portOf(app)
  const transports = serverSockets(app)
  const others = setup.isAlone === true ? 0 : 1
  // A place that is given back twice would be this one's.
  if (others > 0) await RawPeer.open(port)
  const { connections } = app.websocketLifecycle
  return {
    app,
    clock,
    port,
    dial: async (headers) => RawPeer.dial(port, '/', { ...FAULTY, ...headers }),
    open: async (headers) => RawPeer.open(port, '/', { ...FAULTY, ...headers }),
    gone: async () => {
      await until(() => transports.size === others && connections.size === others)
      await turns()
    },
    room: async () => ({
      key: await roomFor(app, '/', 'everybody'),
      route: await roomFor(app, '/'),
      server: await roomFor(app, '/other'),
    }),
    allRoom: { key: MAX.key - others, route: MAX.route - others, server: MAX.server - others },
  }
}

/** Lets it happen thrice: to two in a row, and to one after others have had what was free. */
export async function assertGivenBack(
  t: TestContext,
  setup: LimitedSetup,
  happen: (limited: Limited) => Promise<void>,
): Promise<void> {
  const limited = await serveLimited(t, setup)
  for (const times of [2, 1]) {
    for (let time = 0; time < times; time++) await happen(limited)
    await limited.gone()
    assert.deepEqual(await limited.room(), limited.allRoom)
  }
}

function keyOf({ headers }: FastifyRequest): string {
  const key = headers['x-key'] ?? 'everybody'
  if (key === 'throws') throw new Error('no key')
  return (key === 'wrong' ? 5 : key) as string
}

function assertFull({ body }: Answer): void {
  assert.match(body, /FST_ERR_WSL_TOO_MANY_CONNECTIONS/)
}

/** Of one key, or each of its own. */
async function roomFor(app: FastifyInstance, path: string, key?: string): Promise<number> {
  const headersOf = (index: number): Record<string, string> => ({
    'x-key': key ?? `${path} ${index}`,
  })
  return countRoom(app, path, headersOf, assertFull, MAX.server)
}
