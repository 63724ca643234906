import type {
  WebSocketEvent,
  WebSocketEventType,
  WebSocketLike,
  WebSocketListener,
} from '../../../lib/client/api.js'
import { back, type Welcome, welcome } from '../../../lib/core/session/link.js'

const CONNECTING = 0
const OPEN = 1
const CLOSING = 2
const CLOSED = 3

/** A WebSocket whose other end is the test: it opens it, speaks, and ends it. */
export class FakeWebSocket implements WebSocketLike {
  binaryType = 'blob'
  bufferedAmount = 0
  protocol = ''
  readyState: number = CONNECTING
  readonly url: string
  /** What was offered. */
  readonly offered: readonly string[]
  /** What was sent to the test, in order. */
  readonly sent: Array<string | ArrayBuffer> = []
  /** The arguments of each `close`, and how many listeners that hear something there were at that time. */
  readonly closes: Array<{ code: number | undefined; reason: string | undefined; heard: number }> =
    []
  readonly #listeners = new Map<WebSocketEventType, Set<WebSocketListener>>()

  constructor(url: string, protocols: string[]) {
    this.url = url
    this.offered = protocols
  }

  /** How many listeners hear what comes. One that only keeps an error from being thrown does not count. */
  get heard(): number {
    const heard = ['open', 'message', 'close'] as const
    return heard.reduce((count, type) => count + (this.#listeners.get(type)?.size ?? 0), 0)
  }

  addEventListener(type: WebSocketEventType, listener: WebSocketListener): void {
    const listeners = this.#listeners.get(type) ?? new Set()
    this.#listeners.set(type, listeners.add(listener))
  }

  removeEventListener(type: WebSocketEventType, listener: WebSocketListener): void {
    this.#listeners.get(type)?.delete(listener)
  }

  send(data: string | ArrayBuffer): void {
    if (this.readyState === CONNECTING) throw new Error('InvalidStateError')
    if (this.readyState === OPEN) this.sent.push(data)
  }

  close(code?: number, reason?: string): void {
    this.closes.push({ code, reason, heard: this.heard })
    if (this.readyState < CLOSING) this.readyState = CLOSING
  }

  /** @param protocol what the server has chosen */
  open(protocol = this.offered[0] ?? ''): this {
    this.protocol = protocol
    this.readyState = OPEN
    this.#tell('open', {})
    return this
  }

  /** Opens it, and welcomes the client. */
  welcome(session?: Partial<Welcome>): this {
    return this.open().say(
      welcome(
        session && { token: 'secret', isResumed: false, received: 0, window: 60_000, ...session },
      ),
    )
  }

  /** The client gets one frame after the other. */
  say(...frames: Array<string | ArrayBuffer>): this {
    for (const data of frames) this.#tell('message', { data })
    return this
  }

  comeBack(within: number): this {
    return this.say(back(within))
  }

  fail(error?: unknown): this {
    this.#tell('error', { error })
    return this.end(1006)
  }

  end(code: number, reason = ''): this {
    this.readyState = CLOSED
    this.#tell('close', { code, reason })
    return this
  }

  #tell(type: WebSocketEventType, details: Partial<WebSocketEvent>): void {
    const event = { type, ...details } as WebSocketEvent
    // A copy: they may be taken off meanwhile.
    for (const listener of Array.from(this.#listeners.get(type) ?? [])) {
      if (typeof listener === 'function') listener()
      else listener.handleEvent(event)
    }
  }
}

/** As in a browser: a page may close with few codes. */
export class PageWebSocket extends FakeWebSocket {
  override close(code?: number, reason?: string): void {
    if (code !== undefined && code !== 1000 && (code < 3000 || code > 4999)) {
      throw new Error('InvalidAccessError')
    }
    super.close(code, reason)
  }
}
