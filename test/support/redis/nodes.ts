import Fastify from 'fastify'
import { Claims } from '../../../lib/redis/claims.js'
import { connectRedis } from '../../../lib/redis/connect.js'
import type { Part } from '../../../lib/redis/here.js'
import { Names } from '../../../lib/redis/names.js'
import { Node } from '../../../lib/redis/node.js'
import type { Redis } from '../../../lib/redis/redis.js'
import { systemClock } from '../../../lib/time/clock.js'
import { type LogLine, logLines } from '../servers/log-lines.js'
import { type AppClient, CLIENTS, type Connect } from './clients.js'
import type { Cleanup } from './redis-server.js'

export const names: Names = new Names('wsl')

/** A node that writes down what it is told. It claims whatever it may, and has nothing to clean up. */
export interface TestNode {
  readonly node: Node
  readonly redis: Redis
  readonly claims: Claims
  readonly lines: readonly LogLine[]
  /** `write`, `fenced`, `cut off`, `leave`, `enter <id>`, `claimed <id>`. */
  readonly told: readonly string[]
  /** As often as that was told. */
  readonly count: (what: string) => number
}

export interface TestNodeOptions {
  /** In ms. */
  readonly lease: number
  readonly client?: AppClient
  readonly address?: string
  /** Called with each claim, before it is done. */
  readonly clean?: (dead: string, fence: number, claims: Claims) => Promise<void>
}

const connectClient = CLIENTS['ioredis 6'] as Connect

export async function startNode(
  t: Cleanup,
  port: number,
  { lease, client: given, address, clean }: TestNodeOptions,
  tell: (what: string) => void = () => {},
): Promise<TestNode> {
  const { client, quit } = given ?? (await connectClient(port))
  const { lines, fastify } = logLines()
  const { log } = Fastify(fastify)
  const redis = connectRedis(client, systemClock, log)
  const told: string[] = []
  const hear = (what: string): void => {
    told.push(what)
    tell(what)
  }
  const survive = async (dead: string, toldAt: number): Promise<void> => {
    const fence = await claims.claim(dead, toldAt)
    if (fence === undefined) return
    hear(`claimed ${dead}`)
    await clean?.(dead, fence, claims)
    if (await claims.done(dead, fence)) hear(`done ${dead}`)
  }
  const node = new Node({
    redis,
    names,
    clock: systemClock,
    log,
    lease,
    address,
    enter: async (id) => {
      await redis.subscribe(names.channelOf(id), () => {})
      hear(`enter ${id}`)
    },
    dead: (nodes, toldAt) => {
      for (const dead of nodes) {
        survive(dead, toldAt).catch((error: unknown) => hear(`failed ${String(error)}`))
      }
    },
  })
  const claims = new Claims(node, lease)
  node.add(recorder(hear))
  void node.start()
  t.after(async () => {
    await node.leave()
    await redis.close()
    quit()
  })
  return {
    node,
    redis,
    claims,
    lines,
    told,
    count: (what) => told.filter((each) => each === what).length,
  }
}

function recorder(hear: (what: string) => void): Part {
  return {
    writeAgain: () => hear('write'),
    fenced: () => hear('fenced'),
    cutOff: () => hear('cut off'),
    leave: async () => hear('leave'),
  }
}
