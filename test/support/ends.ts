import { OPCODE, RawPeer } from './raw-peer.js'
import type { Connected } from './server.js'

/** Ways in which a connection ends, each with a peer that keeps to the protocol as far as it can. */
export const ENDS: Readonly<Record<string, (connected: Connected) => unknown>> = {
  "the peer's close frame": ({ peer }) => peer.send(RawPeer.closeFrame(4000)),
  'a FIN': ({ peer }) => peer.finish(),
  'a RST': ({ peer }) => peer.reset(),
  'our close()': async ({ peer, socket }) => {
    socket.close(1000)
    await peer.nextOf(OPCODE.close)
    peer.send(RawPeer.closeFrame(1000))
  },
  'our terminate()': ({ socket }) => socket.terminate(),
}
