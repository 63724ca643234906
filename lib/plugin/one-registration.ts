import type { Server } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { UpgradeListener } from '../admission/server-upgrades.js'
import { alreadyRegistered } from '../errors.js'

/** Servers that have our plugin. There may be one for each server, at the root or in a child. */
const taken = new WeakSet<Server>()

/** How to fix it. The user may not have written the other registration. */
const MEND =
  'remove that registration; or, where a plugin has made it because it was missing (mercurius does), register fastify-websocket-lifecycle before that plugin'

/** Notes that this server has our plugin, until {@link giveBackServer}. */
export function takeServer(server: Server): void {
  taken.add(server)
}

export function giveBackServer(server: Server): void {
  taken.delete(server)
}

/**
 * @throws FST_ERR_WSL_ALREADY_REGISTERED if this plugin, or a bare @fastify/websocket, is registered already
 */
export function refuseSecond(app: FastifyInstance): void {
  if (taken.has(app.server)) {
    throw alreadyRegistered(
      'fastify-websocket-lifecycle was registered on this server before: register it once, at the root or in the one child that holds all WebSocket routes',
    )
  }
  if (app.hasDecorator('websocketServer')) {
    throw alreadyRegistered(
      `@fastify/websocket was registered before fastify-websocket-lifecycle, which registers it itself: ${MEND}, and pass its ws options as \`websocket\``,
    )
  }
}

/**
 * Looks once more when the app is ready. A bare @fastify/websocket in a sibling plugin could not be seen when
 * we were registered.
 * @param ours the listener of the @fastify/websocket that we have registered
 * @throws FST_ERR_WSL_ALREADY_REGISTERED
 */
export function refuseSibling({ server }: FastifyInstance, ours: UpgradeListener): void {
  // Each registration has its own listener, but all have the same source.
  if (!server.listeners('upgrade').some((listener) => String(listener) === String(ours))) return
  throw alreadyRegistered(
    `@fastify/websocket was registered in another plugin of this server, beside fastify-websocket-lifecycle, which registers it itself: ${MEND}, and register this plugin where its routes see it too`,
  )
}
