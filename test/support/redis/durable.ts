import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import Fastify from 'fastify'
import type { DurableRecord } from '../../../lib/api/cluster.js'
import type { DurableEntry, DurableHold, DurableRoute } from '../../../lib/cluster/cluster.js'
import type { LifecycleError } from '../../../lib/errors.js'
import type { DurableSettings } from '../../../lib/options/settings.js'
import { Cleanups } from '../../../lib/redis/cleanups.js'
import { Durable } from '../../../lib/redis/durable.js'
import { FakeClock } from '../time/fake-clock.js'
import { type HandMadeNode, handMadeNode } from './hand-made-node.js'
import { type RedisServer, startRedis } from './redis-server.js'

/** The defaults. */
export const LIMITS = { concurrency: 8, rate: 100 }

/** A route whose release is the test's. */
export function durableRoute(
  release: (record: DurableRecord) => unknown,
  settings: Partial<DurableSettings> = {},
): DurableRoute {
  return {
    url: '/chat',
    instance: Fastify(),
    settings: { name: '/chat', data: undefined, whenCutOff: 'continue', release, ...settings },
    cleanupTimeout: 1_000,
  }
}

let entries = 0

export function entryOf(route: DurableRoute, entry: Partial<DurableEntry> = {}): DurableEntry {
  return { id: `id-${++entries}`, route, openedAt: 1_700_000_000_000, data: null, ...entry }
}

/** Node `one`, which records, by a clock that stands still. */
export interface Recording {
  readonly server: RedisServer
  readonly clock: FakeClock
  readonly node: HandMadeNode
  readonly cleanups: Cleanups
  readonly durable: Durable
  /** Another client. */
  readonly looker: HandMadeNode
  /** What is in Redis of a node, by id. */
  readonly records: (of?: string) => Promise<Record<string, unknown>>
  readonly leave: () => Promise<void>
  readonly record: (entry: DurableEntry) => Promise<DurableHold>
}

export async function recording(t: TestContext): Promise<Recording> {
  const server = await startRedis(t)
  const clock = new FakeClock()
  const node = await handMadeNode(t, server.port, 'one', clock)
  const cleanups = new Cleanups(clock, node.log, LIMITS)
  const durable = new Durable(node, cleanups)
  const looker = await handMadeNode(t, server.port, 'looker')
  return {
    server,
    clock,
    node,
    cleanups,
    durable,
    looker,
    records: async (of = 'one') => {
      const words = (await looker.redis.command('HGETALL', node.names.durableOf(of))) as string[]
      const found: Record<string, unknown> = {}
      for (let i = 0; i < words.length; i += 2) found[words[i]!] = JSON.parse(words[i + 1]!)
      return found
    },
    leave: async () => {
      const left = durable.leave()
      left.catch(() => {})
      await clock.advance(5)
      return left
    },
    record: async (entry) => {
      const recording = durable.record(entry)
      recording.catch(() => {})
      await clock.advance(5)
      return recording
    },
  }
}

/** What it rejects with. */
export async function refusedBy(asked: Promise<unknown>): Promise<LifecycleError> {
  return asked.then(
    () => assert.fail('Expected a rejection'),
    (error: unknown) => error as LifecycleError,
  )
}
