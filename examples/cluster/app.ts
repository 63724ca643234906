import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import websocketLifecycle, { type LifecycleSession } from 'fastify-websocket-lifecycle'
import { websocketCluster } from 'fastify-websocket-lifecycle/redis'
import type { Redis } from 'ioredis'
import { nameOf } from '../demo/names.js'
import { SENT_TO } from './balancer.js'
import type { ClusterView, NodeView, RoomEvent, Way, Who } from './events.js'
import { Seats } from './seats.js'

export interface NodeOptions {
  /** 1, 2 or 3: it stays when the process is another one. */
  readonly number: number
  readonly port: number
  readonly prefix: string
}

/** How often a node counts aloud, in ms. */
const BEAT = 250

/** One of the nodes. */
export async function buildNode(redis: Redis, options: NodeOptions): Promise<FastifyInstance> {
  const { number, port, prefix } = options
  const app = Fastify({
    logger: { level: 'warn' },
    forceCloseConnections: true,
    trustProxy: 'loopback', // the balancer, and the other nodes
  })
  await app.register(websocketLifecycle, {
    closeTimeout: 1_500,
    drain: { timeout: 4_000, reconnectWindow: 1_000 },
    websocket: { maxPayload: 4_096 },
  })
  await app.register(websocketCluster, {
    client: redis,
    prefix,
    address: `http://127.0.0.1:${port}`,
    lease: 3_000, // so that a death is found within 7 s
    cleanup: { concurrency: 1, rate: 4 }, // slow enough to watch
  })
  const seats = new Seats(redis, prefix, number)
  addRoom(app, number, seats)
  addViews(app, seats)
  countAloud(app, number)
  return app
}

function addRoom(app: FastifyInstance, number: number, seats: Seats): void {
  app.get(
    '/room',
    {
      websocket: true,
      groups: () => 'room', // also the key by which all nodes find it
      resume: { key: () => null, window: 30_000 },
      cluster: {
        durable: {
          name: 'seat',
          data: () => ({ node: number }),
          release: (record) => seats.release(record), // here, or on a survivor
        },
      },
      async onMessage(session, _request, message) {
        const event = { type: 'said', from: whoIs(session), node: number, text: textOf(message) }
        const { nodes, unreached } = await publish(app, event as RoomEvent)
        tell(session, { type: 'reached', nodes, unreached: unreached.length })
      },
      onResume: (session, request) =>
        tell(session, { type: 'back', you: whoIs(session), ...wayOf(request, number) }),
    },
    async (session, request) => {
      tell(session, { type: 'welcome', you: whoIs(session), ...wayOf(request, number) })
      await seats.take(session.id)
    },
  )
}

/** What the demo shows of the cluster: it asks any node. */
function addViews(app: FastifyInstance, seats: Seats): void {
  app.get('/node', (): NodeView => {
    const { node, fence, connected } = app.websocketCluster
    return { id: node, fence, connected }
  })
  app.get('/cluster', async (): Promise<ClusterView> => {
    const { found, unreached } = await app.websocketCluster.find('room')
    return { found, unreached, seats: await seats.count(), cleanups: await seats.cleanups() }
  })
}

function countAloud(app: FastifyInstance, node: number): void {
  const run = String(process.pid)
  let n = 0
  let timer: NodeJS.Timeout | undefined
  const count = (): void => {
    const beat = { type: 'beat', node, run, n: ++n } as const
    publish(app, beat).catch((error: unknown) => app.log.warn(error))
  }
  app.addHook('onListen', async () => {
    timer = setInterval(count, BEAT)
  })
  app.addHook('preClose', async () => clearInterval(timer))
}

function publish(app: FastifyInstance, event: RoomEvent): ReturnType<Publish> {
  return app.websocketCluster.publish('room', JSON.stringify(event))
}

type Publish = FastifyInstance['websocketCluster']['publish']

function tell(session: LifecycleSession, event: RoomEvent): void {
  session.send(JSON.stringify(event))
}

function whoIs({ id }: LifecycleSession): Who {
  return { id, name: nameOf(id) }
}

/** A balancer does not tell this; that of the demo does. */
function wayOf(request: FastifyRequest, node: number): Way {
  return { node, through: Number(request.headers[SENT_TO]) }
}

function textOf(message: unknown): string {
  return String(message).slice(0, 500)
}
