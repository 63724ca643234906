import { type Frame, OPCODE, type RawPeer } from './raw-peer.js'

/** The next frames of a peer, as texts. */
export async function take(peer: RawPeer, count: number): Promise<string[]> {
  const taken: string[] = []
  while (taken.length < count) {
    const each = await peer.next()
    if (each === undefined) break
    taken.push(told(each))
  }
  return taken
}

export function told({ opcode, payload }: Frame): string {
  if (opcode === OPCODE.ping) return `ping ${payload.toString()}`
  if (opcode === OPCODE.pong) return `pong ${payload.toString()}`
  return opcode === OPCODE.close ? `close ${payload.readUInt16BE()}` : payload.toString()
}

export function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i))
}
