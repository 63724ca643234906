import { inspect } from 'node:util'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { LifecycleOptions, LifecycleSocket, WebsocketLifecycleOptions } from './api.js'
import { isSendableCode, truncateReason } from './core/close-codes.js'
import type { CloseInfo } from './core/close-info.js'
import type { HeartbeatPolicy } from './core/heartbeat.js'
import { invalidOption } from './errors.js'

/** Every default, written once. */
export const DEFAULTS: Defaults = {
  keepalive: { interval: 25_000, timeout: 20_000 },
  closeTimeout: 3_000,
  cleanupTimeout: 5_000,
  expectedCloseCodes: [1000, 1001, 1005],
  handshakeTimeout: 10_000,
  drain: { timeout: 8_000, spread: 0, code: 1012, reason: 'service restart', retryAfter: 1 },
  websocket: { maxPayload: 1024 * 1024 },
}

interface Defaults extends Omit<RouteSettings, `on${string}`> {
  readonly keepalive: HeartbeatPolicy
  readonly drain: DrainSettings
  readonly websocket: { readonly maxPayload: number }
}

/** A hook as it is called: with the connection, and what it is about. */
export type Hook<About extends unknown[]> = (
  this: FastifyInstance,
  socket: LifecycleSocket,
  request: FastifyRequest,
  ...about: About
) => unknown

/** The options of a route, complete and checked; hooks in the order in which they run. */
export interface RouteSettings {
  readonly keepalive: HeartbeatPolicy | false
  readonly closeTimeout: number
  readonly cleanupTimeout: number
  readonly expectedCloseCodes: readonly number[]
  readonly handshakeTimeout: number | false
  readonly onUnexpectedClose: readonly Hook<[close: CloseInfo]>[]
  readonly onClose: readonly Hook<[close: CloseInfo]>[]
  readonly onShutdown: readonly Hook<[]>[]
  readonly onHandlerError: readonly Hook<[error: Error]>[]
}

export type DrainSettings = Required<NonNullable<WebsocketLifecycleOptions['drain']>>

export interface PluginSettings {
  readonly route: RouteSettings
  readonly drain: DrainSettings
  readonly websocket: NonNullable<WebsocketLifecycleOptions['websocket']>
}

/** node's timers take no more, nor does ws as `maxPayload`. */
const INT32_MAX = 2 ** 31 - 1

interface Check {
  readonly expected: string
  readonly accepts: (value: unknown) => boolean
}

function duration(from: number): Check {
  return {
    expected: `a number of milliseconds from ${from} to ${INT32_MAX}`,
    accepts: (value) => typeof value === 'number' && value >= from && value <= INT32_MAX,
  }
}

function orFalse(check: Check): Check {
  return {
    expected: `${check.expected}, or false`,
    accepts: (value) => value === false || check.accepts(value),
  }
}

const HOOK: Check = { expected: 'a function', accepts: (value) => typeof value === 'function' }
const GROUP: Check = {
  expected: 'an object',
  accepts: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
}

const ROUTE_CHECKS: Readonly<Record<keyof LifecycleOptions, Check>> = {
  keepalive: orFalse(GROUP),
  closeTimeout: duration(1),
  cleanupTimeout: duration(1),
  expectedCloseCodes: {
    expected: 'an array of close codes (integers from 1000 to 4999)',
    accepts: (value) => Array.isArray(value) && value.every(isCloseCodeNumber),
  },
  handshakeTimeout: orFalse(duration(1)),
  onUnexpectedClose: HOOK,
  onClose: HOOK,
  onShutdown: HOOK,
  onHandlerError: HOOK,
}

const PLUGIN_CHECKS: Readonly<Record<keyof WebsocketLifecycleOptions, Check>> = {
  ...ROUTE_CHECKS,
  drain: GROUP,
  websocket: GROUP,
}

const KEEPALIVE_CHECKS: Readonly<Record<keyof HeartbeatPolicy, Check>> = {
  interval: duration(50),
  timeout: orFalse(duration(50)),
}

const DRAIN_CHECKS: Readonly<Record<keyof DrainSettings, Check>> = {
  timeout: duration(1),
  spread: duration(0),
  code: { expected: 'a close code that may be sent', accepts: isSendableCode },
  reason: {
    expected: 'a string of at most 123 bytes of UTF-8',
    accepts: (value) => typeof value === 'string' && truncateReason(value) === value,
  },
  retryAfter: {
    expected: 'a whole number of seconds from 0',
    accepts: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
  },
}

const WEBSOCKET_CHECKS: Readonly<Record<'maxPayload', Check>> = {
  maxPayload: {
    expected: `a whole number of bytes from 0 (no limit) to ${INT32_MAX}`,
    accepts: (value) =>
      Number.isInteger(value) && (value as number) >= 0 && (value as number) <= INT32_MAX,
  },
}

/** What Fastify itself reads from the options of `register`. */
const FASTIFYS_OWN = ['prefix', 'logLevel', 'logSerializers']

/** ws options that are ours to set. */
const OURS_TO_SET = [
  'noServer',
  'path',
  'WebSocket',
  'closeTimeout',
  'server',
  'host',
  'port',
  'backlog',
]

const ROUTE_DEFAULTS: RouteSettings = {
  keepalive: DEFAULTS.keepalive,
  closeTimeout: DEFAULTS.closeTimeout,
  cleanupTimeout: DEFAULTS.cleanupTimeout,
  expectedCloseCodes: DEFAULTS.expectedCloseCodes,
  handshakeTimeout: DEFAULTS.handshakeTimeout,
  onUnexpectedClose: [],
  onClose: [],
  onShutdown: [],
  onHandlerError: [],
}

/** @throws FST_ERR_WSL_INVALID_OPTION */
export function resolvePluginOptions(options: WebsocketLifecycleOptions): PluginSettings {
  const where = 'the options of the plugin'
  refuseUnknown(options, [...Object.keys(PLUGIN_CHECKS), ...FASTIFYS_OWN], '', where)
  check(options, PLUGIN_CHECKS, '', where)
  return {
    route: resolveRoute(options, ROUTE_DEFAULTS, where),
    drain: resolveDrainOptions(options.drain, DEFAULTS.drain, where),
    websocket: resolveWebsocket(options.websocket, where),
  }
}

/** @throws FST_ERR_WSL_INVALID_OPTION */
export function resolveRouteOptions(
  options: LifecycleOptions,
  plugin: RouteSettings,
  url: string,
): RouteSettings {
  const where = `the options of route ${url}`
  check(options, ROUTE_CHECKS, '', where)
  return resolveRoute(options, plugin, where)
}

/** @throws FST_ERR_WSL_INVALID_OPTION */
export function resolveDrainOptions(
  options: WebsocketLifecycleOptions['drain'],
  base: DrainSettings,
  where: string,
): DrainSettings {
  const settings = resolveGroup(options, DRAIN_CHECKS, base, 'drain', where)
  if (settings.spread > settings.timeout) {
    throw invalidOption(
      `Expected \`drain.spread\` to be at most \`drain.timeout\` (${settings.timeout}), got ${show(settings.spread)}, in ${where}`,
    )
  }
  return settings
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
  options: LifecycleOptions,
  base: RouteSettings,
  where: string,
): RouteSettings {
  return Object.freeze({
    keepalive: resolveKeepalive(options.keepalive, base.keepalive, where),
    closeTimeout: options.closeTimeout ?? base.closeTimeout,
    cleanupTimeout: options.cleanupTimeout ?? base.cleanupTimeout,
    expectedCloseCodes: Object.freeze([...(options.expectedCloseCodes ?? base.expectedCloseCodes)]),
    handshakeTimeout: options.handshakeTimeout ?? base.handshakeTimeout,
    onUnexpectedClose: inOrder(options.onUnexpectedClose, base.onUnexpectedClose),
    onClose: inOrder(options.onClose, base.onClose),
    onShutdown: inOrder(options.onShutdown, base.onShutdown),
    onHandlerError: inOrder(options.onHandlerError, base.onHandlerError),
  })
}

/** ws reads these itself, but for what is ours to set, and a limit that it would take for none. */
function resolveWebsocket(
  options: WebsocketLifecycleOptions['websocket'] = {},
  where: string,
): PluginSettings['websocket'] {
  for (const name of OURS_TO_SET) {
    if (name in options) {
      throw invalidOption(
        `Expected \`websocket\` to leave \`${name}\` to the plugin, got ${show(Reflect.get(options, name))}, in ${where}`,
      )
    }
  }
  check(options, WEBSOCKET_CHECKS, 'websocket.', where)
  return { ...DEFAULTS.websocket, ...given(options) }
}

function resolveKeepalive(
  option: LifecycleOptions['keepalive'],
  base: HeartbeatPolicy | false,
  where: string,
): HeartbeatPolicy | false {
  if (option === false) return false
  if (option === undefined) return base
  return resolveGroup(option, KEEPALIVE_CHECKS, base || DEFAULTS.keepalive, 'keepalive', where)
}

/** A hook of the route runs before the plugin's. */
function inOrder<AnyHook>(
  own: AnyHook | undefined,
  others: readonly AnyHook[],
): readonly AnyHook[] {
  return own === undefined ? others : [own, ...others]
}

function resolveGroup<Settings extends object>(
  options: object | undefined,
  checks: Readonly<Record<keyof Settings, Check>>,
  base: Settings,
  group: string,
  where: string,
): Settings {
  if (options === undefined) return base
  if (!GROUP.accepts(options)) refuse(group, GROUP, options, where)
  refuseUnknown(options, Object.keys(checks), `${group}.`, where)
  check(options, checks, `${group}.`, where)
  return Object.freeze({ ...base, ...given(options) })
}

/** An option that is `undefined` was not given. */
function given<Options extends object>(options: Options): Partial<Options> {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as Partial<Options>
}

function check(
  options: object,
  checks: Readonly<Record<string, Check>>,
  prefix: string,
  where: string,
): void {
  for (const [name, wanted] of Object.entries(checks)) {
    const value: unknown = Reflect.get(options, name)
    if (value !== undefined && !wanted.accepts(value)) refuse(prefix + name, wanted, value, where)
  }
}

function refuse(name: string, wanted: Check, value: unknown, where: string): never {
  throw invalidOption(
    `Expected \`${name}\` to be ${wanted.expected}, got ${show(value)}, in ${where}`,
  )
}

function refuseUnknown(
  options: object,
  known: readonly string[],
  prefix: string,
  where: string,
): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    throw invalidOption(
      `Expected a known option, got \`${prefix}${name}\` (did you mean \`${prefix}${nearest(name, known)}\`?), in ${where}`,
    )
  }
}

function show(value: unknown): string {
  return `\`${inspect(value, { depth: 1, breakLength: Infinity, maxStringLength: 100 })}\` (${typeof value})`
}

function isCloseCodeNumber(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 1000 && (value as number) <= 4999
}

function nearest(name: string, known: readonly string[]): string {
  const byDistance = known.map((candidate) => ({ candidate, distance: distance(name, candidate) }))
  return byDistance.reduce((best, other) => (other.distance < best.distance ? other : best))
    .candidate
}

/** Levenshtein's distance, by rows. */
function distance(from: string, to: string): number {
  let above = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const substitution =
        (above[column - 1] as number) + (from[row - 1] === to[column - 1] ? 0 : 1)
      current.push(
        Math.min(substitution, (above[column] as number) + 1, (current[column - 1] as number) + 1),
      )
    }
    above = current
  }
  return above[to.length] as number
}
