import type { FastifyRequest } from 'fastify'
import { WebSocket } from 'ws'
import type { Message } from '../api/socket.js'
import type { Callbacks } from '../callbacks/callbacks.js'
import type { CauseWithCode } from '../core/close/policy.js'
import { TRACES } from '../facts/events.js'
import type { Facts } from '../facts/facts.js'
import { LOG_LINES } from '../facts/log-lines.js'
import type { ConnectionSubject } from '../facts/subjects.js'
import type { RequestContext } from '../platform/context.js'
import { follow, isThenable } from '../platform/thenable.js'
import { toError } from '../platform/thrown.js'
import { isTraced, traced } from '../platform/traced.js'
import { isEmitOwn } from '../platform/ws-own.js'
import type { Verdict } from '../routes/message-schema.js'
import type { Route } from '../routes/route.js'

/** What `MessageCalls` needs of its connection. */
export interface MessageCallsOwner extends ConnectionSubject {
  readonly shared: { readonly facts: Facts }
  readonly socket: WebSocket
  readonly request: FastifyRequest
  readonly context: RequestContext
  readonly callbacks: Callbacks
  readonly isOpen: boolean
  end(cause: CauseWithCode, reason?: string): void
}

/** Calls the app for each message of a connection, and handles what it throws. */
export class MessageCalls {
  /** Whether messages are dropped instead of handled. */
  isDropping = false
  /** Whether the end has gone on without the messages that are still being handled. */
  isLeftBehind = false
  /**
   * Whether plain listeners want Blobs. A Blob gives its bytes by a promise only. So ws gives us the parts,
   * and we make a Blob of them for listeners.
   */
  tellsBlobs = false
  readonly #owner: MessageCallsOwner
  readonly #route: Route

  constructor(owner: MessageCallsOwner, route: Route) {
    this.#owner = owner
    this.#route = route
  }

  get hasListeners(): boolean {
    return this.#owner.socket.listenerCount('message') > 0
  }

  /** Gives a message to the plain listeners. */
  tellListeners(data: unknown, isBinary: boolean): void {
    // A tool that has replaced `emit` gets the event, even if there are no listeners.
    if (!this.hasListeners && isEmitOwn()) return
    const { context, socket } = this.#owner
    try {
      context.enter(emitMessage, socket, this.#asTold(data), isBinary)
    } catch (error) {
      this.#owner.callbacks.fail(error, 'listener')
    }
  }

  /**
   * Gives a message to the plain listeners, and counts it as dropped: the app has ended the connection, so
   * nobody else gets it.
   */
  tellListenersOnly(data: unknown, isBinary: boolean): void {
    this.tellListeners(data, isBinary)
    this.#drop()
  }

  /** Drops messages that have come for nobody. */
  discard(count: number): void {
    if (count === 0) return
    const { shared, isOpen, log } = this.#owner
    shared.facts.messagesDropped(this.#owner, 'received', count)
    if (isOpen) this.#route.logOnce(log, LOG_LINES.messageDiscarded)
  }

  #asTold(data: unknown): unknown {
    return this.tellsBlobs && Array.isArray(data) ? new Blob(data as Buffer[]) : data
  }

  /**
   * Calls `onMessage`, after the plain listeners.
   * @returns what to await; it never rejects
   */
  handle(data: unknown, isBinary: boolean): Promise<unknown> | undefined {
    const { validate } = this.#route
    this.tellListeners(data, isBinary)
    try {
      const result =
        validate === undefined
          ? this.#onMessage(toMessage(data, isBinary))
          : this.#onVerdict(validate(data, isBinary))
      return this.#watch(result, 'onMessage')
    } catch (error) {
      return this.#fail(error, 'onMessage')
    }
  }

  #onVerdict(verdict: Verdict | Promise<Verdict>): unknown {
    if (verdict instanceof Promise) return verdict.then((settled) => this.#onVerdict(settled))
    return 'value' in verdict
      ? this.#onMessage(verdict.value)
      : this.#onInvalidMessage(verdict.error)
  }

  #onMessage(message: unknown): unknown {
    if (this.isDropping) return this.#drop()
    const isTimed = this.#owner.shared.facts.callTimer.isDue()
    return isTimed ? this.#timed(message) : this.#call(message)
  }

  #call(message: unknown): unknown {
    return isTraced(TRACES.message) ? this.#traced(message) : this.#callApp(message)
  }

  #callApp(message: unknown): unknown {
    const { settings, instance } = this.#route
    const { face, request } = this.#owner
    return settings.onMessage?.call(instance, face, request, message)
  }

  // Each of these has a closure, so it is apart from what is called for each message: V8 makes an object for what
  // a closure captures each time that the function around it is called.

  #timed(message: unknown): unknown {
    const { routeUrl, shared } = this.#owner
    return shared.facts.callTimer.time(routeUrl, () => this.#call(message))
  }

  #traced(message: unknown): unknown {
    const about = this.#owner.shared.facts.aboutLive(this.#owner)
    return traced(TRACES.message, { ...about, message }, () => this.#callApp(message))
  }

  #onInvalidMessage(invalid: Error): unknown {
    if (this.isDropping) return this.#drop()
    const { settings, instance } = this.#route
    const { onInvalidMessage } = settings
    const { face, request } = this.#owner
    if (onInvalidMessage === undefined) return this.#owner.end('protocol-error', 'invalid-message')
    try {
      const result = onInvalidMessage.call(instance, face, request, invalid)
      return this.#watch(result, 'onInvalidMessage')
    } catch (error) {
      return this.#fail(error, 'onInvalidMessage')
    }
  }

  #drop(): void {
    this.#owner.shared.facts.messagesDropped(this.#owner, 'received')
  }

  /** @returns what to await, if there is something; it never rejects */
  #watch(result: unknown, step: string): Promise<unknown> | undefined {
    if (!isThenable(result)) return undefined
    return follow<unknown>(result, undefined, (error) => this.#fail(error, step))
  }

  #fail(error: unknown, step: string): undefined {
    if (this.isLeftBehind)
      this.#owner.shared.facts.leftStepFailed(this.#owner, step, toError(error))
    else this.#owner.callbacks.fail(error, step)
    return undefined
  }
}

/** Emits past our own `emit`, which has let the message in before. */
function emitMessage(this: WebSocket, data: unknown, isBinary: boolean): void {
  WebSocket.prototype.emit.call(this, 'message', data, isBinary)
}

/**
 * A message as `onMessage` gets it: a text frame as a string, a binary one as a Buffer, whatever `binaryType`
 * says.
 */
export function toMessage(data: unknown, isBinary: boolean): Message {
  if (!isBinary) return Buffer.isBuffer(data) ? data.toString() : String(data)
  if (data instanceof ArrayBuffer) return Buffer.from(data)
  return Array.isArray(data) ? Buffer.concat(data) : (data as Buffer)
}
