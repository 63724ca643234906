/**
 * Tools that look on (tracing agents, above all) put functions of theirs in the place of ws's: before we are loaded, as
 * a rule, or later, and some take them away again. They would not see what we do past one of ws's functions, so it is
 * asked each time whether that one is ws's own.
 */
import { EventEmitter } from 'node:events'
import { WebSocket } from 'ws'
import { senderOf } from './ws-sender.js'

/** One function of ws. */
class Own {
  /** What its source has in it, also where a bundler has shortened its names. What calls another function has it not. */
  readonly #mark: string
  #known: unknown
  #isOwn = false

  constructor(mark: string) {
    this.#mark = mark
  }

  /** The source is read only where there is another function than the last time. */
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

/** What is there is compared, not called. */
const methods: Readonly<Record<'send' | 'ping', unknown>> = WebSocket.prototype

const SEND = new Own('._sender.send(')
const PING = new Own('._sender.ping(')
const SENDER_SEND = new Own('._firstFragment')
const SENDER_PING = new Own('.sendFrame(')
const SEND_FRAME = new Own('._socket.write(')

/** Whether nobody would see the difference if we framed a message of this socket ourselves. */
export function isSendOwn(socket: WebSocket): boolean {
  const sender = senderOf(socket)
  return SEND.is(methods.send) && SENDER_SEND.is(sender?.send) && SEND_FRAME.is(sender?.sendFrame)
}

/** The same of a ping. */
export function isPingOwn(socket: WebSocket): boolean {
  const sender = senderOf(socket)
  return PING.is(methods.ping) && SENDER_PING.is(sender?.ping) && SEND_FRAME.is(sender?.sendFrame)
}

/** The same of an event that nobody listens to. */
export function isEmitOwn(): boolean {
  return WebSocket.prototype.emit === EventEmitter.prototype.emit
}

/** Calls a method of ws, or what stands in its place, without the last arguments where they were left out. */
export function callWs(name: keyof WebSocket, socket: WebSocket, ...args: unknown[]): unknown {
  const method = Reflect.get(WebSocket.prototype, name) as (...args: unknown[]) => unknown
  const length = args.findLastIndex((each) => each !== undefined) + 1
  return Reflect.apply(method, socket, args.slice(0, length))
}
