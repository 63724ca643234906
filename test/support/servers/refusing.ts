import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import type { TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import type { LifecycleSocket, RefusalReason } from '../../../lib/index.js'
import type { Peer } from '../../../lib/testing/index.js'
import { connect } from '../peers/connect.js'
import { FakeClock, turns } from '../time/fake-clock.js'
import { refused } from './refused.js'
import { type OneRoute, portOf, serve } from './server.js'
import { serverSockets } from './server-sockets.js'
import { until } from '../time/timed.js'

export interface Refusing {
  readonly app: FastifyInstance
  readonly clock: FakeClock
  readonly port: number
  /** What ran: `hook`, `handler`, `onClose`. */
  readonly events: string[]
  /** The server's side of all TCP connections. */
  readonly sockets: ReadonlySet<Socket>
}

export type RefusingSetup = Omit<OneRoute, 'clock' | 'handler'>

/** The header of a page that is not ours. */
export const FOREIGN = { origin: 'https://evil.example' } as const

/** An app that refuses by close frames, in a closeTimeout of a second. */
export async function serveFrames(t: TestContext, setup: RefusingSetup = {}): Promise<Refusing> {
  const clock = new FakeClock()
  const events: string[] = []
  const app = await serve(t, {
    ...setup,
    clock,
    options: { keepalive: false, closeTimeout: 1_000, refuse: 'close-frame', ...setup.options },
    routes: (app) => {
      setup.routes?.(app)
      const options = {
        websocket: true as const,
        preHandler: async () => void events.push('hook'),
        onClose: () => events.push('onClose'),
      }
      app.get('/ws', { ...options, ...setup.route }, (socket: LifecycleSocket) => {
        events.push('handler')
        socket.on('message', (data: Buffer) => socket.send(`echo ${data.toString()}`))
      })
      app.get('/http', async () => 'http')
    },
  })
  return { app, clock, port: portOf(app), events, sockets: serverSockets(app) }
}

/** Opens a connection that takes a place. */
export async function occupy({ app, events }: Refusing, path = '/ws'): Promise<Peer> {
  const peer = await connect(app, path)
  await until(() => events.includes('handler'))
  events.length = 0
  return peer
}

/** That nothing but `opened` connections has been, and that not a socket is left of what was refused. */
export async function assertNoneLeft(
  { app, clock, sockets, events }: Refusing,
  counts: Partial<Record<RefusalReason, number>>,
): Promise<void> {
  await until(() => sockets.size + clock.pending === 0)
  await turns(20)
  const { refused: counted, open, opened } = app.websocketLifecycle.stats()
  assert.deepEqual({ counted, open, opened }, { counted: refused(counts), open: 0, opened: 0 })
  assert.equal(app.websocketLifecycle.connections.size, 0)
  assert.deepEqual(events, [])
}
