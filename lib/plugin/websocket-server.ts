import type { IncomingMessage } from 'node:http'
import fastifyWebsocket from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import type { VerifyClientCallbackAsync, WebSocket } from 'ws'
import type { UpgradeListener } from '../admission/server-upgrades.js'
import { answerOffer } from '../admission/take-offer.js'
import { failHandshake, upgradeOf } from '../admission/upgrade.js'
import { ConnectionSocket } from '../connection/socket.js'
import { pieceBounds } from '../core/messages/pieces.js'
import type { WebsocketSettings } from '../options/settings.js'
import type { OursToSet } from '../platform/ws-options.js'
import { refuseOlderWs } from './ws-version.js'

/**
 * The timeout of ws's own close timer, in ms. It must never be the first: our sweep ends connections in time.
 */
const NEVER = 2 ** 31 - 1

/**
 * The options of ws that we set. The cast is there because @types/ws expects things of a subclass that only
 * ws itself exports.
 */
const OURS = {
  WebSocket: ConnectionSocket as never,
  autoPong: false,
  closeTimeout: NEVER,
} satisfies Partial<Record<OursToSet | 'autoPong', unknown>>

/**
 * Registers @fastify/websocket with our socket class, and takes its listener off the server.
 * @param preClose awaited when the app closes
 * @returns that listener, which gives an upgrade to Fastify
 * @throws (rejects with) FST_ERR_WSL_WS_VERSION
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
    // Our connection records each error when it is emitted. Thrown errors never get here.
    errorHandler: () => {},
  })
  await refuseOlderWs(app.websocketServer)
  const isTheirs = (listener: unknown): boolean => !before.has(listener)
  // If there is none, this throws node's own error about a listener that is no function.
  const theirs = app.server.listeners('upgrade').find(isTheirs) as UpgradeListener
  app.server.removeListener('upgrade', theirs)
  app.websocketServer.on('headers', (lines, message) => {
    const upgrade = upgradeOf(message)
    lines.push(...(upgrade?.headers ?? []))
    if (upgrade?.offer) answerOffer(lines, upgrade.offer)
  })
  app.websocketServer.on('connection', (socket: WebSocket, message: IncomingMessage) => {
    if (socket instanceof ConnectionSocket) upgradeOf(message)?.open(socket)
  })
  return theirs
}

/**
 * Guards an async `verifyClient`: its callback continues the handshake in ws, which calls functions of the
 * app too.
 */
function guardVerify(websocket: WebsocketSettings): WebsocketSettings {
  const { verifyClient } = websocket
  // ws also looks at the number of arguments, to know how to call it.
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

/** Completes a handshake. The socket is in no list that the app can see. */
export function acceptUpgrade(
  { websocketServer }: FastifyInstance,
  handshake: Parameters<UpgradeListener>,
  accepted: (socket: WebSocket) => void,
): void {
  websocketServer.handleUpgrade(...handshake, (socket) => {
    // ws has no list if the app has turned `clientTracking` off.
    const { clients }: { readonly clients?: Set<WebSocket> } = websocketServer
    clients?.delete(socket)
    accepted(socket)
  })
}
