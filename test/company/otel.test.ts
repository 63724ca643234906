// @fastify/otel: an upgrade has the spans that it has without us, and a span of the app belongs to its own upgrade.
import assert from 'node:assert/strict'
import { after, describe, test, type TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { FastifyOtelInstrumentation } from '@fastify/otel'
import websocket from '@fastify/websocket'
import { trace } from '@opentelemetry/api'
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  SimpleSpanProcessor,
  type Span,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace-node'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import type { LifecycleSocket } from '../../lib/index.js'
import { createPlugin } from '../../lib/plugin/plugin.js'
import { within } from '../support/time/bound.js'
import { describeFeedStages, visitFeed } from './support/feed.js'
import { Client, refusal } from '../support/peers/client.js'
import { logLines } from '../support/servers/log-lines.js'
import { endWith, portOf } from '../support/servers/server.js'

const ORDERS = ['before', 'after'] as const
type Order = (typeof ORDERS)[number]

/** The spans that have begun, in order; the exporter has those that have ended. */
const begun: Span[] = []
const noting: SpanProcessor = {
  onStart: (span) => void begun.push(span),
  onEnd: () => {},
  forceFlush: async () => {},
  shutdown: async () => {},
}
const ended = new InMemorySpanExporter()
const provider = new NodeTracerProvider({
  spanProcessors: [noting, new SimpleSpanProcessor(ended)],
})
provider.register()
after(() => provider.shutdown())

const tracer = trace.getTracer('of the app')

type Served = 'bare' | 'ours'

interface World {
  readonly app: FastifyInstance
  readonly url: string
  readonly lines: ReturnType<typeof logLines>['lines']
}

async function register(app: FastifyInstance, served: Served): Promise<void> {
  if (served === 'bare') await app.register(websocket)
  else await app.register(createPlugin())
}

/** An app that is traced, and knows nothing of ours but `addRoutes`. */
async function serveTraced(
  t: TestContext,
  order: Order,
  served: Served,
  addRoutes: (app: FastifyInstance) => void,
): Promise<World> {
  const { lines, fastify } = logLines()
  const app = Fastify(fastify)
  endWith(t, app)
  const otel = new FastifyOtelInstrumentation()
  otel.setTracerProvider(provider)
  if (order === 'after') await register(app, served)
  await app.register(otel.plugin())
  if (order === 'before') await register(app, served)
  addRoutes(app)
  await app.listen({ host: '127.0.0.1', port: 0 })
  begun.length = 0
  ended.reset()
  return { app, url: `ws://127.0.0.1:${portOf(app)}`, lines }
}

async function appHook(): Promise<void> {}

async function routeHook({ headers }: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (headers['x-fault'] === 'refused') await reply.code(401).send('who?')
  if (headers['x-fault'] === 'error') throw new Error('no')
}

function routeHandler(socket: WebSocket): void {
  socket.on('message', (message: Buffer) => socket.send(`echo ${message.toString()}`))
}

function addEcho(app: FastifyInstance): void {
  app.addHook('onRequest', appHook)
  app.get('/', { websocket: true, preValidation: routeHook }, routeHandler)
}

interface Seen {
  readonly begun: string[]
  readonly ended: string[]
}

/** Our own hooks, which are traced as the app's are: each costs a span. */
const OURS: ReadonlySet<string> = new Set(['onRequest - admit', 'onResponse - endAnswered'])

type Traced = Pick<Span, 'name' | 'attributes'>

/** The name of a plugin stands in the names of spans, for functions that have none. */
const nameOf = ({ name, attributes }: Traced): string =>
  [name.replace('fastify-websocket-lifecycle -> ', ''), attributes['http.response.status_code']]
    .join(' ')
    .trimEnd()

/** Without those of our own hooks. */
const namesOf = (spans: readonly Traced[]): string[] =>
  spans
    .map(nameOf)
    .filter((name) => !OURS.has(name))
    .toSorted()

/** The spans of what somebody does. */
async function spansOf(
  t: TestContext,
  order: Order,
  served: Served,
  act: (world: World) => Promise<void>,
): Promise<Seen> {
  const world = await serveTraced(t, order, served, addEcho)
  await act(world)
  await within(world.app.close(), 'app.close()')
  return { begun: namesOf(begun), ended: namesOf(ended.getFinishedSpans()) }
}

const UPGRADES: Readonly<Record<string, (world: World) => Promise<void>>> = {
  'that opens, talks and closes': async ({ url, lines }) => {
    const client = await Client.open(url)
    client.ws.send('hi')
    assert.equal(await client.next(), 'echo hi')
    client.ws.close(1000)
    await client.closed
    assert.deepEqual(
      lines.filter(({ level }) => Number(level) > 30),
      [],
    )
  },
  'that a hook refuses': async ({ url }) => {
    assert.equal((await refusal(url, { headers: { 'x-fault': 'refused' } })).status, 401)
  },
  'whose hook throws': async ({ url }) => {
    assert.equal((await refusal(url, { headers: { 'x-fault': 'error' } })).status, 500)
  },
  'to no route': async ({ url }) => {
    assert.equal((await refusal(`${url}/nowhere`)).status, 404)
  },
}

for (const order of ORDERS) {
  describe(`registered ${order} ours, an upgrade`, () => {
    for (const [title, act] of Object.entries(UPGRADES)) {
      test(`${title} has the spans that it has with bare @fastify/websocket`, async (t) => {
        const bare = await spansOf(t, order, 'bare', act)
        const ours = await spansOf(t, order, 'ours', act)
        assert.deepEqual(ours, bare)
        assert.ok(ours.ended.some((name) => name.startsWith('onRequest - appHook')))
      })
    }

    test('has a span of each hook, and of its handler, and all of them end', async (t) => {
      const { begun, ended } = await spansOf(
        t,
        order,
        'ours',
        UPGRADES['that opens, talks and closes']!,
      )
      for (const name of ['onRequest - appHook', 'preValidation - routeHook']) {
        assert.ok(ended.includes(name), name)
      }
      assert.equal(ended.filter((name) => name.startsWith('handler - ')).length, 1)
      // The request's own span is ended by hooks of an answer, which an opened upgrade has not, ours or not.
      assert.deepEqual(
        begun.filter((name) => !ended.includes(name)),
        ['request'],
      )
    })

    test('whose app makes spans finds them in its own trace, and never in that of another', async (t) => {
      const seen: Array<[user: string, place: string, trace: string | undefined]> = []
      const see = ({ request }: LifecycleSocket, place: string): void => {
        const active = trace.getActiveSpan()?.spanContext().traceId
        seen.push([String(request.headers['x-user']), place, active])
      }
      const work = async (socket: LifecycleSocket, place: string): Promise<void> =>
        tracer.startActiveSpan(place, async (span) => {
          see(socket, place)
          await turn()
          see(socket, `${place}, later`)
          span.end()
        })
      const { app, url } = await serveTraced(t, order, 'ours', (app) => {
        app.get(
          '/',
          {
            websocket: true,
            onMessage: async (socket, _request, message) => {
              await work(socket, 'onMessage')
              socket.send(`echo ${message.toString()}`)
            },
            onClose: async (socket) => work(socket, 'onClose'),
            onShutdown: async (socket) => work(socket, 'onShutdown'),
          },
          (socket) => {
            see(socket, 'handler')
            socket.scope.defer(() => see(socket, 'release'))
          },
        )
      })
      const traces = { ann: 'a'.repeat(32), bob: 'b'.repeat(32) }
      const open = async (user: 'ann' | 'bob'): Promise<Client> => {
        const traceparent = `00-${traces[user]}-${'1'.repeat(16)}-01`
        return Client.open(url, { headers: { 'x-user': user, traceparent } })
      }
      const clients = [await open('ann'), await open('bob')]
      for (const { ws } of clients) for (const text of ['1', '2', '3']) ws.send(text)
      for (const client of clients) {
        for (const text of ['1', '2', '3']) assert.equal(await client.next(), `echo ${text}`)
      }
      await within(app.close(), 'app.close()')

      const places = ['handler', 'onMessage', 'onShutdown', 'onClose', 'release']
      for (const [user, id] of Object.entries(traces)) {
        const own = seen.filter(([whose]) => whose === user)
        assert.deepEqual(
          places.filter((place) => !own.some(([, seenAt]) => seenAt === place)),
          [],
        )
        assert.deepEqual(
          own.filter(([, , active]) => active !== id),
          [],
        )
      }
      const made = ended.getFinishedSpans().filter(({ name }) => places.includes(name))
      assert.equal(made.length, 2 * (3 + 2))
    })
  })
}

describeFeedStages('@fastify/otel', {
  register: async (app) => {
    const otel = new FastifyOtelInstrumentation()
    otel.setTracerProvider(provider)
    await app.register(otel.plugin())
  },
  know: () => trace.getActiveSpan()?.spanContext().traceId,
  visit: async (_app, line, count) => {
    const id = `${count + 1}`.repeat(32)
    return visitFeed(line, id, { traceparent: `00-${id}-${'1'.repeat(16)}-01` })
  },
})
