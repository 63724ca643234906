import type { Socket } from 'node:net'
import { within } from '../time/bound.js'
import { until } from '../time/timed.js'
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

/** Resolves when the other side of a TCP connection has read all that was sent to it so far, or is gone. */
export async function allRead(sent: Socket, reader: Socket | undefined): Promise<void> {
  await until(
    () => reader === undefined || reader.destroyed || reader.bytesRead >= sent.bytesWritten,
  )
}
