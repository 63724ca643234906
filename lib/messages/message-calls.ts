import type { FastifyRequest } from 'fastify'
import { WebSocket } from 'ws'
import type { LifecycleSocket, Message } from '../api/socket.js'
import type { Callbacks } from '../callbacks/callbacks.js'
import type { CauseWithCode } from '../core/close/policy.js'
import type { Facts, Subject } from '../facts/facts.js'
import { LOG_LINES } from '../facts/log-lines.js'
import type { RequestContext } from '../platform/context.js'
import { follow, isThenable } from '../platform/thenable.js'
import { toError } from '../platform/thrown.js'
import { isEmitOwn } from '../platform/ws-own.js'
import type { Verdict } from '../routes/message-schema.js'
import type { Route } from '../routes/route.js'

/** What `MessageCalls` needs of its connection. */
export interface MessageCallsOwner extends Subject {
  readonly shared: { readonly facts: Facts }
  readonly socket: LifecycleSocket
  readonly request: FastifyRequest
  readonly context: RequestContext
  readonly callbacks: Callbacks
  readonly isOpen: boolean
  end(cause: CauseWithCode, reason?: string): void
}

/** Calls the app for each message of a connection, and sees to what it throws. */
export class MessageCalls {
  /** No message is to be handled any more. */
  isDropping = false
  /** The end has gone on without what is still being handled. */
  isLeftBehind = false
  /** Plain listeners want Blobs, whose bytes only a promise gives: ws gives us the parts, and we make one for them. */
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

  /** Plain listeners hear a message. */
  tellListeners(data: unknown, isBinary: boolean): void {
    // A tool that looks on hears what nobody else listens to.
    if (!this.hasListeners && isEmitOwn()) return
    const { context, socket } = this.#owner
    try {
      context.enter(emitMessage, socket, this.#asTold(data), isBinary)
    } catch (error) {
      this.#owner.callbacks.fail(error, 'listener')
    }
  }

  /** Plain listeners hear a message, which nobody else gets any more: the app has ended the connection. */
  tellListenersOnly(data: unknown, isBinary: boolean): void {
    this.tellListeners(data, isBinary)
    this.#drop()
  }

  /** So many messages have come for nobody. */
  discard(count: number): void {
    if (count === 0) return
    const { shared, isOpen, log } = this.#owner
    shared.facts.messagesDropped(count)
    if (isOpen) this.#route.logOnce(log, LOG_LINES.messageDiscarded)
  }

  #asTold(data: unknown): unknown {
    return this.tellsBlobs && Array.isArray(data) ? new Blob(data as Buffer[]) : data
  }

  /** Calls `onMessage`, after the plain listeners. @returns what to await; it never rejects */
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
    const { settings, instance } = this.#route
    const { socket, request } = this.#owner
    return settings.onMessage?.call(instance, socket, request, message)
  }

  #onInvalidMessage(invalid: Error): unknown {
    if (this.isDropping) return this.#drop()
    const { settings, instance } = this.#route
    const { onInvalidMessage } = settings
    const { socket, request } = this.#owner
    if (onInvalidMessage === undefined) return this.#owner.end('protocol-error', 'invalid-message')
    try {
      const result = onInvalidMessage.call(instance, socket, request, invalid)
      return this.#watch(result, 'onInvalidMessage')
    } catch (error) {
      return this.#fail(error, 'onInvalidMessage')
    }
  }

  #drop(): void {
    this.#owner.shared.facts.messagesDropped(1)
  }

  /** @returns what to await, if there is something */
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

/** Past our own `emit`, which has let it in before. */
function emitMessage(this: WebSocket, data: unknown, isBinary: boolean): void {
  WebSocket.prototype.emit.call(this, 'message', data, isBinary)
}

/** A text frame as text, a binary one as a Buffer, also where `binaryType` asks for something else. */
export function toMessage(data: unknown, isBinary: boolean): Message {
  if (!isBinary) return Buffer.isBuffer(data) ? data.toString() : String(data)
  if (data instanceof ArrayBuffer) return Buffer.from(data)
  return Array.isArray(data) ? Buffer.concat(data) : (data as Buffer)
}
