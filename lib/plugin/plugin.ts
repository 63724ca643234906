/**
 * Composes the plugin: what all connections of a server share, the hooks and decorators of the app, its
 * upgrades, and when the drain begins. Called once for each server, at registration. What happens later is in
 * the rooms below.
 */
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { forward } from '../admission/forward.js'
import { admit, endAnswered, guardHandshake } from '../admission/hooks.js'
import { answerAsPlain } from '../admission/plain-request.js'
import { decorateSignal } from '../admission/request-signal.js'
import { claimUpgrades, othersListen, type UpgradeListener } from '../admission/server-upgrades.js'
import { keepPlain } from '../admission/should-upgrade.js'
import { bodyOf, nameWebsocketOnly } from '../admission/upgrade-header.js'
import { UpgradeJudge } from '../admission/upgrade-judge.js'
import { Upgrade } from '../admission/upgrade.js'
import type { WebsocketLifecycleOptions } from '../api/options.js'
import { Steps } from '../callbacks/steps.js'
import { Cluster } from '../cluster/cluster.js'
import type { Shared } from '../connection/shared.js'
import { handshakeBody } from '../errors.js'
import { Facts } from '../facts/facts.js'
import { Groups } from '../groups/groups.js'
import { checkPluginTimeout, resolvePluginOptions } from '../options/resolve.js'
import type { PluginSettings } from '../options/settings.js'
import { Frames } from '../outbox/frames.js'
import { Capacities } from '../routes/capacity.js'
import { RouteTable } from '../routes/route-table.js'
import { Sessions } from '../session/sessions.js'
import { Drain } from '../shutdown/drain.js'
import type { Clock } from '../time/clock.js'
import { clockOf } from '../time/door.js'
import { Sweep } from '../time/sweep.js'
import { Turns } from '../time/turns.js'
import { decorate, memberOf } from './decorators.js'
import { giveBackServer, refuseSecond, refuseSibling, takeServer } from './one-registration.js'
import { prepareRoute, serve } from './prepare-route.js'
import { acceptUpgrade, registerWebsocket } from './websocket-server.js'

/** avvio's own method to add an onClose function. `addHook` refuses once the app has started. */
interface AvvioInstance {
  onClose(callback: () => Promise<void>): unknown
}

/** @param given where time comes from; tests give one that they move themselves, or put one at the app's door */
export function createPlugin(given?: Clock): FastifyPluginAsync<WebsocketLifecycleOptions> {
  async function fastifyWebsocketLifecycle(
    app: FastifyInstance,
    options: WebsocketLifecycleOptions,
  ): Promise<void> {
    refuseSecond(app)
    const settings = resolvePluginOptions(options)
    takeServer(app.server)
    const shared = makeShared(app, given ?? clockOf(app), settings)
    const drain = new Drain(shared, settings.drain, settings.route.closeTimeout, app.log)
    decorate(app, shared, drain)
    // One of our onRoute hooks comes before those of @fastify/websocket, which replace the handler. The other
    // one comes after them.
    const routes = prepareRoutes(app, shared, settings)
    const toFastify = await registerWebsocket(app, settings.websocket, () => drain.close())
    app.addHook('onRoute', guardHandshake)
    app.addHook('onRequest', admit)
    app.addHook('onResponse', endAnswered)
    const judge = new UpgradeJudge(routes, settings.ignoreUpgrade, app.log)
    const stopClaiming = claimUpgrades(app.server, {
      judge: (message, isShared) => judge.judge(message, isShared),
      take: {
        ours: openUpgrades(app, shared, settings, drain, toFastify),
        nobodys: (...request) => answerAsPlain(app.server, ...request),
      },
    })
    const stopAsking = keepPlain(
      app,
      (message) => judge.judge(message, othersListen(app.server)) === 'nobodys',
    )
    // The drain has to begin at the first sign that the app closes. avvio runs onClose functions last in
    // first out, before the preClose hooks. A hook of somebody else that fails or hangs would keep ours from
    // running. So ours is added as late as possible: when the app is ready, and again when it listens.
    const beginDrain = async (): Promise<void> => void drain.close()
    app.addHook('onReady', async () => {
      checkPluginTimeout(settings.drain, Number(app.initialConfig.pluginTimeout))
      refuseSibling(app, toFastify)
      decorateSignal(app)
      shared.cluster.refuseAlone()
      app.addHook('onClose', beginDrain)
    })
    app.addHook('onListen', async () => {
      ;(app as FastifyInstance & AvvioInstance).onClose(beginDrain)
    })
    app.addHook('onClose', async () => {
      stopClaiming()
      stopAsking()
      app.websocketServer.close()
      shared.sessions.clear()
      giveBackServer(app.server)
    })
  }
  return fp(fastifyWebsocketLifecycle, { name: 'fastify-websocket-lifecycle', fastify: '5.x' })
}

function makeShared(
  app: FastifyInstance,
  clock: Clock,
  { route, websocket }: PluginSettings,
): Shared {
  const facts = new Facts(app, clock)
  const cluster = new Cluster(clock)
  const shared: Shared = {
    clock,
    sweep: new Sweep(clock, (lateness) => facts.loop.stalled(lateness)),
    transitions: new Sweep(clock),
    steps: new Steps(clock),
    facts,
    turns: new Turns(),
    frames: new Frames(),
    sessions: new Sessions(clock, facts),
    groups: new Groups(clock, cluster, (who) => memberOf(who, facts)),
    cluster,
    accept: (message, raw, head, accepted) => acceptUpgrade(app, [message, raw, head], accepted),
    answersPings: websocket.autoPong !== false,
    maxPayload: websocket.maxPayload || Infinity,
  }
  serve(shared, route)
  return shared
}

/** @returns the table that tells where Fastify will route an upgrade */
function prepareRoutes(
  app: FastifyInstance,
  shared: Shared,
  { route: defaults }: PluginSettings,
): RouteTable {
  const routes = new RouteTable(app)
  const { cluster } = shared
  const server = { sweeps: shared, capacities: new Capacities(defaults), cluster, defaults }
  app.addHook('onRoute', function (route) {
    const isOurs = prepareRoute(this, server, route)
    if (isOurs) shared.facts.routeDeclared(route.url)
    routes.add(route, isOurs)
  })
  return routes
}

/** @returns a listener for our upgrades: it gives them to Fastify, or refuses them while the server drains */
function openUpgrades(
  app: FastifyInstance,
  shared: Shared,
  settings: PluginSettings,
  drain: Drain,
  toFastify: UpgradeListener,
): UpgradeListener {
  const begin = (upgrade: Upgrade): void => {
    const body = bodyOf(upgrade.message)
    if (body !== undefined) {
      upgrade.refuseNow('handshake', handshakeBody(body))
      return
    }
    if (shared.facts.isDraining) {
      upgrade.refuseNow('draining', drain.refusal)
      return
    }
    toFastify.call(app.server, ...upgrade.handshake)
    upgrade.routed()
  }
  return (message, raw, head) => {
    const here = (): void => {
      nameWebsocketOnly(message)
      new Upgrade(shared, [message, raw, head], settings.route, app.log).start(begin)
    }
    if (bodyOf(message) !== undefined || !forward(shared, [message, raw, head], here)) here()
  }
}
