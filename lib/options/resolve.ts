import type { WebsocketLifecycleOptions } from '../api/options.js'
import type { RouteLifecycleOptions, SessionRouteOptions } from '../api/route-options.js'
import type { InboxPolicy } from '../core/messages/inbox.js'
import type { OutboxPolicy } from '../core/messages/outbox-age.js'
import { invalidOption } from '../errors.js'
import { refuseMore, refuseUnknown, show } from './complaints.js'
import { DEFAULTS, ROUTE_DEFAULTS } from './defaults.js'
import { read, readGroup } from './group.js'
import {
  fitted,
  resolveCluster,
  resolveKeepalive,
  resolvePerKey,
  resolveRate,
  resolveResume,
} from './groups.js'
import { hintForPlugin, refuseMisplaced } from './misplaced.js'
import { resolveOrigins } from './origins.js'
import type { AnyRouteOptions, DrainSettings, PluginSettings, RouteSettings } from './settings.js'
import { DRAIN_CHECKS, INBOX_CHECKS, OUTBOX_CHECKS, PLUGIN_CHECKS, ROUTE_CHECKS } from './tables.js'
import { resolveWebsocket } from './websocket.js'

/** The options of `register` that Fastify itself reads. */
const FASTIFYS_OWN = ['prefix', 'logLevel', 'logSerializers']

/** @throws FST_ERR_WSL_INVALID_OPTION */
export function resolvePluginOptions(options: WebsocketLifecycleOptions): PluginSettings {
  const where = 'the options of the plugin'
  const known = [...Object.keys(PLUGIN_CHECKS), ...FASTIFYS_OWN]
  refuseUnknown(options, known, '', where, hintForPlugin)
  const given = read(options, PLUGIN_CHECKS, '', where)
  return {
    route: resolveRoute(given as AnyRouteOptions, ROUTE_DEFAULTS, where),
    drain: resolveDrainOptions(given.drain, DEFAULTS.drain, where),
    websocket: resolveWebsocket(given.websocket, DEFAULTS.websocket, where),
    ignoreUpgrade: given.ignoreUpgrade,
  }
}

/** @throws FST_ERR_WSL_INVALID_OPTION */
export function resolveRouteOptions(
  options: RouteLifecycleOptions | SessionRouteOptions,
  plugin: RouteSettings,
  url: string,
): RouteSettings {
  const where = `the options of route GET ${url}`
  refuseMisplaced(options, where)
  const given = read(options as AnyRouteOptions, ROUTE_CHECKS, '', where)
  const cluster = resolveCluster(given.cluster, url, where)
  return Object.freeze({ ...resolveRoute(given, plugin, where), cluster })
}

/** @throws FST_ERR_WSL_INVALID_OPTION */
export function resolveDrainOptions(
  options: WebsocketLifecycleOptions['drain'],
  base: DrainSettings,
  where: string,
): DrainSettings {
  if (options === undefined) return base
  const settings = { ...base, ...readGroup(options, DRAIN_CHECKS, 'drain', where) }
  const { spread, timeout } = settings
  if (spread > timeout) refuseMore('drain.spread', spread, 'drain.timeout', timeout, where)
  return Object.freeze(settings)
}

/**
 * Checks that a drain is over before Fastify gives up on the `preClose` hook that waits for it.
 * @throws FST_ERR_WSL_INVALID_OPTION
 */
export function checkPluginTimeout(drain: DrainSettings, pluginTimeout: number): void {
  const atMost = pluginTimeout - DRAIN_MARGIN
  if (pluginTimeout === 0 || drain.timeout <= atMost) return
  throw invalidOption(
    `Expected \`drain.timeout\` to be at most ${atMost}, which is Fastify's \`pluginTimeout\` of ${pluginTimeout} less ${DRAIN_MARGIN}, got ${show(drain.timeout)}, in the options of the plugin: lower the one, or raise the other to ${drain.timeout + DRAIN_MARGIN}`,
  )
}

const DRAIN_MARGIN = 1_500

function resolveRoute(options: AnyRouteOptions, base: RouteSettings, where: string): RouteSettings {
  return Object.freeze({
    keepalive: resolveKeepalive(options.keepalive, base.keepalive, where),
    closeTimeout: options.closeTimeout ?? base.closeTimeout,
    cleanupTimeout: options.cleanupTimeout ?? base.cleanupTimeout,
    expectedCloseCodes: Object.freeze([...(options.expectedCloseCodes ?? base.expectedCloseCodes)]),
    inbox: fitted(
      readGroup<InboxPolicy>(options.inbox, INBOX_CHECKS, 'inbox', where),
      base.inbox,
      ['inbox', 'concurrency', 'maxMessages'],
      where,
    ),
    outbox: fitted(
      readGroup<OutboxPolicy>(options.outbox, OUTBOX_CHECKS, 'outbox', where),
      base.outbox,
      ['outbox', 'highWaterMark', 'maxBytes'],
      where,
    ),
    idleTimeout: options.idleTimeout ?? base.idleTimeout,
    maxLifetime: options.maxLifetime ?? base.maxLifetime,
    expiresAt: options.expiresAt ?? base.expiresAt,
    groups: options.groups ?? base.groups,
    messageRate: resolveRate(options.messageRate, base.messageRate, where),
    handshakeTimeout: options.handshakeTimeout ?? base.handshakeTimeout,
    allowedOrigins: resolveOrigins(options.allowedOrigins, base.allowedOrigins, where),
    // The plugin's value is not used here: it holds for the whole server.
    maxConnections: options.maxConnections ?? DEFAULTS.maxConnections,
    maxConnectionsPerKey: resolvePerKey(
      options.maxConnectionsPerKey,
      base.maxConnectionsPerKey,
      where,
    ),
    refuse: options.refuse ?? base.refuse,
    history: options.history ?? base.history,
    onMessage: options.onMessage as RouteSettings['onMessage'],
    onInvalidMessage: options.onInvalidMessage,
    resume: resolveResume(options, where),
    cluster: ROUTE_DEFAULTS.cluster,
    onSuspend: options.onSuspend,
    onResume: options.onResume,
    onUnexpectedClose: inOrder(options.onUnexpectedClose, base.onUnexpectedClose),
    onClose: inOrder(options.onClose, base.onClose),
    onShutdown: inOrder(options.onShutdown, base.onShutdown),
    onHandlerError: inOrder(options.onHandlerError, base.onHandlerError),
  })
}

/** The hooks in the order in which they run: the route's before the plugin's. */
function inOrder<AnyHook>(
  own: AnyHook | undefined,
  others: readonly AnyHook[],
): readonly AnyHook[] {
  return own === undefined ? others : [own, ...others]
}
