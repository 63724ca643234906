import { bytesOf, copyOf, type Sendable } from '../core/client/data.js'
import { ClientSession, type Begun } from '../core/client/session.js'
import { KEEP_SESSION } from '../core/session/link.js'
import type { Address, ClientEvents, ClientOptions, ClientState } from './api.js'
import { expect } from './expect.js'
import { Line, LOST, NORMAL, type End } from './line.js'
import { resolve, type Settings } from './options.js'
import { here, type Timer, type World } from './world.js'

/** The most bytes of the reason in a close frame (RFC 6455 §5.5.1). */
const MOST_REASON = 123
/** A connection that was open for so long was a good one, in ms. A server that only accepts and closes is not. */
const GOOD_AFTER = 5_000

/**
 *     connecting ──▶ open ──▶ waiting ──▶ connecting …     from each of them ──▶ closed
 *        a line      a line   a timer                                            nothing
 */
export class Client extends EventTarget {
  readonly #world: World
  readonly #settings: Settings
  readonly #session: ClientSession
  readonly #stop = new AbortController()
  readonly #waiters: Array<(isOpen: boolean) => void> = []
  #state: ClientState = 'connecting'
  #line: Line | undefined
  #timer: Timer
  #isFirst = true
  /** Attempts that have failed in a row. */
  #failed = 0
  /** The same, and connections that were no good. */
  #failures = 0

  constructor(url: Address, options: ClientOptions = {}, world: World = here) {
    super()
    const settings = resolve(url, options, world.WebSocket)
    this.#world = world
    this.#settings = settings
    this.#session = new ClientSession(settings.resume)
    const { signal } = this.#stop
    // The last one is of the document, and comes to the window too.
    for (const type of ['online', 'pageshow', 'visibilitychange']) {
      world.addEventListener?.(type, () => this.#woke(type), { signal })
    }
    const abort = (): void => this.close()
    settings.signal?.addEventListener('abort', abort, { signal })
    // Not at once: nobody can have listened yet.
    if (settings.signal?.aborted) void Promise.resolve().then(abort)
    else this.#connect()
  }

  get state(): ClientState {
    return this.#state
  }

  get protocol(): string {
    return this.#line?.protocol ?? ''
  }

  get bufferedAmount(): number {
    // What waits to be confirmed may be in the socket too.
    return Math.max(this.#session.bytes, this.#line?.bufferedAmount ?? 0)
  }

  send(data: Sendable): boolean {
    const message = copyOf(data)
    expect('data', 'a string, an ArrayBuffer or a view', data, message !== undefined)
    const isTaken = this.#state !== 'closed' && this.#hasRoom(1)
    if (isTaken) this.#session.add(message)
    this.#line?.flush()
    return isTaken
  }

  drained(): Promise<boolean> {
    return new Promise((resolve) => {
      this.#waiters.push(resolve)
      this.#tellRoom()
    })
  }

  reconnect(): void {
    if (this.#state === 'waiting') this.#connect()
    if (this.#state !== 'open') return
    this.#line?.letGo()
    this.#wait({ code: LOST, reason: '' }, 0, 0)
  }

  close(code: number = NORMAL, reason = ''): void {
    const isOurs = code === NORMAL || (code >= 3000 && code < KEEP_SESSION)
    expect('code', '1000 or from 3000 to 4989', code, isOurs)
    expect('reason', 'a text of at most 123 bytes', reason, bytesOf(reason) <= MOST_REASON)
    if (this.#state === 'closed') return
    this.#line?.letGo(code, reason)
    this.#end({ code, reason })
  }

  /** Into each state but `open`, which has the line of `connecting`. */
  #enter(state: ClientState, line?: Line): void {
    this.#world.clearTimeout(this.#timer)
    this.#state = state
    this.#line = line
  }

  #connect(): void {
    const line = new Line(this.#world, this.#settings, this.#session, {
      opened: (begun) => this.#opened(begun),
      message: (data) => this.#emit('message', { data }),
      confirmed: () => this.#tellRoom(),
      over: (end) => this.#lost(end),
    })
    this.#enter('connecting', line)
  }

  #opened(begun: Begun): void {
    this.#state = 'open'
    const first = this.#isFirst
    this.#isFirst = false
    const line = this.#line
    this.#emit('open', { first, ...begun })
    line?.flush()
    this.#tellRoom()
  }

  /** The network is back, or the page is visible again. */
  #woke(type: string): void {
    if (type === 'visibilitychange' && this.#world.document?.visibilityState !== 'visible') return
    if (this.#state === 'waiting') this.#connect()
    else this.#line?.woke()
  }

  /** An open connection is lost, or an attempt has failed. The line has let go of its socket. */
  #lost(end: End): void {
    const line = this.#line
    const attempts = this.#state === 'open' ? 0 : this.#failed + 1
    let retries = false
    try {
      retries = this.#settings.shouldRetry({ ...end, attempts })
    } finally {
      // Unless the app has closed the client meanwhile. An error is the app's, and goes on its way.
      if (this.#line === line) {
        if (retries) this.#wait(end, attempts, line?.within)
        else this.#end(end)
      }
    }
  }

  /**
   * "Full jitter": each time from 0 on is as likely as any other. So clients that were lost together do not come
   * back together.
   * @param within to come back within so many ms; `undefined`: by the failures
   */
  #wait(end: End, attempts: number, within: number | undefined): void {
    const { min, max } = this.#settings.backoff
    const now = this.#world.Date.now()
    const openFor = now - (this.#line?.openedAt ?? now)
    this.#failed = attempts
    this.#failures = openFor < GOOD_AFTER ? this.#failures + 1 : 0
    const most = within ?? Math.min(max, min * 2 ** this.#failures)
    const retryIn = Math.floor(this.#world.Math.random() * most)
    this.#enter('waiting')
    this.#timer = this.#world.setTimeout(() => this.#connect(), retryIn)
    this.#emit('lost', { ...end, attempts, retryIn })
  }

  #end(end: End): void {
    this.#enter('closed')
    this.#stop.abort()
    this.#tellRoom()
    this.#emit('close', { ...end, undelivered: this.#session.empty() })
  }

  /** Whether less than this part of the queue is taken; without a queue, whether it is open. */
  #hasRoom(part: number): boolean {
    const { queue } = this.#settings
    return queue ? this.#session.hasRoom(queue, part) : this.#line?.isReady === true
  }

  #tellRoom(): void {
    const isOpen = this.#state !== 'closed'
    if (isOpen && !this.#hasRoom(0.5)) return
    for (const resolve of this.#waiters.splice(0)) resolve(isOpen)
  }

  #emit<Type extends keyof ClientEvents>(
    type: Type,
    details: Omit<ClientEvents[Type], keyof Event>,
  ): void {
    this.dispatchEvent(Object.assign(new Event(type), details))
  }
}
