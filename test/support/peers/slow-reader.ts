import { turns } from '../time/fake-clock.js'
import type { RawPeer } from './raw-peer.js'

/** Takes so many bytes from a peer's socket as it is told, and leaves the rest to the kernel. */
export class SlowReader {
  count = 0
  readonly #peer: RawPeer
  #wanted = 0

  constructor(peer: RawPeer) {
    this.#peer = peer
    peer.freeze()
    peer.socket.removeAllListeners('data')
    peer.socket.on('data', (data) => {
      this.count += data.length
      // libuv goes on reading within the same poll unless it is stopped here.
      if (this.count >= this.#wanted) peer.freeze()
    })
  }

  /** Reads `bytes` more, or what there is of them. */
  async read(bytes: number): Promise<void> {
    this.#wanted = this.count + bytes
    this.#peer.socket.resume()
    for (let turn = 0; this.count < this.#wanted && turn < 100; turn++) await turns(1)
    this.#peer.freeze()
  }
}
