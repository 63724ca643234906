import { type Check, duration, GROUP, whole } from '../options/check.js'
import { refuse, refuseUnknown } from '../options/complaints.js'
import { read, readGroup } from '../options/group.js'
import { resolveAddress } from './address.js'
import type { CleanupOptions, ClusterOptions } from './api.js'

const WHERE = 'the options of fastify-websocket-lifecycle/redis'

/** All defaults. */
export const CLUSTER_DEFAULTS: Readonly<
  Required<Pick<ClusterOptions, 'prefix' | 'lease'>> & {
    cleanup: Readonly<Required<CleanupOptions>>
  }
> = { prefix: 'wsl', lease: 15_000, cleanup: { concurrency: 8, rate: 100 } }

/** The options, complete and checked. */
export type ClusterSettings = Readonly<
  Required<Omit<ClusterOptions, 'address' | 'cleanup'>> & {
    address: string | undefined
    cleanup: Readonly<Required<CleanupOptions>>
  }
>

const CLIENT: Check = {
  expected:
    'a client of ioredis, iovalkey or node-redis (with `duplicate`, and `call` or `sendCommand`)',
  accepts: (value) =>
    has(value, 'duplicate', 'on') && (has(value, 'call') || has(value, 'sendCommand')),
}

const CHECKS: Readonly<Record<keyof ClusterOptions, Check>> = {
  client: CLIENT,
  prefix: {
    expected: 'a string that is not empty, without `{` and `}`',
    accepts: (value) => typeof value === 'string' && /^[^{}]+$/.test(value),
  },
  address: { expected: '', accepts: () => true },
  lease: duration(3_000, 300_000),
  cleanup: GROUP,
}

const CLEANUP_CHECKS: Readonly<Record<keyof CleanupOptions, Check>> = {
  concurrency: whole(1, 'releases'),
  rate: whole(1, 'releases'),
}

/** @throws FST_ERR_WSL_INVALID_OPTION */
export function resolveClusterOptions(options: ClusterOptions): ClusterSettings {
  refuseUnknown(options, Object.keys(CHECKS), '', WHERE)
  const { client, prefix, address, lease, cleanup } = read(options, CHECKS, '', WHERE)
  return {
    client: client ?? refuse('client', CLIENT, client, WHERE),
    prefix: prefix ?? CLUSTER_DEFAULTS.prefix,
    address: resolveAddress(address, WHERE),
    lease: lease ?? CLUSTER_DEFAULTS.lease,
    cleanup: {
      ...CLUSTER_DEFAULTS.cleanup,
      ...readGroup(cleanup, CLEANUP_CHECKS, 'cleanup', WHERE),
    },
  }
}

function has(value: unknown, ...names: string[]): boolean {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  return names.every((name) => typeof Reflect.get(value, name) === 'function')
}
