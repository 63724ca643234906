import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import type { ClusterNode } from '../cluster/cluster.js'
import { clusterOf } from '../cluster/door.js'
import { alreadyRegistered } from '../errors.js'
import { Listening } from '../facts/listening.js'
import type { ClusterOptions, WebsocketCluster } from './api.js'
import { Cleanups } from './cleanups.js'
import { connectRedis } from './connect.js'
import { Counts } from './counts.js'
import { Durable } from './durable.js'
import { Keeper } from './keeper.js'
import { checkGroups } from './keys.js'
import { GroupMembers } from './local-members.js'
import { Mail } from './mail.js'
import { Names } from './names.js'
import { Node } from './node.js'
import { resolveClusterOptions } from './options.js'
import { Pipe } from './pipe.js'
import { Places } from './places.js'
import { Presence } from './presence.js'
import { Requests } from './requests.js'
import { Survivor } from './survivor.js'

async function register(app: FastifyInstance, given: ClusterOptions): Promise<void> {
  const cluster = clusterOf(app)
  if (cluster.node !== undefined) {
    throw alreadyRegistered(
      'fastify-websocket-lifecycle/redis was registered on this server before: register it once',
    )
  }
  const { client, prefix, address, lease, cleanup } = resolveClusterOptions(given)
  const { log } = app
  const { clock } = cluster
  const redis = connectRedis(client, clock, log)
  const names = new Names(prefix)
  const node = new Node({
    redis,
    names,
    clock,
    log,
    lease,
    address,
    enter: async (id) => mail.hear(id),
    dead: (nodes, toldAt) => survivor.onDead(nodes, toldAt),
  })
  const mail = new Mail(node)
  const keeper = new Keeper(node)
  const presence = new Presence(node, keeper)
  const places = new Places(node, keeper, mail)
  const requests = new Requests(node, mail, new GroupMembers(app.websocketLifecycle), presence)
  const counts = new Counts(node, mail, app.websocketLifecycle)
  const cleanups = new Cleanups(clock, log, cleanup)
  const durable = new Durable(node, cleanups)
  const survivor = new Survivor({ here: node, cleanups, routes: cluster.durableRoutes }, lease)
  for (const part of [mail, keeper, durable, survivor]) node.add(part)
  const pipe = new Pipe(node)

  cluster.node = forKernel({ node, counts, durable, pipe, places, presence })
  app.decorate('websocketCluster', publicFace(app, node, requests))

  const listening = new Listening(app)
  listening.onEvent('drain.begun', () => {
    // Clients of other nodes come back through another one.
    pipe.cut()
    // Releases need what the app closes next.
    void survivor.leave()
  })
  app.addHook('onReady', async () => node.start())
  leaveBefore(app, node, async () => {
    listening.stop()
    await redis.close()
    cluster.node = undefined
  })
}

/**
 * The node leaves when the app closes, as soon as the drain is over. `onClose` may be called much later: when the server
 * has closed, so after the last request that was begun, also one of which only a half has come.
 * @param close called when it has left, and the server has closed
 */
function leaveBefore(app: FastifyInstance, node: Node, close: () => Promise<void>): void {
  let hasLeft: Promise<void> | undefined
  const leave = async (): Promise<void> => {
    // It has begun, and this is its report.
    await app.websocketLifecycle.drain()
    await node.leave()
  }
  app.addHook('preClose', async () => {
    hasLeft ??= leave()
  })
  app.addHook('onClose', async () => {
    await (hasLeft ??= leave())
    await close()
  })
}

interface Parts {
  readonly node: Node
  readonly counts: Counts
  readonly durable: Durable
  readonly pipe: Pipe
  readonly places: Places
  readonly presence: Presence
}

function forKernel({ node, counts, durable, pipe, places, presence }: Parts): ClusterNode {
  return {
    get id() {
      return node.id
    },
    checkGroups,
    groupFormed: (name) => presence.groupFormed(name),
    groupEmptied: (name) => presence.groupEmptied(name),
    record: async (entry) => durable.record(entry),
    takePlace: async (...place) => places.takePlace(...place),
    forward: (...upgrade) => pipe.forward(...upgrade),
    countOpen: async () => counts.countOpen(),
  }
}

function publicFace(app: FastifyInstance, node: Node, requests: Requests): WebsocketCluster {
  const { websocketLifecycle } = app
  return Object.freeze({
    get node() {
      return node.id
    },
    get fence() {
      return node.fence
    },
    get connected() {
      return node.isConnected
    },
    join: (who, ...keys) => {
      for (const key of keys) websocketLifecycle.group(key).add(who)
    },
    leave: (who, ...keys) => {
      for (const key of keys) websocketLifecycle.group(key).delete(who)
    },
    find: async (key) => requests.find(key),
    close: async (key, code, reason) => requests.close(key, code, reason),
    publish: async (key, message) => requests.publish(key, message),
  } satisfies WebsocketCluster)
}

/**
 * The plugin that makes this server one of several nodes. Register it once for each server, after
 * `fastify-websocket-lifecycle`.
 * @throws (rejects with) `FST_ERR_WSL_INVALID_OPTION`, `FST_ERR_WSL_ALREADY_REGISTERED`
 */
export const websocketCluster: FastifyPluginAsync<ClusterOptions> = fp(register, {
  name: 'fastify-websocket-lifecycle-redis',
  fastify: '5.x',
  dependencies: ['fastify-websocket-lifecycle'],
})
