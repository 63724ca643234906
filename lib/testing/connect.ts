import type { ParsingPeerOptions, Peer, PeerOptions, PeerTarget } from './api.js'
import { endWith, forget } from './endings.js'
import { shakeHands } from './handshake.js'
import { SocketPeer, type Read } from './peer.js'
import { LONG } from './wait.js'
import { find } from './where.js'

/**
 * Connects to an app, over a real socket on loopback. An app that does not listen yet is made to, on a free port. A
 * peer of an app ends with it: after `app.close()` nothing of it is left.
 * @param path with its query; by default that of the URL, or `/`
 * @throws (rejects with) `UpgradeRefusedError`, which has status, headers and body; an error of the socket; or an error
 * if no answer comes in time
 */
export async function connect(
  target: PeerTarget,
  path?: string,
  options?: PeerOptions,
): Promise<Peer>
export async function connect<Message>(
  target: PeerTarget,
  path: string | undefined,
  options: ParsingPeerOptions<Message>,
): Promise<Peer<Message>>
export async function connect(
  target: PeerTarget,
  path?: string,
  options: PeerOptions | ParsingPeerOptions<unknown> = {},
): Promise<Peer<unknown>> {
  const where = await find(target)
  const { timeout = LONG } = options
  const opened = await shakeHands(where, path ?? where.path, options, timeout)
  const peer = new SocketPeer(opened, timeout, readOf(options))
  const { server } = where
  if (server !== undefined) {
    const end = (): void => peer.reset()
    endWith(server, end)
    opened.socket.on('close', () => forget(server, end))
  }
  return peer
}

function readOf(options: PeerOptions | ParsingPeerOptions<unknown>): Read<unknown> {
  if (!('parse' in options)) return (data) => data
  const { parse } = options
  return (data) => parse(data.toString())
}
