import Fastify from 'fastify'
import type { DurableRoute } from '../../../lib/cluster/cluster.js'
import { Cleanups, type CleanupLimits } from '../../../lib/redis/cleanups.js'
import { Names } from '../../../lib/redis/names.js'
import type { Redis, Script } from '../../../lib/redis/redis.js'
import { CLAIM } from '../../../lib/redis/scripts/claim.js'
import { DONE } from '../../../lib/redis/scripts/done.js'
import { EXTEND } from '../../../lib/redis/scripts/extend.js'
import { Survivor } from '../../../lib/redis/survivor.js'
import type { Clock } from '../../../lib/time/clock.js'
import { logLines } from '../servers/log-lines.js'
import type { HandMadeNode } from './hand-made-node.js'
import { LIMITS } from './durable.js'

/** In ms. */
export const LEASE = 15_000
/** When a survivor has been told of dead nodes: for a hand-made one that is always just now. */
export const ALWAYS = 9e15

const names = new Names('wsl')

/** A node that may clean up after others. */
export interface Survived {
  readonly node: HandMadeNode
  readonly cleanups: Cleanups
  readonly survivor: Survivor
}

export function surviving(
  node: HandMadeNode,
  routes: readonly DurableRoute[],
  limits: CleanupLimits = LIMITS,
): Survived {
  const cleanups = new Cleanups(node.clock, node.log, limits)
  const byName = new Map(routes.map((route) => [route.settings.name, route]))
  const survivor = new Survivor({ here: node, cleanups, routes: byName }, LEASE)
  void node.redis.command('ZADD', names.nodes, ALWAYS + LEASE, node.id)
  return { node, cleanups, survivor }
}

/** Leaves behind what a node does that dies: records, the mark of a group, and a lease that was over long ago. */
export async function die(
  redis: Redis,
  node: string,
  records: Readonly<Record<string, string>>,
): Promise<void> {
  const entries = Object.entries(records)
  for (let at = 0; at < entries.length; at += 1_000) {
    await redis.command('HSET', names.durableOf(node), ...entries.slice(at, at + 1_000).flat())
  }
  await redis.command('SADD', names.keysOf(node), 'k:room')
  await redis.command('SADD', names.holdersOf('room'), node)
  await redis.command('HSET', names.info, node, '{}')
  await redis.command('ZADD', names.nodes, 1, node)
}

/** Many records of one name. */
export function recordsOf(count: number, name = '/chat'): Record<string, string> {
  const ids = Array.from({ length: count }, (_, at) => `r${at}`)
  return Object.fromEntries(ids.map((id) => [id, textOf(name)]))
}

export function textOf(name: string): string {
  return JSON.stringify({ name, openedAt: 1_700_000_000_000, data: { user: 1 }, fence: 1 })
}

/** Dead nodes that are not cleaned yet, those that are, and all keys that Redis has of nodes that are not hand-made. */
export async function leftIn(
  redis: Redis,
): Promise<{ dead: string[]; cleaned: string[]; keys: string[] }> {
  const lua = `return {
    redis.call('ZRANGEBYSCORE', KEYS[1], '(0', '+inf'),
    redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(0'),
    redis.call('KEYS', '*'),
  }`
  const answer = await redis.run({ lua }, [names.dead])
  const [dead, cleaned, keys] = answer as [string[], string[], string[]]
  const others = Number(await redis.command('ZCOUNT', names.nodes, '-inf', `(${ALWAYS}`))
  const found = others === 0 ? keys.filter((key) => key !== names.nodes) : keys
  return { dead, cleaned, keys: found.toSorted() }
}

type Command = (...args: ReadonlyArray<string | number>) => unknown

async function rejects(): Promise<never> {
  throw new Error('Expected nobody to call it')
}

/** A Redis with one dead node, of which all is quick and known. Commands may be replaced; scripts by their names. */
export class ScriptedRedis implements Redis {
  readonly countsHearers = true
  readonly records: Map<string, string>
  readonly commands: Record<string, Command>
  readonly publish = rejects
  readonly subscribe = rejects
  readonly unsubscribe = rejects
  readonly close = rejects

  constructor(records: Readonly<Record<string, string>>) {
    this.records = new Map(Object.entries(records))
    let ids: string[] = []
    this.commands = {
      CLAIM: () => '5',
      EXTEND: () => 1,
      DONE: () => 1,
      SET: () => 'OK',
      SSCAN: () => ['0', []],
      HDEL: (id) => Number(this.records.delete(String(id))),
      HSCAN: (cursor, _count, count) => {
        if (cursor === '0') ids = [...this.records.keys()]
        const from = Number(cursor)
        const to = from + Number(count)
        const page = ids.slice(from, to).flatMap((id) => [id, this.records.get(id) ?? ''])
        return [to < ids.length ? String(to) : '0', page]
      },
    }
  }

  async run(script: Script): Promise<unknown> {
    const [name] = Object.entries({ CLAIM, EXTEND, DONE }).find(([, each]) => each === script) ?? []
    return this.commands[name ?? '']?.()
  }

  async command(
    name: string,
    _key: string,
    ...args: ReadonlyArray<string | number>
  ): Promise<unknown> {
    return this.commands[name]?.(...args)
  }

  onReconnect(): void {}
}

/** A survivor with such a Redis. */
export function survivingAlone(
  redis: Redis,
  clock: Clock,
  route: DurableRoute,
  limits: CleanupLimits,
): Survived {
  const { lines, fastify } = logLines()
  const about = { id: 'one', fence: 1, isConnected: true, names, clock, redis }
  return surviving({ ...about, log: Fastify(fastify).log, lines }, [route], limits)
}
