import type { FastifyInstance } from 'fastify'
import type { SessionRouteOptions } from '../api/route-options.js'
import type { LifecycleSession } from '../api/session.js'
import { clusterOf } from '../cluster/door.js'
import { CloseCode } from '../core/close/codes.js'
import { Closing } from './closing.js'
import type { Guard } from './guard.js'
import { readOrder } from './orders.js'
import type { ToServer } from './protocol.js'
import type { Viewer } from './viewer.js'
import { Watch } from './watch.js'

/**
 * What the app sets for all routes is for its own clients: none of it holds here. Only the places of the whole server, and
 * the app's hooks, are those of all.
 */
const OWN_OPTIONS: Omit<SessionRouteOptions, 'resume'> = {
  keepalive: { interval: 25_000, timeout: 20_000 },
  closeTimeout: 3_000,
  cleanupTimeout: 5_000,
  expectedCloseCodes: [1000, 1001, 1005],
  inbox: { maxMessages: 64, maxBytes: 65_536, concurrency: 1 },
  outbox: { highWaterMark: 65_536, maxBytes: 4_194_304, maxAge: 10_000, overflow: 'close' },
  idleTimeout: false,
  // Then the client comes back, and `authorize` is asked again.
  maxLifetime: 3_600_000,
  expiresAt: () => undefined,
  groups: () => undefined,
  messageRate: false,
  handshakeTimeout: 10_000,
  allowedOrigins: 'same-origin',
  maxConnections: Infinity,
  // These are counted when `authorize` has said yes: strangers take no place.
  maxConnectionsPerKey: { max: 100, key: () => 'all', whenFull: 'refuse', scope: 'server' },
  refuse: 'http',
  history: false,
}

/** How long a page may be away and not begin anew, in ms. */
const WINDOW = 10_000

/** The route of the connections of pages. */
export function serveLive(app: FastifyInstance, guard: Guard): void {
  const watch = new Watch(app, clusterOf(app).clock)
  const closing = new Closing(app, guard)
  // Fastify calls this while connections still end. The drain has begun, and this is its report.
  app.addHook('onClose', async () => void app.websocketLifecycle.drain().then(() => watch.stop()))
  app.get(
    '/live',
    {
      websocket: true,
      ...OWN_OPTIONS,
      resume: { key: (request) => guard.nameOf(request), window: WINDOW },
      onMessage: async (session: LifecycleSession, _request, message) => {
        const viewer = watch.viewerOf(session)
        const order = readOrder(message)
        if (order === undefined) viewer.close(CloseCode.PolicyViolation, 'no order')
        else await obey(viewer, order)
      },
      onResume: (session, request) => {
        watch.viewerOf(session).request = request
      },
      onClose: (session: LifecycleSession) => watch.delete(session),
    },
    (session) => watch.add(session),
  )

  async function obey(viewer: Viewer, order: ToServer): Promise<void> {
    if (order.type === 'see') viewer.seen = order.ids
    else if (order.type === 'look') viewer.lookAt(order.id)
    else if (order.type === 'end') {
      const details = viewer.picture.ends.detailsOf(order.id) ?? null
      viewer.say({ type: 'end', id: order.id, details })
    } else {
      const refusal = await closing.close(viewer, order)
      viewer.say({ type: 'closed', id: order.id, refusal: refusal ?? 'you may not do that' })
      if (refusal === undefined) viewer.close(CloseCode.Unauthorized, 'unauthorized')
    }
  }
}
