import type { FastifyInstance } from 'fastify'
import type { Facts } from './facts.js'

/**
 * Where the subpaths of this package find the facts of a server: each of them is a bundle of its own, so it
 * shares no module with the plugin.
 */
const FACTS = Symbol.for('fastify-websocket-lifecycle.facts')

export function addDoor<Face extends object>(face: Face, facts: Facts): Face {
  return Object.defineProperty(face, FACTS, { value: facts })
}

/** @param app an instance in whose context, or above it, the plugin is registered */
export function factsOf(app: FastifyInstance): Facts {
  return Reflect.get(app.websocketLifecycle, FACTS) as Facts
}
