import { OPCODE, RawPeer } from '../peers/raw-peer.js'
import type { Connected } from '../servers/server.js'

type Ends = Readonly<Record<string, (connected: Connected) => unknown>>

/** Ways in which a connection ends that the app has not asked for, each with a peer that keeps to the protocol as far as it can. */
export const OTHERS_ENDS: Ends = {
  "the peer's close frame": ({ peer }) => peer.send(RawPeer.closeFrame(4000)),
  'a FIN': ({ peer }) => peer.finish(),
  'a RST': ({ peer }) => peer.reset(),
  'a protocol error': ({ peer }) => peer.send(RawPeer.bytes(0x83, 'x')),
  'a time limit': async ({ peer, socket }) => {
    socket.expireAt(Date.now() - 1)
    await peer.nextOf(OPCODE.close)
    peer.send(RawPeer.closeFrame(3000))
  },
}

/** Those that it has. */
export const OUR_ENDS: Ends = {
  'our close()': async ({ peer, socket }) => {
    socket.close(1000)
    await peer.nextOf(OPCODE.close)
    peer.send(RawPeer.closeFrame(1000))
  },
  'our terminate()': ({ socket }) => socket.terminate(),
}

export const ENDS: Ends = { ...OTHERS_ENDS, ...OUR_ENDS }
