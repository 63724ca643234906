import { captureRejectionSymbol, EventEmitter } from 'node:events'
import type { FastifyRequest } from 'fastify'
import { WebSocket } from 'ws'
import type { Data, LifecycleSocket, Message, SendOptions } from '../api/socket.js'
import type { CloseInfo } from '../core/close/info.js'
import type { ConnectionScope } from '../core/scope.js'
import { namesOf } from '../groups/membership.js'
import { isOptions, NO_OPTIONS } from '../outbox/send-options.js'
import {
  guardReceiver,
  type Parser,
  type Receiver,
  type Write,
  type Written,
} from '../platform/ws-receiver.js'
import { bufferedByWs } from '../platform/ws-sender.js'
import { closeWithin } from '../platform/ws-socket.js'
import {
  defineHandlerAttributes,
  defineListenerMethods,
  emitPast,
  type EventHandler,
  type Watching,
  wrapHandler,
} from './event-target.js'
import type { SocketOwner } from './socket-owner.js'

type Callback = (error?: Error) => void
/** @types/ws says that these callbacks always get an error. ws calls them without one if all went well. */
type ControlCallback = (error: Error) => void
type EventMap = WebSocket.WebSocketEventMap

/**
 * The close timeout of a socket that no route of ours has opened, in ms: ws's own default. For our
 * connections ws's timer is off.
 */
const CLOSE_TIMEOUT_OF_WS = 30_000

/**
 * ws's socket. Each method and event by which something can happen to it goes through its connection first.
 * It decides nothing.
 */
export class ConnectionSocket extends WebSocket implements LifecycleSocket, Watching, Parser {
  #attached: SocketOwner | undefined
  #isEmittingError = false

  constructor(address: null, protocols?: undefined, options?: object) {
    // ws passes its server options as the third argument. @types/ws knows the client's form only.
    super(address as unknown as string, protocols, options)
    // Rejections of async listeners go to socketOnRejection, and do not end the process.
    EventEmitter.call(this, { captureRejections: true })
  }

  /**
   * Ties a new socket to its connection. A socket that no route of ours has opened is never tied: an app can
   * call `websocketServer.handleUpgrade` itself. It behaves as with bare ws, and the app has to answer its
   * pings.
   */
  static attach(socket: ConnectionSocket, owner: SocketOwner): void {
    socket.#attached = owner
  }

  /** Also tells a socket from what only looks like one, such as a Proxy of it. */
  static isOne(value: unknown): value is ConnectionSocket {
    return typeof value === 'object' && value !== null && #attached in value
  }

  static ownerOf(socket: ConnectionSocket): SocketOwner | undefined {
    return socket.#attached
  }

  get id(): string {
    return this.#owner.id
  }

  get request(): FastifyRequest {
    return this.#owner.request
  }

  get scope(): ConnectionScope {
    return this.#owner.scope
  }

  get closed(): Promise<CloseInfo> {
    return this.#owner.closed
  }

  get latency(): number | undefined {
    return this.#owner.latency
  }

  get groups(): readonly string[] {
    return namesOf(this.#owner.member.membership)
  }

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    const connection = this.#attached
    if (connection === undefined) {
      if (event === 'open') guardReceiver(this)
      return super.emit(event, ...args)
    }
    const { context } = connection
    if (!context.isEntered) {
      const { loop } = connection.shared.facts
      // A message that was compressed does not come within a read.
      if (event !== 'message' || !loop.timesMessages) return context.enter(emit, this, event, args)
      return loop.enter(connection, emit, this, event, args)
    }
    if (event === 'error') return this.#emitError(connection, args[0])
    try {
      if (!connection.admits(event, args[0], args[1])) return true
      // If nothing else was the first sign of the end, this event was.
      if (event === 'close') return context.run(emitPast, undefined, this, event, ...args)
      const isHeard = super.emit(event, ...args)
      if (!isHeard && event === 'message') connection.unheard(args[0], args[1] === true)
      return isHeard
    } catch (error) {
      connection.callbacks.fail(error, 'listener')
      return true
    }
  }

  /**
   * node itself emits an 'error' if it cannot watch what a listener returned. If that was a listener for
   * 'error', this would never stop.
   */
  #emitError(connection: SocketOwner, error: unknown): boolean {
    if (this.#isEmittingError) {
      connection.callbacks.fail(error, 'listener')
      return true
    }
    this.#isEmittingError = true
    try {
      return connection.admits('error', error, undefined) && super.emit('error', error)
    } catch (thrown) {
      connection.callbacks.fail(thrown, 'listener')
      return true
    } finally {
      this.#isEmittingError = false
    }
  }

  /** Lets ws parse a read. Its listeners are called in the async context of the upgrade request. */
  parse(
    write: Write,
    receiver: Receiver,
    chunk: unknown,
    encoding: BufferEncoding,
    done: Written,
  ): void {
    const owner = this.#attached
    if (owner === undefined) write.call(receiver, chunk, encoding, done)
    else if (owner.shared.facts.loop.timesMessages)
      owner.shared.facts.loop.enterRead(owner, write, receiver, chunk, encoding, done)
    else owner.context.enterRead(write, receiver, chunk, encoding, done)
  }

  /** A listener for messages was added: messages that wait can be given to it. */
  listened(): void {
    this.#attached?.listened()
  }

  /** Watches what a handler returned, in case it rejects. */
  watch(result: unknown, step: string): void {
    this.#attached?.callbacks.watch(result, step)
  }

  override close(code?: number, reason?: string | Buffer): void {
    if (this.#attached === undefined) {
      closeWithin(this, CLOSE_TIMEOUT_OF_WS)
      super.close(code, reason)
    } else this.#attached.close(code, reason)
  }

  override terminate(): void {
    if (this.#attached === undefined) super.terminate()
    else this.#attached.terminate('server-terminate')
  }

  override send(data: Data, callback?: Callback): boolean
  override send(data: Data, options: SendOptions, callback?: Callback): boolean
  override send(data: Data, options?: SendOptions | Callback, callback?: Callback): boolean {
    // It does not call itself with other arguments: a tool that has replaced `send` of this socket would
    // count two calls.
    const given = isOptions(options) ? options : NO_OPTIONS
    const done = typeof options === 'function' ? options : callback
    if (this.#attached) return this.#attached.writer.send(data, given, done)
    const isOpen = this.readyState === WebSocket.OPEN
    super.send(data, given, done)
    return isOpen
  }

  drained(): Promise<boolean> {
    return this.#owner.writer.drained()
  }

  messages(): AsyncIterableIterator<Message> {
    return this.#owner.reader.messages()
  }

  expireAt(when: Date | number): void {
    this.#owner.expireAt(when)
  }

  override pause(): void {
    if (this.#attached) this.#attached.reader.inbox.setPausedByApp(true)
    else super.pause()
  }

  override resume(): void {
    if (this.#attached) this.#attached.reader.inbox.setPausedByApp(false)
    else super.resume()
  }

  override ping(data?: unknown, mask?: boolean, callback?: ControlCallback): void {
    this.#sendControl('ping', data, mask, callback as Callback | undefined)
  }

  override pong(data?: unknown, mask?: boolean, callback?: ControlCallback): void {
    this.#sendControl('pong', data, mask, callback as Callback | undefined)
  }

  override addEventListener<K extends keyof EventMap>(
    type: K,
    handler: EventHandler<EventMap[K]>,
    options?: WebSocket.EventListenerOptions,
  ): void {
    super.addEventListener(type, wrapHandler(handler), options)
  }

  override removeEventListener<K extends keyof EventMap>(
    type: K,
    handler: EventHandler<EventMap[K]>,
  ): void {
    super.removeEventListener(type, wrapHandler(handler))
  }

  /** As in ws, `data` and `mask` may be left out before a callback. */
  #sendControl(
    kind: 'ping' | 'pong',
    data: unknown,
    mask: boolean | Callback | undefined,
    callback: Callback | undefined,
  ): void {
    if (typeof data === 'function')
      return this.#sendControl(kind, undefined, undefined, data as Callback)
    if (typeof mask === 'function') return this.#sendControl(kind, data, undefined, mask)
    if (this.#attached) this.#attached.writer.control(kind, data, mask, callback)
    else WebSocket.prototype[kind].call(this, data, mask, callback)
  }

  get #owner(): SocketOwner {
    if (this.#attached === undefined) {
      throw new TypeError('This WebSocket was not opened by a route of fastify-websocket-lifecycle')
    }
    return this.#attached
  }
}

function emit(this: ConnectionSocket, event: string | symbol, args: unknown[]): boolean {
  // Not the `emit` of this socket: a tool may have replaced it, and that one has called us.
  return ConnectionSocket.prototype.emit.call(this, event, ...args)
}

function bufferedAmount(this: ConnectionSocket): number {
  return bufferedByWs(this) + (ConnectionSocket.ownerOf(this)?.bytesFramed ?? 0)
}

function socketOnRejection(this: ConnectionSocket, error: Error): void {
  const owner = ConnectionSocket.ownerOf(this)
  // A socket without a connection behaves as with bare ws: nobody handles the error, and the process ends.
  if (owner === undefined) throw error
  owner.callbacks.fail(error, 'listener')
}

const wsBinaryType = Object.getOwnPropertyDescriptor(WebSocket.prototype, 'binaryType') as {
  get: (this: WebSocket) => string
  set: (this: WebSocket, type: unknown) => void
}

function setBinaryType(this: ConnectionSocket, type: unknown): void {
  wsBinaryType.set.call(this, type)
  // ws ignores a type that it does not know.
  ConnectionSocket.ownerOf(this)?.setBlobs(wsBinaryType.get.call(this) === 'blob')
}

const PUBLIC = { configurable: true, enumerable: true }
// @types/ws declares properties, and an accessor in a class may not override these.
Object.defineProperties(ConnectionSocket.prototype, {
  [captureRejectionSymbol]: { value: socketOnRejection },
  bufferedAmount: { ...PUBLIC, get: bufferedAmount },
  binaryType: { ...PUBLIC, get: wsBinaryType.get, set: setBinaryType },
})
defineHandlerAttributes(ConnectionSocket.prototype)
defineListenerMethods(ConnectionSocket.prototype)
