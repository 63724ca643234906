/**
 * One attempt of a client and, if it succeeds, one connection: its WebSocket, its timers, and the link. It lives
 * once. What outlives it is in the `ClientSession`.
 */
import type { Message } from '../core/client/data.js'
import type { Begun, ClientSession } from '../core/client/session.js'
import { TICK, type Verdict, Watchdog } from '../core/client/watchdog.js'
import {
  ACK_DELAY,
  ack,
  FORGET_TOKEN,
  KEEP_SESSION,
  MARK,
  PROBE,
  protocolIn,
  readControl,
  type Told,
} from '../core/session/link.js'
import type { WebSocketEvent, WebSocketLike } from './api.js'
import { ask } from './ask.js'
import type { Settings } from './options.js'
import type { Timer, World } from './world.js'

/** How a line ended, for the app. */
export interface End {
  readonly code: number
  readonly reason: string
  readonly error?: unknown
}

/** What a line needs of its client. */
export interface LineOwner {
  /** The server has welcomed us, or without a link the connection is open. */
  readonly opened: (begun: Begun) => void
  readonly message: (data: Message) => void
  /** The server has confirmed messages. */
  readonly confirmed: () => void
  /** The line has let go of its socket. */
  readonly over: (end: End) => void
}

export const NORMAL = 1000
/** No close frame came. */
export const LOST = 1006
/** The server has broken the rules of the link. */
const PROTOCOL_ERROR = 1002
/** In place of it where that may not be sent: browsers keep it for themselves. */
const PROTOCOL_ERROR_OF_PAGE = 4002
/** The longest time over which a server can spread the clients that it sends away, in ms. */
const LONGEST_WINDOW = 600_000
/** The `readyState` of a WebSocket that is open. */
const OPEN = 1

/** Beside `error`. */
const EVENTS = ['open', 'message', 'close'] as const
const WELCOME = 'a welcome of fastify-websocket-lifecycle (or set `link: false`)'

export class Line {
  /** Within how many ms to come back, where somebody has said so. */
  within: number | undefined
  openedAt: number | undefined
  readonly #owner: LineOwner
  readonly #world: World
  readonly #settings: Settings
  readonly #session: ClientSession
  /** Once `url` and `protocols` have answered. */
  #socket: WebSocketLike | undefined
  #watchdog: Watchdog | undefined
  #isOver = false
  /** What the socket has told of its failure; nothing in browsers. */
  #error: unknown
  /** The time for what is awaited; once it is open, the watchdog's looks. */
  #timer: Timer
  /** While the server is to be told how many messages have come. */
  #ackTimer: Timer

  constructor(world: World, settings: Settings, session: ClientSession, owner: LineOwner) {
    this.#world = world
    this.#settings = settings
    this.#session = session
    this.#owner = owner
    this.#limit('an answer of `url` and `protocols`')
    ask(settings)
      .then((answer) => this.#dial(...answer))
      .catch((error: unknown) => this.#fail(error))
  }

  /** The app's; `''` if none, `undefined` if the server does not speak the link. */
  get protocol(): string | undefined {
    const protocol = this.#socket?.protocol ?? ''
    return this.#settings.link ? protocolIn(protocol) : protocol
  }

  get bufferedAmount(): number {
    return this.#socket?.bufferedAmount ?? 0
  }

  /** Whether messages can be sent. */
  get isReady(): boolean {
    return this.openedAt !== undefined && this.#socket?.readyState === OPEN
  }

  /** Sends what waits in the queue. */
  flush(): void {
    while (this.isReady) {
      const data = this.#session.next()
      if (data === undefined) return
      const isMarked = this.#settings.link && typeof data === 'string' && data[0] === MARK
      this.#send(isMarked ? MARK + data : data)
    }
  }

  /** The network is back, or the page is visible again: that the socket is open says nothing. */
  woke(): void {
    this.#obey(this.#watchdog?.woke(this.#world.Date.now()))
  }

  /**
   * Takes the listeners off the socket, and then closes it.
   * @param code by default the server keeps the session: nobody knows whether the connection lives
   */
  letGo(code: number = this.#settings.link ? KEEP_SESSION : NORMAL, reason?: string): void {
    if (this.#isOver) return
    if (this.isReady && this.#session.owes) this.#tell()
    this.#isOver = true
    this.#world.clearTimeout(this.#timer)
    this.#world.clearTimeout(this.#ackTimer)
    const socket = this.#socket
    if (!socket) return
    // Not that of `error`: ws emits one if it is closed while it connects. Without a listener it would be thrown.
    for (const type of EVENTS) socket.removeEventListener(type, this)
    try {
      socket.close(code, reason)
    } catch {
      socket.close(PROTOCOL_ERROR_OF_PAGE)
    }
  }

  /** What the socket calls: the line is its listener. */
  handleEvent({ type, data, error, code, reason }: WebSocketEvent): void {
    if (type === 'message') this.#came(data)
    else if (type === 'error') this.#error = error
    else if (type === 'close') this.#closed(code, reason)
    else if (!this.#settings.link) this.#begin(undefined)
    // It is open, and now the server has to welcome us.
    else if (this.protocol === undefined) this.#fail(expected(WELCOME), NORMAL)
  }

  /** @throws what the WebSocket throws, such as for a URL that is none */
  #dial(url: string, protocols: string[]): void {
    if (this.#isOver) return
    const { link, WebSocket } = this.#settings
    const socket = new WebSocket(url, link ? this.#session.offer(protocols) : protocols)
    this.#socket = socket
    socket.binaryType = 'arraybuffer'
    for (const type of EVENTS) socket.addEventListener(type, this)
    socket.addEventListener('error', this)
    this.#limit(link ? WELCOME : 'an open connection')
  }

  #limit(what: string): void {
    this.#world.clearTimeout(this.#timer)
    this.#timer = this.#world.setTimeout(() => {
      this.#fail(expected(`${what} within ${this.#settings.connectTimeout} ms`))
    }, this.#settings.connectTimeout)
  }

  #came(data: Message): void {
    if (!this.#settings.link) return this.#owner.message(data)
    this.#watchdog?.heard(this.#world.Date.now())
    if (this.#take(data)) return
    // The server breaks the rules of the link: nobody knows what is true of the session.
    this.#session.forget()
    this.#fail(expected('a frame that the link allows'), PROTOCOL_ERROR)
  }

  /** @returns `false` if it must not come, or not now */
  #take(data: Message): boolean {
    const isOpen = this.openedAt !== undefined
    const isMarked = typeof data === 'string' && data[0] === MARK
    if (!isMarked || data[1] === MARK) {
      if (isOpen) this.#received(isMarked ? data.slice(1) : data)
      return isOpen
    }
    const control = readControl(data)
    if (control === undefined) return false
    if (control.kind === 'unknown') return true
    // A welcome comes first, and then never again.
    if (control.kind === 'welcome') return !isOpen && this.#begin(control.value)
    if (!isOpen) return false
    if (control.kind === 'ack') return this.#confirmed(control.value)
    if (control.kind === 'probe') this.#tell()
    // 0: by our own backoff.
    else this.within = Math.min(control.value, LONGEST_WINDOW) || undefined
    return true
  }

  #closed(code: number, reason: string): void {
    // Browsers do not say why an attempt has failed.
    const isUnknown = this.#settings.link && code === LOST && this.openedAt === undefined
    const error = isUnknown ? expected(WELCOME, this.#error) : this.#error
    if (code === FORGET_TOKEN) {
      this.#session.forget()
      this.#fail(error, NORMAL)
    } else {
      this.letGo(NORMAL)
      this.#owner.over({ code, reason, error })
    }
  }

  #received(data: Message): void {
    // UTF-16 units of a text are near enough: the number of bytes only decides when to confirm.
    const isDue = this.#session.incoming.note(
      typeof data === 'string' ? data.length : data.byteLength,
    )
    this.#owner.message(data)
    if (this.#isOver || !this.#session.owes) return
    if (isDue) this.#tell()
    else this.#ackTimer ??= this.#world.setTimeout(() => this.#tell(), ACK_DELAY)
  }

  #confirmed(count: number): boolean {
    const isPossible = this.#session.confirm(count)
    if (isPossible) this.#owner.confirmed()
    return isPossible
  }

  #begin(told: Told | undefined): boolean {
    const begun = this.#session.begin(told)
    if (begun === undefined) return false
    const now = this.#world.Date.now()
    this.openedAt = now
    this.#world.clearTimeout(this.#timer)
    if (told) this.#tell()
    if (this.#settings.liveness) {
      this.#watchdog = new Watchdog(this.#settings.liveness, now)
      this.#timer = this.#world.setInterval(() => {
        this.#obey(this.#watchdog?.look(this.#world.Date.now()))
      }, TICK)
    }
    this.#owner.opened(begun)
    return true
  }

  #obey(verdict: Verdict): void {
    if (verdict === 'probe') this.#send(PROBE)
    if (verdict !== 'dead') return
    this.within = 0
    this.#fail(expected('an answer to a probe'))
  }

  /** Tells the server how many messages have come. */
  #tell(): void {
    this.#world.clearTimeout(this.#ackTimer)
    this.#ackTimer = undefined
    this.#send(ack(this.#session.incoming.tell()))
  }

  #send(frame: Message): void {
    if (this.#socket?.readyState === OPEN) this.#socket.send(frame)
  }

  #fail(error: unknown, code?: number): void {
    if (this.#isOver) return
    this.letGo(code)
    this.#owner.over({ code: LOST, reason: '', error })
  }
}

function expected(what: string, cause?: unknown): Error {
  return new Error(`Expected ${what}`, { cause })
}
