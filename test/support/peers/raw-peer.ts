import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { constants, deflateRawSync } from 'node:zlib'
import {
  bytesOf,
  closeFrame,
  type Frame as WireFrame,
  frameOf,
  FrameReader,
  OPCODE,
} from '../../../lib/testing/frames.js'
import { sendReset } from './send-reset.js'

/** The handshake header of a peer that compresses. */
export const DEFLATE = { 'sec-websocket-extensions': 'permessage-deflate' } as const

export { OPCODE }

export type Frame = Pick<WireFrame, 'opcode' | 'payload'>

/**
 * A WebSocket client made of bytes: it does what it is told, and nothing by itself. It answers no
 * ping and echoes no close frame, and it can do to its TCP connection what peers do in the wild.
 */
export class RawPeer {
  readonly socket: Socket
  readonly #reader = new FrameReader()
  readonly #frames: Frame[] = []
  #wake: (() => void) | undefined
  #hasEnded = false

  private constructor(socket: Socket) {
    this.socket = socket
    // Each packet leaves when it is told to, and does not wait for the one before.
    socket.setNoDelay(true)
    socket.on('error', () => this.#end())
    socket.on('close', () => this.#end())
    socket.on('end', () => this.#end())
  }

  /** Opens a TCP connection and sends the handshake; does not wait for the answer. */
  static async dial(
    port: number,
    path = '/',
    headers: Record<string, string> = {},
  ): Promise<RawPeer> {
    return RawPeer.dialWith(port, RawPeer.handshake(port, path, headers))
  }

  /** Opens a TCP connection and sends what is no proper handshake, or more than one. */
  static async dialWith(port: number, ...packet: Array<string | Buffer>): Promise<RawPeer> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const peer = new RawPeer(socket)
    socket.write(Buffer.concat(packet.map((part) => Buffer.from(part as string))))
    return peer
  }

  /** Opens a WebSocket. */
  static async open(
    port: number,
    path = '/',
    headers: Record<string, string> = {},
  ): Promise<RawPeer> {
    const peer = await RawPeer.dial(port, path, headers)
    await peer.#expect101()
    return peer
  }

  static handshake(port: number, path: string, headers: Record<string, string> = {}): string {
    const all = {
      host: `127.0.0.1:${port}`,
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      ...headers,
    }
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
    return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
  }

  /** Handshakes over a stream that is connected already, such as one with TLS. */
  static async over(
    socket: Socket,
    port: number,
    path = '/',
    headers: Record<string, string> = {},
  ): Promise<RawPeer> {
    const peer = new RawPeer(socket)
    socket.write(RawPeer.handshake(port, path, headers))
    await peer.#expect101()
    return peer
  }

  /** A masked frame, as a client sends it. */
  static readonly frame = (opcode: number, payload: Buffer | string = '', isLast = true): Buffer =>
    isLast ? frameOf(opcode, payload) : bytesOf(opcode, payload)

  /** A frame with any first byte, right or wrong. */
  static readonly bytes = (first: number, payload: Buffer | string = '', isMasked = true): Buffer =>
    bytesOf(first, payload, isMasked)

  /** A text message, compressed as permessage-deflate has it (RFC 7692 §7.2.1). */
  static readonly deflated = (payload: Buffer | string): Buffer => {
    const data = deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH })
    return RawPeer.bytes(0xc0 | OPCODE.text, data.subarray(0, -4))
  }

  static readonly closeFrame: typeof closeFrame = closeFrame

  /** The HTTP answer up to the blank line, with the body of a refusal. Then frames are read. */
  async answer(): Promise<string> {
    const chunks: Buffer[] = []
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        this.socket.off('data', onData)
        this.socket.off('close', onClose)
        const text = Buffer.concat(chunks)
        const head = text.indexOf('\r\n\r\n')
        if (head < 0) return reject(new Error(`No whole answer: ${text.toString()}`))
        this.socket.on('data', (data) => this.#read(data))
        if (text.toString('latin1').startsWith('HTTP/1.1 101')) {
          this.#read(text.subarray(head + 4))
          resolve(text.subarray(0, head + 4).toString())
        } else resolve(text.toString())
      }
      const onData = (data: Buffer): void => {
        chunks.push(data)
        const text = Buffer.concat(chunks).toString('latin1')
        const end = text.indexOf('\r\n\r\n')
        if (end < 0) return
        const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0)
        if (text.startsWith('HTTP/1.1 101') || text.length >= end + 4 + length) finish()
      }
      const onClose = (): void => finish()
      this.socket.on('data', onData)
      this.socket.on('close', onClose)
    })
  }

  send(...frames: Buffer[]): void {
    this.socket.write(Buffer.concat(frames))
  }

  /** The next frame; `undefined` once the connection has ended and all were taken. */
  async next(): Promise<Frame | undefined> {
    while (this.#frames.length === 0 && !this.#hasEnded) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.#frames.shift()
  }

  /** The next frame of that kind; others before it are dropped. */
  async nextOf(opcode: number): Promise<Frame | undefined> {
    for (;;) {
      const frame = await this.next()
      if (frame === undefined || frame.opcode === opcode) return frame
    }
  }

  /** Resolves when the TCP connection has ended, in whatever way. */
  async ended(): Promise<void> {
    while (!this.#hasEnded) await this.next()
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** Stays connected and reads no more. */
  freeze(): void {
    this.socket.pause()
  }

  reset(): void {
    sendReset(this.socket)
  }

  /** A FIN; what the server sends can still be read. */
  finish(): void {
    this.socket.end()
  }

  destroy(): void {
    this.socket.destroy()
  }

  async #expect101(): Promise<void> {
    const answer = await this.answer()
    if (!answer.startsWith('HTTP/1.1 101')) throw new Error(`No 101: ${answer}`)
  }

  #read(data: Buffer): void {
    const frames = this.#reader.read(data)
    for (const { opcode, payload } of frames) this.#frames.push({ opcode, payload })
    if (frames.length > 0) this.#wake?.()
  }

  #end(): void {
    this.#hasEnded = true
    this.#wake?.()
  }
}
