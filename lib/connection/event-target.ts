/**
 * ws's `addEventListener` and its `on...` attributes hide what a handler returns. So nobody would notice when
 * an async handler rejects. Here each handler gets one wrapper that looks at the result.
 *
 * The socket is also told when a listener for messages is added, because messages may wait for one.
 */
import { WebSocket } from 'ws'
import { callWs } from '../platform/ws-own.js'

export type EventHandler<Event> =
  | ((event: Event) => unknown)
  | { handleEvent(event: Event): unknown }

type Handler = EventHandler<never>
type Wrapper = (this: Watching, event: unknown) => void

/** A socket that is told what its handlers return, and when a listener for messages is added. */
export interface Watching extends WebSocket {
  watch(result: unknown, step: string): void
  listened(): void
}

const ATTRIBUTES = ['onopen', 'onmessage', 'onerror', 'onclose'] as const

const wrappers = new WeakMap<Handler, Wrapper>()
const handlers = new WeakMap<Wrapper, Handler>()

/**
 * The wrapper of `handler`. It is always the same one, so that removing and comparing work as with bare ws.
 */
export function wrapHandler<Event>(handler: EventHandler<Event>): EventHandler<Event> {
  // A value that is no handler is left to ws, which fails when the event comes.
  if (!isHandler(handler)) return handler
  const known = wrappers.get(handler)
  if (known !== undefined) return known
  const wrapper: Wrapper = function (event) {
    const result: unknown =
      typeof handler === 'function'
        ? handler.call(this, event as Event)
        : handler.handleEvent(event as Event)
    this.watch(result, 'listener')
  }
  wrappers.set(handler, wrapper)
  handlers.set(wrapper, handler)
  return wrapper
}

/** Makes the `on...` attributes of a subclass return the handler that was assigned, and not its wrapper. */
export function defineHandlerAttributes(prototype: WebSocket): void {
  for (const name of ATTRIBUTES) {
    Object.defineProperty(prototype, name, {
      configurable: true,
      enumerable: true,
      get(this: WebSocket): unknown {
        const wrapper: unknown = Reflect.get(WebSocket.prototype, name, this)
        return typeof wrapper === 'function' ? handlers.get(wrapper as Wrapper) : wrapper
      },
      set(this: WebSocket, handler: unknown) {
        Reflect.set(WebSocket.prototype, name, handler, this)
      },
    })
  }
}

/** Makes the three methods by which all listeners are added tell the socket of listeners for messages. */
export function defineListenerMethods(prototype: Watching): void {
  for (const name of ['on', 'addListener', 'prependListener'] as const) {
    Object.defineProperty(prototype, name, {
      configurable: true,
      writable: true,
      value(this: Watching, ...args: unknown[]): unknown {
        // Looked up each time: a tool may have replaced the method.
        const self = callWs(name, this, ...args)
        if (args[0] === 'message') this.listened()
        return self
      },
    })
  }
}

function isHandler(value: unknown): boolean {
  return typeof value === 'function' || (typeof value === 'object' && value !== null)
}

/** Past our own `emit`. (A closure there would cost an object for each event.) */
export function emitPast(socket: WebSocket, event: string | symbol, ...args: unknown[]): boolean {
  return WebSocket.prototype.emit.call(socket, event, ...args)
}
