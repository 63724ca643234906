import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { FIN, LENGTH_FOLLOWS, LONG_LENGTH_FOLLOWS, RSV1 } from '../../../lib/core/frame.js'
import { within } from '../time/bound.js'
import { RawPeer } from './raw-peer.js'

/** A frame of a server, with all that its header says. */
export interface ServerFrame {
  readonly isLast: boolean
  readonly isCompressed: boolean
  readonly opcode: number
  readonly payload: Buffer
}

/** So many chunks are written before the loop turns once. */
const CHUNKS_A_TURN = 64

/**
 * A client that knows nothing of the protocol but how frames begin and end: it writes what it is given, in chunks of
 * any size, and keeps all that comes.
 */
export class WirePeer {
  readonly socket: Socket
  /** All frames that have come. */
  readonly frames: ServerFrame[] = []
  /** The answer to the handshake, up to the blank line. */
  head = ''
  hasEnded = false
  #chunks: Buffer[] = []
  #held = 0
  /** Nothing can be read of less. */
  #wanted = 2
  #wake: (() => void) | undefined

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (data: Buffer) => this.#read(data))
    // Whose line is reset has ended as well.
    socket.on('error', () => {})
    socket.on('close', () => {
      this.hasEnded = true
      this.#wake?.()
    })
  }

  /** What has come before the first frame: the answer, also where it is no whole one. */
  get text(): string {
    return this.head === '' ? Buffer.concat(this.#chunks).toString('latin1') : this.head
  }

  /** Only connects. */
  static async dial(port: number): Promise<WirePeer> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    await once(socket, 'connect')
    return new WirePeer(socket)
  }

  /** Opens a WebSocket. */
  static async open(
    port: number,
    path: string,
    headers: Record<string, string> = {},
  ): Promise<WirePeer> {
    const peer = await WirePeer.dial(port)
    peer.socket.write(RawPeer.handshake(port, path, headers))
    await peer.#until(() => peer.head !== '', 'a 101')
    if (!peer.head.startsWith('HTTP/1.1 101')) throw new Error(`Expected a 101, got ${peer.head}`)
    return peer
  }

  /** Writes in chunks of this size. */
  async write(bytes: Buffer, size: number = bytes.length): Promise<void> {
    for (let at = 0, count = 1; at < bytes.length; at += size, count++) {
      if (this.socket.writable) this.socket.write(bytes.subarray(at, at + size))
      if (count % CHUNKS_A_TURN === 0) await turn()
    }
  }

  /** Waits for so many frames, or for the end. */
  async came(count: number): Promise<void> {
    await this.#until(() => this.frames.length >= count, `${count} frames`)
  }

  /** Waits for the end, or for a close frame. */
  async closeCame(): Promise<void> {
    await this.#until(() => this.frames.at(-1)?.opcode === 8, 'a close frame')
  }

  async ended(): Promise<void> {
    await this.#until(() => false, 'the end')
  }

  async #until(holds: () => boolean, what: string): Promise<void> {
    while (!holds() && !this.hasEnded) {
      const came = new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      await within(came, `${what} after ${this.head} and ${this.frames.length} frames`, 20_000)
    }
  }

  #read(data: Buffer): void {
    this.#chunks.push(data)
    this.#held += data.length
    if (this.#held < this.#wanted) return
    let rest: Buffer = Buffer.concat(this.#chunks)
    if (this.head === '') {
      const end = rest.indexOf('\r\n\r\n')
      if (end >= 0) {
        this.head = rest.subarray(0, end + 4).toString('latin1')
        rest = rest.subarray(end + 4)
      }
    }
    if (this.head.startsWith('HTTP/1.1 101')) rest = this.#cut(rest)
    this.#chunks = [rest]
    this.#held = rest.length
    this.#wake?.()
  }

  /** @returns what is no whole frame yet */
  #cut(bytes: Buffer): Buffer {
    let rest = bytes
    for (;;) {
      const short = (rest[1] ?? 0) & 0x7f
      const head = short === LENGTH_FOLLOWS ? 4 : short === LONG_LENGTH_FOLLOWS ? 10 : 2
      this.#wanted = Math.max(2, head)
      if (rest.length < head) return rest
      const length =
        head === 2 ? short : head === 4 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2))
      this.#wanted = head + length
      if (rest.length < head + length) return rest
      const first = Number(rest[0])
      this.frames.push({
        isLast: (first & FIN) !== 0,
        isCompressed: (first & RSV1) !== 0,
        opcode: first & 0x0f,
        payload: rest.subarray(head, head + length),
      })
      rest = rest.subarray(head + length)
    }
  }
}
