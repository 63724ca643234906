/** Resolves the options that are groups of other options. All functions throw FST_ERR_WSL_INVALID_OPTION. */
import type { FastifyRequest } from 'fastify'
import type { LifecycleOptions } from '../api/options.js'
import type { HeartbeatPolicy } from '../core/liveness/heartbeat.js'
import type { RatePolicy } from '../core/messages/message-rate.js'
import type { Check } from './check.js'
import { refuse, refuseMore } from './complaints.js'
import { DEFAULTS, ROUTE_DEFAULTS } from './defaults.js'
import { readGroup } from './group.js'
import type { AnyRouteOptions, PerKeyPolicy, ResumeSettings, RouteSettings } from './settings.js'
import {
  CLUSTER_CHECKS,
  DURABLE_CHECKS,
  KEEPALIVE_CHECKS,
  PER_KEY_CHECKS,
  RATE_CHECKS,
  RESUME_CHECKS,
} from './tables.js'

/**
 * Resolves `keepalive`. `false` turns it off. Each field that is given replaces that of the plugin, or the
 * default.
 */
export function resolveKeepalive(
  option: LifecycleOptions['keepalive'],
  base: HeartbeatPolicy | false,
  where: string,
): HeartbeatPolicy | false {
  if (option === false) return false
  if (option === undefined) return base
  const given = readGroup(option, KEEPALIVE_CHECKS, 'keepalive', where)
  return Object.freeze({ ...(base || DEFAULTS.keepalive), ...given })
}

/**
 * Resolves a group with two members of which the first may not be larger than the second. If only one of them
 * was given, the other one is adjusted.
 */
export function fitted<Settings extends object>(
  given: Partial<Settings>,
  base: Settings,
  [group, name, bound]: readonly [string, keyof Settings & string, keyof Settings & string],
  where: string,
): Settings {
  const settings = { ...base, ...given }
  const [value, most] = [Number(settings[name]), Number(settings[bound])]
  if (value <= most) return Object.freeze(settings)
  if (given[name] === undefined) return Object.freeze({ ...settings, [name]: most })
  if (given[bound] === undefined) return Object.freeze({ ...settings, [bound]: value })
  return refuseMore(`${group}.${name}`, value, `${group}.${bound}`, most, where)
}

/** Resolves `messageRate`. Neither of its members has a default. */
export function resolveRate(
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

/** Resolves `maxConnectionsPerKey`. A route's option replaces the plugin's, and has its own count. */
export function resolvePerKey(
  option: LifecycleOptions['maxConnectionsPerKey'],
  plugins: PerKeyPolicy | undefined,
  where: string,
): PerKeyPolicy | undefined {
  if (option === undefined) return plugins
  const given = readGroup(option, PER_KEY_CHECKS, 'maxConnectionsPerKey', where)
  const max = required(given.max, 'maxConnectionsPerKey.max', PER_KEY_CHECKS.max, where)
  const { whenFull = 'refuse', scope = 'server' } = given
  if (whenFull === 'replace' && max === 0) {
    // There would be no connection to replace.
    refuse('maxConnectionsPerKey.max', AT_LEAST_ONE, max, where)
  }
  if (whenFull !== 'replace' && scope === 'cluster') {
    refuse('maxConnectionsPerKey.scope', BESIDE_REPLACE, scope, where)
  }
  return Object.freeze({
    max,
    key: given.key ?? byAddress,
    whenFull,
    scope,
  })
}

const AT_LEAST_ONE = {
  expected: "at least 1 where `maxConnectionsPerKey.whenFull` is 'replace'",
}

const BESIDE_REPLACE = {
  expected: "'server' unless `maxConnectionsPerKey.whenFull` is 'replace'",
}

/**
 * The default key: the client's address. Behind a unix socket nobody has an address, so all clients have one
 * key.
 */
function byAddress(request: FastifyRequest): string | undefined {
  // A request of injectWS has no socket, and with trustProxy Fastify would look for its address all the same.
  const { socket }: { readonly socket?: object } = request.raw
  if (socket === undefined) return undefined
  const { ip }: { readonly ip?: string } = request
  return ip ?? ''
}

/** Resolves `resume`. Without it no hook of sessions would ever be called, so such hooks are refused. */
export function resolveResume(
  { resume, onSuspend, onResume }: AnyRouteOptions,
  where: string,
): ResumeSettings | undefined {
  if (resume === undefined) {
    for (const [name, hook] of Object.entries({ onSuspend, onResume })) {
      if (hook !== undefined) refuse(name, BESIDE_RESUME, hook, where)
    }
    return undefined
  }
  const given = readGroup(resume, RESUME_CHECKS, 'resume', where)
  const key = required(given.key, 'resume.key', RESUME_CHECKS.key, where)
  return Object.freeze({ ...DEFAULTS.resume, ...given, key })
}

const BESIDE_RESUME = { expected: 'on a route with `resume`' }

/** Resolves `cluster`. @param url of the route: the default of the name of its records */
export function resolveCluster(
  cluster: AnyRouteOptions['cluster'],
  url: string,
  where: string,
): RouteSettings['cluster'] {
  const { durable } = readGroup(cluster, CLUSTER_CHECKS, 'cluster', where)
  if (durable === undefined) return ROUTE_DEFAULTS.cluster
  const { name, data, release, whenCutOff } = readGroup(
    durable,
    DURABLE_CHECKS,
    'cluster.durable',
    where,
  )
  const settings = {
    name: name ?? url,
    data,
    release: required(release, 'cluster.durable.release', DURABLE_CHECKS.release, where),
    whenCutOff: whenCutOff ?? 'continue',
  }
  return Object.freeze({ durable: Object.freeze(settings) })
}

/** Checks that a member was given which has no default. */
function required<Value>(
  value: Value | undefined,
  name: string,
  wanted: Check,
  where: string,
): Value {
  return value ?? refuse(name, wanted, value, where)
}
