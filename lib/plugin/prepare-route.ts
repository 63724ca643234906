import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify'
import type { RouteLifecycleOptions } from '../api/route-options.js'
import type { Cluster } from '../cluster/cluster.js'
import { ConnectionSocket } from '../connection/socket.js'
import { DEPARTURES } from '../core/liveness/heartbeat.js'
import { checkFlag } from '../options/misplaced.js'
import { resolveRouteOptions } from '../options/resolve.js'
import type { RouteSettings } from '../options/settings.js'
import type { Capacities } from '../routes/capacity.js'
import { type Handler, markRoute, Route } from '../routes/route.js'
import type { Sweep } from '../time/sweep.js'

/** The sweeps of a server. The options of routes say how fine their ticks have to be. */
type Sweeps = Readonly<Record<'sweep' | 'transitions', Pick<Sweep, 'serve' | 'tickEvery'>>>

/** What all routes of a server have in common. */
interface Server {
  readonly sweeps: Sweeps
  readonly capacities: Capacities
  readonly cluster: Cluster
  /** The plugin's options for all routes. */
  readonly defaults: RouteSettings
}

/**
 * Resolves a route's options, and puts our connection between ws and the route's handler.
 * @returns whether it takes upgrades
 * @throws FST_ERR_WSL_INVALID_OPTION
 */
export function prepareRoute(
  instance: FastifyInstance,
  { sweeps, capacities, cluster, defaults }: Server,
  options: RouteOptions & RouteLifecycleOptions,
): boolean {
  checkFlag(options.websocket, options.url)
  const isWebsocket = options.websocket === true || options.wsHandler !== undefined
  // @fastify/websocket hides such a route from documentation, and changes the user's own schema object for
  // that. So it gets a copy.
  if (options.websocket === true) options.schema = hidden(options.schema ?? {})
  // Fastify also announces the automatic HEAD route. No upgrade can reach it.
  if (!isWebsocket || [options.method].flat().every((method) => method === 'HEAD')) {
    markRoute(options, null)
    return false
  }
  const settings = resolveRouteOptions(options, defaults, options.url)
  serve(sweeps, settings)
  const route = new Route(
    options.url,
    settings,
    capacities.of(settings, options.url),
    instance,
    options.schema?.message,
  )
  cluster.addRoute(route, route.capacity.perKey?.everywhere !== undefined)
  markRoute(options, route)
  bridgeHandler(options)
  return true
}

/** Makes the ticks fine enough for these options. */
export function serve({ sweep, transitions }: Sweeps, settings: RouteSettings): void {
  const { keepalive, closeTimeout, handshakeTimeout, idleTimeout, maxLifetime } = settings
  const { outbox, messageRate } = settings
  transitions.serve(closeTimeout)
  if (handshakeTimeout !== false) transitions.serve(handshakeTimeout)
  const timeouts = [outbox.maxAge, idleTimeout, maxLifetime]
  if (keepalive !== false) {
    sweep.tickEvery(keepalive.interval / DEPARTURES)
    timeouts.push(keepalive.timeout)
  }
  // A stall of our loop is noticed, and excuses the peer, only if it is longer than a tick.
  if (messageRate !== false) timeouts.push(messageRate.window)
  for (const timeout of timeouts) if (timeout !== false) sweep.serve(timeout)
}

/** A hidden copy of a schema. It has the same prototype, because Fastify reads inherited parts too. */
function hidden(schema: FastifySchema): FastifySchema {
  const copy = { __proto__: Object.getPrototypeOf(schema) as unknown, ...schema, hide: true }
  return copy
}

function bridgeHandler(options: RouteOptions): void {
  if (options.websocket === true) {
    options.handler = bridge(options.handler as unknown as Handler) as never
  } else if (typeof options.wsHandler === 'function') {
    options.wsHandler = bridge(options.wsHandler as unknown as Handler) as never
  }
}

/**
 * The function that @fastify/websocket calls in place of the handler. The connection calls the real handler.
 */
function bridge(handler: Handler): (socket: ConnectionSocket) => void {
  return (socket) => {
    // @fastify/websocket has just added a listener for an errorHandler that we do not need. It would keep the
    // reply in memory for as long as the connection. (A second listener is the app's, which listens to
    // 'connection'.)
    if (socket.listenerCount('error') === 1) socket.removeAllListeners('error')
    ConnectionSocket.ownerOf(socket)?.runHandler(handler)
  }
}
