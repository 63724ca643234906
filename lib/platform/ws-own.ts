/**
 * Tools that look on, above all tracing agents, replace functions of ws: usually before this package is
 * loaded, but also later, and some take theirs away again. If we went past a function of ws, such a tool
 * would miss it. So before each time we ask whether that function is still ws's own.
 */
import { EventEmitter } from 'node:events'
import { WebSocket } from 'ws'
import { senderOf } from './ws-sender.js'

/** One function of ws. */
class Own {
  /**
   * A text that is in the source of the function, even if a bundler has shortened its names. A function that
   * only calls the original does not have it.
   */
  readonly #mark: string
  #known: unknown
  #isOwn = false

  constructor(mark: string) {
    this.#mark = mark
  }

  /** The source is read only if the function is not the one of the last time. */
  is(current: unknown): boolean {
    if (current !== this.#known) {
      this.#known = current
      this.#isOwn =
        typeof current === 'function' &&
        Function.prototype.toString.call(current).includes(this.#mark)
    }
    return this.#isOwn
  }
}

/** These functions are compared, and not called. */
const methods: Readonly<Record<'send' | 'ping', unknown>> = WebSocket.prototype

const SEND = new Own('._sender.send(')
const PING = new Own('._sender.ping(')
const SENDER_SEND = new Own('._firstFragment')
const SENDER_PING = new Own('.sendFrame(')
const SEND_FRAME = new Own('._socket.write(')

/** Whether nobody would see a difference if we framed a message of this socket ourselves. */
export function isSendOwn(socket: WebSocket): boolean {
  const sender = senderOf(socket)
  return SEND.is(methods.send) && SENDER_SEND.is(sender?.send) && SEND_FRAME.is(sender?.sendFrame)
}

/** Whether nobody would see a difference if we framed a ping of this socket ourselves. */
export function isPingOwn(socket: WebSocket): boolean {
  const sender = senderOf(socket)
  return PING.is(methods.ping) && SENDER_PING.is(sender?.ping) && SEND_FRAME.is(sender?.sendFrame)
}

/** Whether nobody would see a difference if we did not emit an event without listeners. */
export function isEmitOwn(): boolean {
  return WebSocket.prototype.emit === EventEmitter.prototype.emit
}

/**
 * Calls a method of ws, or the function that has replaced it. Arguments at the end that are `undefined` are
 * left out.
 */
export function callWs(name: keyof WebSocket, socket: WebSocket, ...args: unknown[]): unknown {
  const method = Reflect.get(WebSocket.prototype, name) as (...args: unknown[]) => unknown
  const length = args.findLastIndex((each) => each !== undefined) + 1
  return Reflect.apply(method, socket, args.slice(0, length))
}
