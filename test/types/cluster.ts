import Fastify from 'fastify'
import websocketLifecycle, {
  type ClusterRouteOptions,
  type DurableOptions,
  type DurableRecord,
  type Json,
} from 'fastify-websocket-lifecycle'
import websocketCluster, {
  type CleanupOptions,
  type ClusterOptions,
  type ClusterResult,
  type FindResult,
  type FoundConnection,
  type RedisLike,
  type WebsocketCluster,
  websocketCluster as named,
} from 'fastify-websocket-lifecycle/redis'

const app = Fastify()
declare const client: RedisLike
const cleanup: CleanupOptions = { concurrency: 4, rate: 50 }
const options: ClusterOptions = { client, prefix: 'x', address: 'http://10.0.0.5', cleanup }
void app.register(websocketLifecycle, {
  maxConnectionsPerKey: { max: 1, whenFull: 'replace', scope: 'cluster' },
})
void app.register(websocketCluster, options)
void app.register(named, { client })
// @ts-expect-error A client is needed.
void app.register(named, {})
// @ts-expect-error This is no client.
export const noClient: ClusterOptions = { client: { get: () => 1 } }

app.get<{ Params: { id: string } }>(
  '/tables/:id',
  {
    websocket: true,
    cluster: {
      durable: {
        data: ({ params }) => ({ table: params.id }),
        async release({ id, data, fence, survivor }) {
          this.log.info([id, data, fence.toFixed(), survivor satisfies boolean])
        },
      },
    },
  },
  (socket) => {
    app.websocketCluster.join(socket, 'a', 'b')
    app.websocketCluster.leave(socket, 'a')
  },
)
app.get(
  '/sessions',
  {
    websocket: true,
    resume: { key: () => null },
    cluster: { durable: { name: 'x', whenCutOff: 'close', release: () => {} } },
  },
  (session) => {
    app.websocketCluster.join(session, 'a')
  },
)
// @ts-expect-error A durable cleanup without a release releases nothing.
export const noRelease: ClusterRouteOptions = { durable: {} }
// @ts-expect-error A date is no JSON.
export const noJson: DurableOptions = { data: () => new Date(), release: () => {} }

export async function ask(cluster: WebsocketCluster): Promise<readonly FoundConnection[]> {
  const { found, unreached }: FindResult = await cluster.find('a')
  const results: ClusterResult[] = [
    await cluster.close('a', 4000, 'bye'),
    await cluster.publish('a', new Uint8Array(1)),
  ]
  // @ts-expect-error Only what a frame can carry.
  await cluster.publish('a', 7)
  return unreached.length > 0 || results.length === 0 ? [] : found
}

export const data = (record: DurableRecord): Json => record.data
