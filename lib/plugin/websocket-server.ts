import type { IncomingMessage } from 'node:http'
import fastifyWebsocket from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import type { VerifyClientCallbackAsync, WebSocket } from 'ws'
import type { UpgradeListener } from '../admission/server-upgrades.js'
import { failHandshake, upgradeOf } from '../admission/upgrade.js'
import { ConnectionSocket } from '../connection/socket.js'
import { pieceBounds } from '../core/messages/pieces.js'
import type { WebsocketSettings } from '../options/settings.js'
import type { OursToSet } from '../platform/ws-options.js'
import { refuseOlderWs } from './ws-version.js'

/** ws's own close timer must never be the first: our sweep ends what does not end. */
const NEVER = 2 ** 31 - 1

/** What ws gets from us; @types/ws asks of a subclass what only ws itself exports. */
const OURS = {
  WebSocket: ConnectionSocket as never,
  autoPong: false,
  closeTimeout: NEVER,
} satisfies Partial<Record<OursToSet | 'autoPong', unknown>>

/**
 * Registers @fastify/websocket with our socket, and takes its listener off the server.
 * @param preClose what the app waits for when it closes
 * @returns that listener, which hands an upgrade to Fastify
 */
export async function registerWebsocket(
  app: FastifyInstance,
  websocket: WebsocketSettings,
  preClose: () => Promise<unknown>,
): Promise<UpgradeListener> {
  const before: ReadonlySet<unknown> = new Set(app.server.listeners('upgrade'))
  await app.register(fastifyWebsocket, {
    options: { ...pieceBounds(websocket.maxPayload), ...guardVerify(websocket), ...OURS },
    preClose: async () => void (await preClose()),
    // Each error is recorded where it is emitted; thrown ones never get as far as this.
    errorHandler: () => {},
  })
  await refuseOlderWs(app.websocketServer)
  const isTheirs = (listener: unknown): boolean => !before.has(listener)
  // Without one, this throws node's own error about a listener that is no function.
  const theirs = app.server.listeners('upgrade').find(isTheirs) as UpgradeListener
  app.server.removeListener('upgrade', theirs)
  app.websocketServer.on('headers', (lines, message) => {
    lines.push(...(upgradeOf(message)?.headers ?? []))
  })
  app.websocketServer.on('connection', (socket: WebSocket, message: IncomingMessage) => {
    if (socket instanceof ConnectionSocket) upgradeOf(message)?.open(socket)
  })
  return theirs
}

/** What ws goes on to do in the callback of an async `verifyClient` runs functions of the app, too. */
function guardVerify(websocket: WebsocketSettings): WebsocketSettings {
  const { verifyClient } = websocket
  // ws, too, tells by this how it is to be called.
  if (verifyClient?.length !== 2) return websocket
  const verify: VerifyClientCallbackAsync = verifyClient
  const guarded: VerifyClientCallbackAsync = (info, callback) =>
    verify.call(websocket, info, (...answer) => {
      try {
        callback(...answer)
      } catch (error) {
        failHandshake(info.req, error)
      }
    })
  return { ...websocket, verifyClient: guarded }
}

/** Completes a handshake of which no list of the app's is to know. */
export function acceptUpgrade(
  { websocketServer }: FastifyInstance,
  handshake: Parameters<UpgradeListener>,
  accepted: (socket: WebSocket) => void,
): void {
  websocketServer.handleUpgrade(...handshake, (socket) => {
    // ws has no list where the app has turned `clientTracking` off.
    const { clients }: { readonly clients?: Set<WebSocket> } = websocketServer
    clients?.delete(socket)
    accepted(socket)
  })
}
