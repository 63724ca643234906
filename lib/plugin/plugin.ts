import type { IncomingMessage } from 'node:http'
import fastifyWebsocket from '@fastify/websocket'
import type {
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifySchema,
  RouteOptions,
} from 'fastify'
import fp from 'fastify-plugin'
import type { VerifyClientCallbackAsync, WebSocket } from 'ws'
import { Limits } from '../routes/limits.js'
import type {
  RouteLifecycleOptions,
  WebsocketLifecycle,
  WebsocketLifecycleOptions,
} from '../api/api.js'
import { beneath } from '../platform/beneath.js'
import { Turns } from '../time/turns.js'
import { type Clock, systemClock } from '../time/clock.js'
import { DEPARTURES } from '../core/liveness/heartbeat.js'
import { pieceLimits } from '../core/messages/pieces.js'
import { Drain } from '../shutdown/drain.js'
import { alreadyRegistered } from '../errors.js'
import { answerAsPlain } from '../admission/plain-request.js'
import { Frames } from '../outbox/frames.js'
import { checkFlag } from '../options/misplaced.js'
import {
  checkPluginTimeout,
  resolvePluginOptions,
  resolveRouteOptions,
} from '../options/resolve.js'
import type { PluginSettings, RouteSettings } from '../options/settings.js'
import { refuseWebsocket } from '../admission/refuse-websocket.js'
import { Facts } from '../facts/facts.js'
import { decorateSignal } from '../admission/request-signal.js'
import { type Handler, markRoute, Route } from '../routes/route.js'
import { RouteTable } from '../routes/route-table.js'
import { claimUpgrades, type UpgradeListener } from '../admission/server-upgrades.js'
import type { Shared } from '../connection/shared.js'
import { ConnectionSocket } from '../connection/socket.js'
import { Steps } from '../callbacks/steps.js'
import { Sweep } from '../time/sweep.js'
import { failHandshake, scopeOf, Upgrade, upgradeOf } from '../admission/upgrade.js'
import { admit, endAnswered, guardHandshake } from '../admission/hooks.js'
import { nameWebsocketOnly } from '../admission/upgrade-header.js'
import { UpgradeJudge } from '../admission/upgrade-judge.js'
import { refuseOlderWs } from './ws-version.js'

/** avvio's own way to add an onClose function; `addHook` refuses once the app has started. */
interface AvvioInstance {
  onClose(callback: () => Promise<void>): unknown
}

/** Servers that have a plugin of ours: there may be one, at the root or in a child. */
const taken = new WeakSet<object>()

/** ws's own close timer must never be the first: our sweep ends what does not end. */
const NEVER = 2 ** 31 - 1

/** What ws gets from us; @types/ws asks of a subclass what only ws itself exports. */
const OURS = { WebSocket: ConnectionSocket as never, autoPong: false, closeTimeout: NEVER }

/** @param clock where time comes from; tests move one of their own */
export function createPlugin(
  clock: Clock = systemClock,
): FastifyPluginAsync<WebsocketLifecycleOptions> {
  async function fastifyWebsocketLifecycle(
    app: FastifyInstance,
    options: WebsocketLifecycleOptions,
  ): Promise<void> {
    refuseSecond(app)
    const settings = resolvePluginOptions(options)
    taken.add(app.server)
    const shared: Shared = {
      clock,
      sweep: new Sweep(clock),
      transitions: new Sweep(clock),
      steps: new Steps(clock),
      facts: new Facts(clock),
      turns: new Turns(),
      frames: new Frames(),
      accept: (message, raw, head, accepted) => acceptUpgrade(app, [message, raw, head], accepted),
      answersPings: settings.websocket.autoPong !== false,
      maxPayload: settings.websocket.maxPayload || Infinity,
    }
    const limits = new Limits(settings.route)
    const drain = new Drain(shared, settings.drain, settings.route.closeTimeout, app.log)
    serve(shared, settings.route)
    app.decorate('websocketLifecycle', publicFace(shared, drain))
    app.decorateRequest('wsScope', {
      getter() {
        return scopeOf(this.raw)
      },
    })
    app.decorateReply('refuseWebsocket', function (code, reason) {
      return refuseWebsocket(this, code, reason)
    })
    app.decorateReply('hijack', hijack)
    const routes = new RouteTable(app)
    // One hook before those of @fastify/websocket, which take the handler, and one after them.
    app.addHook('onRoute', function (route) {
      const isOurs = prepareRoute(this, shared, limits, settings.route, route)
      routes.add(route, isOurs)
    })
    const upgradeToFastify = await registerWebsocket(app, settings, drain)
    app.addHook('onRoute', guardHandshake)
    app.addHook('onRequest', admit)
    app.addHook('onResponse', endAnswered)

    const judge = new UpgradeJudge(routes, settings.ignoreUpgrade, app.log)
    const openOurs: UpgradeListener = (message, raw, head) => {
      nameWebsocketOnly(message)
      const upgrade = new Upgrade(shared, message, raw, head, settings.route, app.log)
      if (shared.facts.isDraining) {
        upgrade.refuseNow('draining', drain.refusal)
        return
      }
      upgradeToFastify.call(app.server, message, raw, head)
      upgrade.routed()
    }
    const stopClaiming = claimUpgrades(app.server, {
      judge: (message, othersListen) => judge.judge(message, othersListen),
      take: {
        ours: openOurs,
        nobodys: (...request) => answerAsPlain(app.server, ...request),
      },
    })

    // The first sign that the app closes: avvio runs onClose functions last in first out, before the
    // preClose hooks. A hook of someone else that fails or hangs would keep ours from beginning, so
    // it is added as late as can be: when the app is ready, and again when it listens.
    const beginDrain = async (): Promise<void> => void drain.close()
    app.addHook('onReady', async () => {
      checkPluginTimeout(settings.drain, Number(app.initialConfig.pluginTimeout))
      refuseSibling(app, upgradeToFastify)
      decorateSignal(app)
      app.addHook('onClose', beginDrain)
    })
    app.addHook('onListen', async () => {
      ;(app as FastifyInstance & AvvioInstance).onClose(beginDrain)
    })
    app.addHook('onClose', async () => {
      stopClaiming()
      app.websocketServer.close()
      taken.delete(app.server)
    })
  }
  return fp(fastifyWebsocketLifecycle, { name: 'fastify-websocket-lifecycle', fastify: '5.x' })
}

/**
 * Registers @fastify/websocket with our socket, and takes its listener off the server.
 * @returns that listener, which hands an upgrade to Fastify
 */
async function registerWebsocket(
  app: FastifyInstance,
  { websocket }: PluginSettings,
  drain: Drain,
): Promise<UpgradeListener> {
  const before: ReadonlySet<unknown> = new Set(app.server.listeners('upgrade'))
  await app.register(fastifyWebsocket, {
    options: { ...pieceLimits(websocket.maxPayload), ...guardVerify(websocket), ...OURS },
    preClose: async () => void (await drain.close()),
    // Each error is recorded where it is emitted; thrown ones never get as far as this.
    errorHandler: () => {},
  })
  await refuseOlderWs(app.websocketServer)
  const isTheirs = (listener: unknown): boolean => !before.has(listener)
  // Without one, this throws node's own error about a listener that is no function.
  const theirs = app.server.listeners('upgrade').find(isTheirs) as UpgradeListener
  app.server.removeListener('upgrade', theirs)
  app.websocketServer.on('headers', (lines, message) => {
    lines.push(...(upgradeOf(message)?.headers ?? []))
  })
  app.websocketServer.on('connection', (socket: WebSocket, message: IncomingMessage) => {
    if (socket instanceof ConnectionSocket) upgradeOf(message)?.open(socket)
  })
  return theirs
}

/** What ws goes on to do in the callback of an async `verifyClient` runs functions of the app, too. */
function guardVerify(websocket: PluginSettings['websocket']): PluginSettings['websocket'] {
  const { verifyClient } = websocket
  // ws, too, tells by this how it is to be called.
  if (verifyClient?.length !== 2) return websocket
  const verify: VerifyClientCallbackAsync = verifyClient
  const guarded: VerifyClientCallbackAsync = (info, callback) =>
    verify.call(websocket, info, (...answer) => {
      try {
        callback(...answer)
      } catch (error) {
        failHandshake(info.req, error)
      }
    })
  return { ...websocket, verifyClient: guarded }
}

/** Completes a handshake of which no list of the app's is to know. */
function acceptUpgrade(
  { websocketServer }: FastifyInstance,
  handshake: Parameters<UpgradeListener>,
  accepted: (socket: WebSocket) => void,
): void {
  websocketServer.handleUpgrade(...handshake, (socket) => {
    // ws has no list where the app has turned `clientTracking` off.
    const { clients }: { readonly clients?: Set<WebSocket> } = websocketServer
    clients?.delete(socket)
    accepted(socket)
  })
}

/** It may be that nobody has written that registration. */
const MEND =
  'remove that registration; or, where a plugin has made it because it was missing (mercurius does), register fastify-websocket-lifecycle before that plugin'

function refuseSecond(app: FastifyInstance): void {
  if (taken.has(app.server)) {
    throw alreadyRegistered(
      'fastify-websocket-lifecycle was registered on this server before: register it once, at the root or in the one child that holds all WebSocket routes',
    )
  }
  if (app.hasDecorator('websocketServer')) {
    throw alreadyRegistered(
      `@fastify/websocket was registered before fastify-websocket-lifecycle, which registers it itself: ${MEND}, and pass its ws options as \`websocket\``,
    )
  }
}

/** A bare @fastify/websocket that we could not see when we were registered: in a sibling. */
function refuseSibling(app: FastifyInstance, ours: UpgradeListener): void {
  // Each registration has a listener of its own, made from the same source.
  if (!app.server.listeners('upgrade').some((listener) => String(listener) === String(ours))) return
  throw alreadyRegistered(
    `@fastify/websocket was registered in another plugin of this server, beside fastify-websocket-lifecycle, which registers it itself: ${MEND}, and register this plugin where its routes see it too`,
  )
}

/** Makes the ticks fine enough for these options. */
function serve({ sweep, transitions }: Shared, settings: RouteSettings): void {
  const { keepalive, closeTimeout, handshakeTimeout, idleTimeout, maxLifetime } = settings
  const { outbox, messageRate } = settings
  transitions.serve(closeTimeout)
  if (handshakeTimeout !== false) transitions.serve(handshakeTimeout)
  const limits = [outbox.maxAge, idleTimeout, maxLifetime]
  if (keepalive !== false) {
    sweep.tickEvery(keepalive.interval / DEPARTURES)
    limits.push(keepalive.timeout)
  }
  // A tick is the shortest time for which our loop stands still and the peer is excused.
  if (messageRate !== false) limits.push(messageRate.window)
  for (const limit of limits) if (limit !== false) sweep.serve(limit)
}

function publicFace(shared: Shared, drain: Drain): WebsocketLifecycle {
  const { facts } = shared
  return Object.freeze({
    get connections() {
      return facts.registry.sockets
    },
    get draining() {
      return facts.isDraining
    },
    drain: async (options) => drain.begin(options),
    stats: () => facts.stats(),
  } satisfies WebsocketLifecycle)
}

/** Tells an upgrade that the app takes its reply, also in a hook that was added before ours. */
function hijack(this: FastifyReply): FastifyReply {
  upgradeOf(this.request.raw)?.hijacked()
  const ofFastify = Reflect.get(beneath(this, 'hijack', hijack), 'hijack') as FastifyReply['hijack']
  return ofFastify.call(this)
}

/**
 * Resolves a route's options and puts its connection between ws and its handler.
 * @returns whether it takes upgrades
 */
function prepareRoute(
  instance: FastifyInstance,
  shared: Shared,
  limits: Limits,
  defaults: RouteSettings,
  options: RouteOptions & RouteLifecycleOptions,
): boolean {
  checkFlag(options.websocket, options.url)
  const isWebsocket = options.websocket === true || options.wsHandler !== undefined
  // @fastify/websocket hides such a route from documentation, on the user's own schema object.
  if (options.websocket === true) options.schema = hidden(options.schema ?? {})
  // Fastify announces its automatic HEAD twin too, which no upgrade can reach.
  if (!isWebsocket || [options.method].flat().every((method) => method === 'HEAD')) {
    markRoute(options, null)
    return false
  }
  const settings = resolveRouteOptions(options, defaults, `GET ${options.url}`)
  serve(shared, settings)
  const route = new Route(
    options.url,
    settings,
    limits.of(settings, options.url),
    instance,
    options.schema?.message,
  )
  markRoute(options, route)
  if (options.websocket === true) {
    options.handler = bridge(options.handler as unknown as Handler) as never
  } else if (typeof options.wsHandler === 'function') {
    options.wsHandler = bridge(options.wsHandler) as never
  }
  return true
}

/** A copy that inherits what the schema does: Fastify reads inherited parts too. */
function hidden(schema: FastifySchema): FastifySchema {
  const copy = { __proto__: Object.getPrototypeOf(schema) as unknown, ...schema, hide: true }
  return copy
}

function bridge(handler: Handler): (socket: ConnectionSocket) => void {
  return (socket) => {
    // @fastify/websocket has just added one, for an errorHandler that we do not need; it would keep the
    // reply for as long as the connection. (Another one is of the app, which listens to 'connection'.)
    if (socket.listenerCount('error') === 1) socket.removeAllListeners('error')
    ConnectionSocket.ownerOf(socket)?.callbacks.run(handler)
  }
}
