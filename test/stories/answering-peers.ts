/**
 * Peers in a process of their own, on the port that it is given: each answers a close frame at once. When all have, there is
 * a file: whoever stands still sees that too.
 */
import { writeFileSync } from 'node:fs'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'

const [port, count] = process.argv.slice(2, 4).map(Number) as [number, number]
const [file = ''] = process.argv.slice(4)
const peers = await Promise.all(
  Array.from({ length: count }, async () => {
    const peer = await RawPeer.dial(port)
    return { peer, answer: await peer.answer() }
  }),
)
console.log(peers.filter(({ answer }) => answer.startsWith('HTTP/1.1 101')).length)
let answered = 0
for (const { peer } of peers) {
  void peer.nextOf(OPCODE.close).then((frame) => {
    if (frame === undefined) return
    peer.send(RawPeer.closeFrame(frame.payload.readUInt16BE()))
    if (++answered === count) writeFileSync(file, '')
  })
}
