import { within } from '../time/bound.js'
import { OPCODE, RawPeer } from './raw-peer.js'

/** Text frames, to be sent as one packet. */
export function texts(...payloads: string[]): Buffer[] {
  return payloads.map((payload) => RawPeer.frame(OPCODE.text, payload))
}

/** Resolves when the server has read all that was sent before; other frames are dropped. */
export async function roundTrip(peer: RawPeer): Promise<void> {
  peer.send(RawPeer.frame(OPCODE.ping))
  await within(peer.nextOf(OPCODE.pong), 'a pong')
}
