import { connect, type Socket } from 'node:net'
import { bytesOf, closeFrame, FrameReader, frameOf, OPCODE } from '../../../lib/testing/frames.js'
import { reset } from '../../../lib/platform/reset.js'
import { RawPeer } from '../peers/raw-peer.js'
import type { Garbage } from './kernel-commands.js'

/** What is no protocol, as bytes. */
const GARBAGE_BYTES: Readonly<Record<Garbage, Buffer>> = {
  opcode: bytesOf(0x83, 'x'),
  unmasked: bytesOf(0x81, 'x', false),
  text: frameOf(OPCODE.text, Buffer.from([0xc3, 0x28])),
  fragment: frameOf(OPCODE.continuation, 'x'),
  'control frame': bytesOf(OPCODE.ping, 'x'),
  'close code': closeFrame(1006),
  // The head of a frame that claims 2 GiB.
  'too big': Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0x80, 0, 0, 0, 1, 2, 3, 4]),
}

/** A client that answers pings and close frames as long as it is well, and can be looked at while it connects. */
export class KernelPeer {
  readonly socket: Socket
  /** The messages that it has read. */
  readonly messages: string[] = []
  /** What it has read of the server's close frame. */
  closedWith: number | undefined
  pongs = 0
  hasEnded = false
  isFrozen = false
  isDeaf = false
  /**
   * When the first ping came that it has not answered; a byte of its own makes up for it. `-Infinity` where it has
   * not seen when one came.
   */
  unansweredSince: number | undefined
  readonly #now: () => number
  readonly #reader = new FrameReader()
  #head: Buffer | undefined = Buffer.alloc(0)
  #answer = ''
  #hasSentClose = false
  /** When it last finished what it had begun. */
  finishedAt = 0
  /** The rest of a frame that it has begun to send. */
  #rest: Buffer | undefined

  constructor(port: number, path: string, headers: Record<string, string>, now: () => number) {
    this.#now = now
    this.socket = connect(port, '127.0.0.1')
    this.socket.setNoDelay(true)
    this.socket.on('data', (bytes) => this.#take(bytes))
    this.socket.on('error', () => {})
    this.socket.on('end', () => {
      this.hasEnded = true
    })
    this.socket.on('close', () => {
      this.hasEnded = true
    })
    this.socket.write(RawPeer.handshake(port, path, headers))
  }

  /** The status of the answer, and for a refusal the code of its error. */
  get answer(): string | undefined {
    const [, status] = /^HTTP\/1.1 (\d+)/.exec(this.#answer) ?? []
    if (status === undefined || status === '101') return status
    const [, code = ''] = /FST_ERR_WSL_(\w+)/.exec(this.#answer) ?? []
    return `${status} ${code}`.trimEnd()
  }

  /** Whether it can still say something. */
  get isWell(): boolean {
    return !this.hasEnded && this.socket.writable && !this.#hasSentClose
  }

  /** Since when it owes an answer, where it has seen when the ping came. */
  get owesSince(): number {
    const { unansweredSince = -Infinity } = this
    return unansweredSince > -Infinity ? unansweredSince : Infinity
  }

  say(text: string): void {
    this.#write(frameOf(OPCODE.text, text))
  }

  /** Sends a message but for its last bytes, which come before whatever it says next. */
  sayHalf(text: string): void {
    const bytes = frameOf(OPCODE.text, text)
    this.#write(bytes.subarray(0, 7))
    this.#rest = bytes.subarray(7)
  }

  get isHalfWay(): boolean {
    return this.#rest !== undefined
  }

  ping(): void {
    this.#write(frameOf(OPCODE.ping, 'p'))
  }

  close(code: number): void {
    this.#hasSentClose = true
    this.#write(closeFrame(code === 1005 ? undefined : code))
  }

  sendGarbage(garbage: Garbage): void {
    this.#write(GARBAGE_BYTES[garbage])
  }

  drop(): void {
    this.socket.end()
  }

  reset(): void {
    reset(this.socket)
  }

  freeze(): void {
    this.isFrozen = true
    this.unansweredSince ??= -Infinity
    this.socket.pause()
  }

  thaw(): void {
    this.isFrozen = false
    this.socket.resume()
  }

  #write(bytes: Buffer): void {
    if (!this.socket.writable) return
    if (this.#rest !== undefined) {
      this.socket.write(this.#rest)
      this.#rest = undefined
      this.finishedAt = this.#now()
    }
    this.socket.write(bytes)
    this.unansweredSince = this.isFrozen ? -Infinity : undefined
  }

  #take(bytes: Buffer): void {
    if (this.#head === undefined) return this.#read(bytes)
    this.#head = Buffer.concat([this.#head, bytes])
    this.#answer = this.#head.toString('latin1')
    const end = this.#head.indexOf('\r\n\r\n')
    if (end < 0 || !this.#answer.startsWith('HTTP/1.1 101')) return
    const rest = this.#head.subarray(end + 4)
    this.#answer = this.#answer.slice(0, end)
    this.#head = undefined
    if (rest.length > 0) this.#read(rest)
  }

  #read(bytes: Buffer): void {
    for (const { opcode, payload } of this.#reader.read(bytes)) {
      if (opcode === OPCODE.text) this.messages.push(payload.toString().trimEnd())
      else if (opcode === OPCODE.pong) this.pongs++
      else if (opcode === OPCODE.ping) this.#pinged(payload)
      else if (opcode === OPCODE.close) this.#closed(payload)
    }
  }

  #pinged(payload: Buffer): void {
    // The app's own ping is empty, and asks for no answer.
    if (this.isDeaf && payload.length > 0) this.unansweredSince ??= this.#now()
    else if (!this.isDeaf) this.#write(frameOf(OPCODE.pong, payload))
  }

  #closed(payload: Buffer): void {
    this.closedWith = payload.length < 2 ? 1005 : payload.readUInt16BE()
    if (this.isDeaf || this.#hasSentClose) return
    this.#hasSentClose = true
    this.#write(frameOf(OPCODE.close, payload.subarray(0, 2)))
  }
}
