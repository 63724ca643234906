import type { IncomingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import { CODE_BYTES } from '../core/frame.js'
import { Deferred } from '../platform/deferred.js'
import { reset } from '../platform/reset.js'
import type { Peer, PeerClose } from './api.js'
import { Flow } from './flow.js'
import { closeFrame, type Frame, frameOf, FrameReader, OPCODE } from './frames.js'
import type { Opened } from './handshake.js'
import { History, pictureOf } from './picture.js'
import { inTime, LATE } from './wait.js'

/** What the app of a test gets of a message. */
export type Read<Message> = (data: string | Buffer) => Message

/** The codes of a close frame without a code, and of none (RFC 6455 §7.4.1). */
const EMPTY = 1005
const NONE = 1006

/** Somebody who waits for a message. */
type Waiter = Deferred<string | Buffer | undefined>

/** A client on a socket that has had its 101. */
export class SocketPeer<Message> implements Peer<Message> {
  readonly socket: Socket
  readonly headers: IncomingHttpHeaders
  timeout: number
  readonly #read: Read<Message>
  readonly #flow: Flow
  readonly #frames = new FrameReader()
  /** The parts of a message that is not whole. */
  #parts: Frame[] = []
  readonly #messages: Array<string | Buffer> = []
  readonly #waiters = new Set<Waiter>()
  readonly #history = new History()
  /** The server's close frame. */
  #received: { readonly code: number; readonly reason: string } | undefined
  #hasSentClose = false
  #isDeaf = false
  #isFrozen = false
  #close: PeerClose | undefined
  readonly #closed = new Deferred<PeerClose>()

  constructor({ socket, headers, head }: Opened, timeout: number, read: Read<Message>) {
    this.socket = socket
    this.headers = headers
    this.timeout = timeout
    this.#read = read
    // Each frame leaves when it is told to, and does not wait for the one before.
    socket.setNoDelay(true)
    this.#flow = new Flow(socket, {
      take: (bytes) => this.#take(bytes),
      ended: () => {},
      closed: (error) => this.#over(error),
    })
    this.#take(head)
  }

  get protocol(): string {
    return this.headers['sec-websocket-protocol'] ?? ''
  }

  get closed(): Promise<PeerClose> {
    return this.#untilClosed()
  }

  send(data: string | Uint8Array): void {
    this.sendRaw(frameOf(typeof data === 'string' ? OPCODE.text : OPCODE.binary, data))
  }

  sendRaw(bytes: string | Uint8Array): void {
    if (this.socket.writable) this.socket.write(bytes)
  }

  async next({ timeout = this.timeout }: { readonly timeout?: number } = {}): Promise<Message> {
    const data = await this.#next(timeout)
    if (data === LATE) {
      throw new Error(`Expected a message within ${timeout} ms, got none: ${this.#state()}`)
    }
    if (data === undefined) throw new Error(`Expected a message, got none: ${this.#state()}`)
    return this.#read(data)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Message, undefined> {
    for (;;) {
      const data = await this.#next(this.timeout)
      if (data === undefined) return undefined
      if (data === LATE) {
        throw new Error(
          `Expected a message, or an end, within ${this.timeout} ms, got none: ${this.#state()}`,
        )
      }
      yield this.#read(data)
    }
  }

  close(code?: number, reason?: string): Promise<PeerClose> {
    if (!this.#hasSentClose) this.sendRaw(closeFrame(code, reason))
    this.#hasSentClose = true
    return this.closed
  }

  drop(): void {
    this.socket.end()
  }

  reset(): void {
    reset(this.socket)
    // Who ends it hears of it at once, whatever else it does not hear.
    this.trickle(Infinity)
    this.thaw()
  }

  freeze(): void {
    this.#isFrozen = true
    this.#flow.hold()
  }

  thaw(): void {
    this.#isFrozen = false
    this.#flow.release()
  }

  deaf(isDeaf = true): void {
    this.#isDeaf = isDeaf
  }

  trickle(bytesPerSecond: number): void {
    this.#flow.rate = bytesPerSecond
  }

  /** @returns `undefined` once the connection has ended and all was taken */
  async #next(timeout: number): Promise<string | Buffer | undefined | typeof LATE> {
    if (this.#messages.length > 0 || this.#close !== undefined) return this.#messages.shift()
    const waiter: Waiter = new Deferred()
    this.#waiters.add(waiter)
    const data = await inTime(waiter.promise, timeout)
    this.#waiters.delete(waiter)
    return data
  }

  #untilClosed(): Promise<PeerClose> {
    const closed = this.#inTime()
    // Who asks for it early, and has failed before it is awaited, has failed once.
    closed.catch(() => {})
    return closed
  }

  async #inTime(): Promise<PeerClose> {
    const close = await inTime(this.#closed.promise, this.timeout)
    if (close !== LATE) return close
    throw new Error(
      `Expected the connection to end within ${this.timeout} ms, got no end: ${this.#state()}`,
    )
  }

  #take(bytes: Buffer): boolean {
    for (const frame of this.#frames.read(bytes)) this.#hear(frame)
    return true
  }

  #hear(frame: Frame): void {
    const { opcode, payload } = frame
    if (opcode === OPCODE.ping) {
      this.#history.note('a ping')
      if (!this.#isDeaf) this.sendRaw(frameOf(OPCODE.pong, payload))
    } else if (opcode === OPCODE.pong) this.#history.note('a pong')
    else if (opcode === OPCODE.close) this.#hearClose(payload)
    else this.#hearPart(frame)
  }

  #hearClose(payload: Buffer): void {
    const code = payload.length < CODE_BYTES ? EMPTY : payload.readUInt16BE()
    const reason = payload.subarray(CODE_BYTES).toString()
    this.#received = { code, reason }
    this.#history.note(`a close frame (${`${code} ${reason}`.trimEnd()})`)
    if (this.#hasSentClose) return
    this.#hasSentClose = true
    this.sendRaw(frameOf(OPCODE.close, payload.subarray(0, CODE_BYTES)))
  }

  #hearPart(frame: Frame): void {
    this.#parts.push(frame)
    if (!frame.isLast) return
    const isText = this.#parts[0]?.opcode === OPCODE.text
    const bytes = Buffer.concat(this.#parts.map(({ payload }) => payload))
    this.#parts = []
    const data = isText ? bytes.toString() : bytes
    this.#history.note(pictureOf(data))
    const [waiter] = this.#waiters
    if (waiter === undefined) {
      this.#messages.push(data)
      return
    }
    this.#waiters.delete(waiter)
    waiter.resolve(data)
  }

  #over(error: Error | undefined): void {
    this.#close = { ...(this.#received ?? { code: NONE, reason: '' }), error }
    this.#closed.resolve(this.#close)
    for (const waiter of this.#waiters) waiter.resolve(undefined)
  }

  /** How the connection is, and what has come, for an error. */
  #state(): string {
    return `the connection ${this.#stands()}; ${this.#history.toString()}`
  }

  #stands(): string {
    if (this.#close !== undefined) {
      const { code, reason, error } = this.#close
      const how = error === undefined ? `${code} ${reason}`.trimEnd() : error.message
      return `has ended (${how})`
    }
    if (this.#isFrozen) return 'is frozen'
    if (!this.socket.writable) return 'waits for the FIN of the server'
    return this.#hasSentClose ? 'is closing' : 'is open'
  }
}
