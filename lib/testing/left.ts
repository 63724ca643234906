import type { Server } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { WebsocketLifecycle } from '../api/lifecycle.js'
import type { LifecycleSession } from '../api/session.js'
import type { LifecycleSocket } from '../api/socket.js'
import { factsOf } from '../facts/door.js'
import { nextTurn } from '../platform/real-time.js'
import { clockOf } from '../time/door.js'
import { HandClock } from './hand-clock.js'
import { Patience } from './wait.js'

/** How long what is ending may take, in ms. */
const TIMEOUT = 1_000

/** What `nothingLeft()` needs of an app: any Fastify instance with the plugin is one. */
export interface LifecycleApp {
  readonly server: Server
  readonly websocketLifecycle: WebsocketLifecycle
}

/** Something of an app's connections is left. */
export class SomethingLeftError extends Error {
  /** A line for each. */
  readonly left: readonly string[]

  constructor(left: readonly string[]) {
    super(`Expected nothing to be left, got:\n- ${left.join('\n- ')}`)
    this.name = 'SomethingLeftError'
    this.left = left
  }
}

/**
 * That nothing of an app's connections is left: no connection or session (they are there until their last release has
 * run), no upgrade that is not decided, no group with members. After `app.close()` also no timer of the plugin, if it
 * has a manual clock. What is just ending has a second of real time, in which the event loop goes on: one turn of it counts
 * for 100 ms at most.
 * @param app the instance on which the plugin is registered, or a child of it
 * @param options.timeout how long what is ending may take, in ms of real time; 1_000 by default
 * @throws (rejects with) SomethingLeftError
 */
export async function nothingLeft(
  app: LifecycleApp,
  { timeout = TIMEOUT }: { readonly timeout?: number } = {},
): Promise<void> {
  const patience = new Patience(timeout)
  let left = leftOf(app)
  while (left.length > 0 && !patience.isOver()) {
    await nextTurn()
    left = leftOf(app)
  }
  if (left.length > 0) throw new SomethingLeftError(left)
}

function leftOf(app: LifecycleApp): string[] {
  const { groups } = app.websocketLifecycle
  const { connections, upgrades } = factsOf(app as LifecycleApp & FastifyInstance).registry
  const left = Array.from(connections, ({ face }) => lineOf(app, face))
  if (upgrades.size > 0) {
    left.push(`upgrades that are not decided, or whose releases still run: ${upgrades.size}`)
  }
  for (const [name, { size }] of groups) left.push(`the group ${name}, members: ${size}`)
  const clock = clockOf(app)
  const isOver = app.websocketLifecycle.draining && !app.server.listening
  if (clock instanceof HandClock && isOver && clock.pending > 0) {
    left.push(`timers of the plugin: ${clock.pending}`)
  }
  return left
}

function lineOf(app: LifecycleApp, face: LifecycleSocket | LifecycleSession): string {
  const { id, route, state, session, inbox } = app.websocketLifecycle.describe(face)
  const what = session === undefined ? 'the connection' : 'the session'
  const why = state === 'ending' ? ': its messages, hooks or releases are not done' : ''
  const waiting = inbox.messages > 0 ? `, messages to handle: ${inbox.messages}` : ''
  return `${what} ${id} on ${route}, ${state}${why}${waiting}`
}
