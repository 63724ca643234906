import type { FastifyRequest } from 'fastify'
import type {
  LifecycleOptions,
  RouteLifecycleOptions,
  WebsocketLifecycleOptions,
} from '../api/api.js'
import { type Check, read, readGroup, refuse, refuseMore, refuseUnknown, show } from './check.js'
import type { HeartbeatPolicy } from '../core/liveness/heartbeat.js'
import type { InboxPolicy } from '../core/messages/inbox.js'
import type { RatePolicy } from '../core/messages/message-rate.js'
import type { OutboxPolicy } from '../core/messages/outbox-age.js'
import { invalidOption } from '../errors.js'
import { hintForPlugin, refuseMisplaced } from './misplaced.js'
import {
  DRAIN_CHECKS,
  INBOX_CHECKS,
  KEEPALIVE_CHECKS,
  OUTBOX_CHECKS,
  PER_KEY_CHECKS,
  PLUGIN_CHECKS,
  RATE_CHECKS,
  ROUTE_CHECKS,
} from './tables.js'
import { DEFAULTS, ROUTE_DEFAULTS } from './defaults.js'
import { resolveOrigins } from './origins.js'
import type { DrainSettings, PerKeyPolicy, PluginSettings, RouteSettings } from './settings.js'
import { resolveWebsocket } from './websocket.js'

/** What Fastify itself reads from the options of `register`. */
const FASTIFYS_OWN = ['prefix', 'logLevel', 'logSerializers']

/** @throws FST_ERR_WSL_INVALID_OPTION */
export function resolvePluginOptions(options: WebsocketLifecycleOptions): PluginSettings {
  const where = 'the options of the plugin'
  const known = [...Object.keys(PLUGIN_CHECKS), ...FASTIFYS_OWN]
  refuseUnknown(options, known, '', where, hintForPlugin)
  const given = read(options, PLUGIN_CHECKS, '', where)
  return {
    route: resolveRoute(given, ROUTE_DEFAULTS, where),
    drain: resolveDrainOptions(given.drain, DEFAULTS.drain, where),
    websocket: resolveWebsocket(given.websocket, DEFAULTS.websocket, where),
    ignoreUpgrade: given.ignoreUpgrade,
  }
}

/** @throws FST_ERR_WSL_INVALID_OPTION */
export function resolveRouteOptions(
  options: RouteLifecycleOptions,
  plugin: RouteSettings,
  url: string,
): RouteSettings {
  const where = `the options of route ${url}`
  refuseMisplaced(options, where)
  return resolveRoute(read(options, ROUTE_CHECKS, '', where), plugin, where)
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

/** Drains must be over before Fastify gives up on the `preClose` hook that waits for them. */
export function checkPluginTimeout(drain: DrainSettings, pluginTimeout: number): void {
  const atMost = pluginTimeout - DRAIN_MARGIN
  if (pluginTimeout === 0 || drain.timeout <= atMost) return
  throw invalidOption(
    `Expected \`drain.timeout\` to be at most ${atMost}, which is Fastify's \`pluginTimeout\` of ${pluginTimeout} less ${DRAIN_MARGIN}, got ${show(drain.timeout)}, in the options of the plugin: lower the one, or raise the other to ${drain.timeout + DRAIN_MARGIN}`,
  )
}

const DRAIN_MARGIN = 1_500

function resolveRoute(
  options: RouteLifecycleOptions,
  base: RouteSettings,
  where: string,
): RouteSettings {
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
    messageRate: resolveRate(options.messageRate, base.messageRate, where),
    handshakeTimeout: options.handshakeTimeout ?? base.handshakeTimeout,
    allowedOrigins: resolveOrigins(options.allowedOrigins, base.allowedOrigins, where),
    // Not the plugin's, which holds for the whole server.
    maxConnections: options.maxConnections ?? DEFAULTS.maxConnections,
    maxConnectionsPerKey: resolvePerKey(
      options.maxConnectionsPerKey,
      base.maxConnectionsPerKey,
      where,
    ),
    refuse: options.refuse ?? base.refuse,
    onMessage: options.onMessage as RouteSettings['onMessage'],
    onInvalidMessage: options.onInvalidMessage,
    onUnexpectedClose: inOrder(options.onUnexpectedClose, base.onUnexpectedClose),
    onClose: inOrder(options.onClose, base.onClose),
    onShutdown: inOrder(options.onShutdown, base.onShutdown),
    onHandlerError: inOrder(options.onHandlerError, base.onHandlerError),
  })
}

function resolveKeepalive(
  option: LifecycleOptions['keepalive'],
  base: HeartbeatPolicy | false,
  where: string,
): HeartbeatPolicy | false {
  if (option === false) return false
  if (option === undefined) return base
  const given = readGroup(option, KEEPALIVE_CHECKS, 'keepalive', where)
  return Object.freeze({ ...(base || DEFAULTS.keepalive), ...given })
}

/** Of two that must fit each other, where one alone was given the other follows it. */
function fitted<Settings extends object>(
  given: Partial<Settings>,
  base: Settings,
  [group, name, bound]: readonly [string, keyof Settings & string, keyof Settings & string],
  where: string,
): Settings {
  const settings = { ...base, ...given }
  const [value, limit] = [Number(settings[name]), Number(settings[bound])]
  if (value <= limit) return Object.freeze(settings)
  if (given[name] === undefined) return Object.freeze({ ...settings, [name]: limit })
  if (given[bound] === undefined) return Object.freeze({ ...settings, [bound]: value })
  return refuseMore(`${group}.${name}`, value, `${group}.${bound}`, limit, where)
}

/** Neither of its members has a default. */
function resolveRate(
  option: LifecycleOptions['messageRate'],
  base: RatePolicy | false,
  where: string,
): RatePolicy | false {
  if (option === undefined || option === false) return option ?? base
  const { max, window } = readGroup(option, RATE_CHECKS, 'messageRate', where)
  return Object.freeze({
    max: required(max, 'messageRate.max', RATE_CHECKS.max, where),
    window: required(window, 'messageRate.window', RATE_CHECKS.window, where),
  })
}

/** A route's replaces the plugin's, and has a count of its own. */
function resolvePerKey(
  option: LifecycleOptions['maxConnectionsPerKey'],
  plugins: PerKeyPolicy | undefined,
  where: string,
): PerKeyPolicy | undefined {
  if (option === undefined) return plugins
  const given = readGroup(option, PER_KEY_CHECKS, 'maxConnectionsPerKey', where)
  const max = required(given.max, 'maxConnectionsPerKey.max', PER_KEY_CHECKS.max, where)
  const { whenFull = 'refuse' } = given
  if (whenFull === 'replace' && max === 0) {
    // There would be nobody to replace.
    refuse('maxConnectionsPerKey.max', AT_LEAST_ONE, max, where)
  }
  return Object.freeze({
    max,
    key: given.key ?? byAddress,
    whenFull,
  })
}

const AT_LEAST_ONE = {
  expected: "at least 1 where `maxConnectionsPerKey.whenFull` is 'replace'",
}

/** Behind a socket of the file system nobody has an address: there all are one. */
function byAddress(request: FastifyRequest): string | undefined {
  // injectWS comes over none, and with trustProxy Fastify looks for its address all the same.
  const { socket }: { readonly socket?: object } = request.raw
  if (socket === undefined) return undefined
  const { ip }: { readonly ip?: string } = request
  return ip ?? ''
}

/** A member that has no default. */
function required<Value>(
  value: Value | undefined,
  name: string,
  wanted: Check,
  where: string,
): Value {
  return value ?? refuse(name, wanted, value, where)
}

/** A hook of the route runs before the plugin's. */
function inOrder<AnyHook>(
  own: AnyHook | undefined,
  others: readonly AnyHook[],
): readonly AnyHook[] {
  return own === undefined ? others : [own, ...others]
}
