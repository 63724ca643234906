/** Raw peers that speak the link, as our client does: they confirm what they have received. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { frame, OPCODES } from './dialects.js'
import { end, HANDSHAKE } from './peers.js'
import type { Server } from './server.js'

const AT_ONCE = 100
/** After so many messages a peer confirms. */
const MOST_UNTOLD = 32
const MARK = 0

/** One peer, with a session if the server has them. */
export interface LinkedPeer {
  readonly socket: Socket
  /** What has come behind the welcome. */
  rest: Buffer
  received: number
}

/** @param isLinked whether it offers the link, and has a session then */
export async function openLinked(
  server: Server,
  count: number,
  isLinked: boolean,
): Promise<LinkedPeer[]> {
  const peers: LinkedPeer[] = []
  let left = count
  const opening = async (): Promise<void> => {
    while (left-- > 0) peers.push(await openOne(server, isLinked))
  }
  await Promise.all(Array.from({ length: AT_ONCE }, opening))
  return peers
}

async function openOne({ port, dialect }: Server, isLinked: boolean): Promise<LinkedPeer> {
  const socket = connect(port, '127.0.0.1').setNoDelay()
  const offer = isLinked ? 'Sec-WebSocket-Protocol: wsl.1\r\n' : ''
  socket.write(`GET ${dialect.path} HTTP/1.1\r\n${offer}${HANDSHAKE}`)
  const peer: LinkedPeer = { socket, rest: Buffer.alloc(0), received: 0 }
  for (let end = -1; end < 0; end = peer.rest.indexOf('\r\n\r\n')) await more(peer)
  peer.rest = peer.rest.subarray(peer.rest.indexOf('\r\n\r\n') + 4)
  if (!isLinked) return peer
  while (take(peer) === undefined) await more(peer)
  socket.write(frame(OPCODES.text, '\0a0'))
  return peer
}

async function more(peer: LinkedPeer): Promise<void> {
  const [data] = (await once(peer.socket, 'data')) as [Buffer]
  peer.rest = Buffer.concat([peer.rest, data])
}

/** Takes the next frame (of up to 125 bytes), if it is there. */
function take(peer: LinkedPeer): Buffer | undefined {
  const { rest } = peer
  if (rest.length < 2 || rest.length < 2 + rest.readUInt8(1)) return undefined
  const payload = rest.subarray(2, 2 + rest.readUInt8(1))
  peer.rest = rest.subarray(2 + payload.length)
  return payload
}

/**
 * Reads what has come, and confirms it.
 * @returns how many messages there were
 */
export function hear(peer: LinkedPeer, data: Buffer, isLinked: boolean): number {
  peer.rest = peer.rest.length === 0 ? data : Buffer.concat([peer.rest, data])
  const before = peer.received
  for (let payload = take(peer); payload !== undefined; payload = take(peer)) {
    if (payload[0] !== MARK) peer.received++
  }
  const isDue = Math.floor(peer.received / MOST_UNTOLD) > Math.floor(before / MOST_UNTOLD)
  if (isLinked && isDue) peer.socket.write(frame(OPCODES.text, `\0a${peer.received}`))
  return peer.received - before
}

export async function endLinked(peers: readonly LinkedPeer[]): Promise<void> {
  await end(peers.map(({ socket }) => socket))
}
