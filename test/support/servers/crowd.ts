import type { TestContext } from 'node:test'
import type { Group, LifecycleSocket } from '../../../lib/index.js'
import { RawPeer } from '../peers/raw-peer.js'
import { type Observed, type OneRoute, serveOne } from './server.js'

/** A group, its members in the order in which they came, and who is at the other end of each. */
export interface Crowd extends Observed {
  readonly group: Group
  readonly peers: RawPeer[]
  readonly sockets: LifecycleSocket[]
  /** Opens one connection more. */
  readonly open: (headers?: Record<string, string>) => Promise<RawPeer>
}

/** A server with one route, whose connections are in the group `room`. */
export async function serveCrowd(
  t: TestContext,
  count: number,
  setup: OneRoute = {},
  headers: Record<string, string> = {},
): Promise<Crowd> {
  const observed = await serveOne(t, { ...setup, route: { groups: () => 'room', ...setup.route } })
  const { app, nextSocket, port } = observed
  const peers: RawPeer[] = []
  const sockets: LifecycleSocket[] = []
  const open = async (with_: Record<string, string> = headers): Promise<RawPeer> => {
    const peer = await RawPeer.open(port, '/', with_)
    peers.push(peer)
    sockets.push(await nextSocket())
    return peer
  }
  for (let i = 0; i < count; i++) await open()
  return { ...observed, group: app.websocketLifecycle.group('room'), peers, sockets, open }
}

/** The next texts that a peer gets. */
export async function texts(peer: RawPeer | undefined, count: number): Promise<string[]> {
  const heard: string[] = []
  while (heard.length < count) {
    const frame = await peer?.next()
    if (frame === undefined) break
    heard.push(frame.payload.toString())
  }
  return heard
}
