import type { FastifyInstance } from 'fastify'
import type { Cluster } from './cluster.js'

/** Where a plugin that makes this server one of several finds it. It is a bundle of its own, so it shares no module. */
const CLUSTER = Symbol.for('fastify-websocket-lifecycle.cluster')

export function addClusterDoor<Face extends object>(face: Face, cluster: Cluster): Face {
  return Object.defineProperty(face, CLUSTER, { value: cluster })
}

/** @param app an instance in whose context, or above it, the plugin is registered */
export function clusterOf(app: FastifyInstance): Cluster {
  return Reflect.get(app.websocketLifecycle, CLUSTER) as Cluster
}
