// A process that records and cleans up, as a server would; its connections are only ids. See cleaners.ts.
import { appendFileSync, existsSync, writeFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import type { DurableHold, DurableRoute } from '../../../lib/cluster/cluster.js'
import { Cleanups } from '../../../lib/redis/cleanups.js'
import { connectRedis } from '../../../lib/redis/connect.js'
import { Durable } from '../../../lib/redis/durable.js'
import { Names } from '../../../lib/redis/names.js'
import { Node } from '../../../lib/redis/node.js'
import { Survivor } from '../../../lib/redis/survivor.js'
import { systemClock } from '../../../lib/time/clock.js'
import type { Asked, Setup, Told } from './cleaners.js'

const { port, file, lease, delay, limits, fate } = JSON.parse(process.argv[2]!) as Setup
const client = new Redis(port)
client.on('error', () => {})
const clock = systemClock
const instance = Fastify()
const { log } = instance
const redis = connectRedis(client, clock, log)
const names = new Names('wsl')
const node = new Node({
  redis,
  names,
  clock,
  log,
  lease,
  address: undefined,
  enter: async () => {},
  dead: (nodes, toldAt) => survivor.onDead(nodes, toldAt),
})
const cleanups = new Cleanups(clock, log, limits)
const durable = new Durable(node, cleanups)
const route: DurableRoute = {
  url: '/chat',
  instance,
  settings: {
    name: '/chat',
    data: undefined,
    whenCutOff: 'continue',
    async release({ id, fence }) {
      await wait(delay)
      // Whatever becomes of this process, this was done.
      appendFileSync(file, `${id} ${node.id} ${fence}\n`)
      if (++released === 20) meetFate()
    },
  },
  cleanupTimeout: 10_000,
}
const survivor = new Survivor({ here: node, cleanups, routes: new Map([['/chat', route]]) }, lease)
for (const part of [durable, survivor]) node.add(part)

let released = 0

/** By itself: whoever looks on from another process may come when it has done all. */
function meetFate(): void {
  if (fate === undefined || existsSync(`${file}.fate`)) return
  writeFileSync(`${file}.fate`, node.id)
  if (fate === 'leave') void node.leave().then(() => process.exit())
  else process.kill(process.pid, fate)
}

function tell(told: Told): void {
  process.send?.(told)
}

const holds: DurableHold[] = []

process.on('message', ({ record, end }: Asked) => {
  if (end === true) for (const hold of holds.splice(0)) void hold.release()
  if (record !== undefined) void recordAll(record)
})

async function recordAll(ids: readonly string[]): Promise<void> {
  // It is not while this machine stands still, and somewhat longer.
  while (!node.isConnected) await wait(10)
  const recorded = await Promise.allSettled(
    ids.map(async (id) => {
      const hold = await durable.record({ id, route, openedAt: clock.wall(), data: null })
      holds.push(hold)
      hold.opened({ end: () => void hold.release().then(() => tell({ ended: id })) })
    }),
  )
  tell({ recorded: ids.filter((_, at) => recorded[at]?.status === 'fulfilled') })
}

void node.start()
setInterval(() => {
  if (node.fence > 0) tell({ id: node.id })
}, 50)
