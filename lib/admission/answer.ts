import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { bodyOf, JSON_TYPE, type LifecycleError } from '../errors.js'
import { isResponding, responseOf } from '../platform/node-internals.js'
import { isError } from '../platform/thrown.js'
import { handshakeHeaders } from './handshake-headers.js'

/**
 * After a first error the app's error handler is asked, which may refuse in its own way; what was
 * `begun`, by Fastify or as a handshake, is out of our hands; what was `given` we have given ourselves.
 *
 *     none ──▶ failed ──▶ begun
 *       └────────┴──────▶ given
 */
type State = 'none' | 'failed' | 'begun' | 'given'

/** The one answer that an upgrade gets: from Fastify, from ws, or from us. */
export class Answer {
  readonly #raw: Duplex
  /** `raw.bytesWritten` before it; `undefined` where the stream does not count. */
  readonly #bytesBefore: number | undefined
  /** Whether an earlier request of the same packet, or one that a client did not wait for, comes first. */
  readonly #isBehind: boolean
  #reply: FastifyReply | undefined
  /** What Fastify writes to, known from when it was handed the request. */
  #response: ServerResponse | undefined
  #state: State = 'none'

  constructor(raw: Duplex) {
    this.#raw = raw
    this.#isBehind = isResponding(raw)
    this.#bytesBefore = raw instanceof Socket ? raw.bytesWritten : undefined
  }

  /** Whether nobody has begun to give it. */
  get isOpen(): boolean {
    return this.#state === 'none'
  }

  get isGiven(): boolean {
    return this.#state === 'given'
  }

  /** Whether nobody has begun to, but for a first error. */
  get mayBeTaken(): boolean {
    return this.#state === 'none' || this.#state === 'failed'
  }

  /** Whether somebody whom we cannot see has written to the stream, past Fastify: another handshake, a tunnel. */
  get isForeign(): boolean {
    const isBegun = this.#response?.headersSent !== false
    return this.mayBeTaken && !isBegun && !this.isUnwritten
  }

  /** Whether somebody else gives it: no second one may be written. */
  get isTheirs(): boolean {
    return this.#state === 'begun' || (!this.isGiven && !this.isUnwritten)
  }

  /** Whether it may be written: not one byte of it, nor of another answer before it, is on its way. */
  get isUnwritten(): boolean {
    if (this.#isBehind) return false
    if (this.#bytesBefore !== undefined) {
      return (this.#raw as Socket).bytesWritten === this.#bytesBefore
    }
    return this.#reply?.raw.headersSent !== true
  }

  /** From now on Fastify can give it. */
  enter(reply: FastifyReply): void {
    this.#reply = reply
  }

  /** The app gives it, in whichever way: nothing of it is ours. */
  leaveToApp(): void {
    this.#state = 'begun'
  }

  /**
   * Fastify has been handed the request, and none of our hooks has seen it yet.
   * @param listener learns, once there is a whole answer, whether any hooks have seen it
   */
  watchUnseen(message: IncomingMessage, listener: (wereHooksRun: boolean) => void): void {
    const response = responseOf(this.#raw)
    // Behind another one that is being written it gets none.
    if (response?.req !== message) return
    this.#response = response
    // Fastify listens too where there are hooks, and stops when it is told.
    const tell = (): void => listener(response.listenerCount('finish') > 0)
    if (response.writableEnded) tell()
    else response.prependOnceListener('prefinish', tell)
  }

  /** What a handshake is to say beside its own headers. Throws what may not be sent. */
  handshakeHeaders(): string[] | undefined {
    return this.#reply && handshakeHeaders(this.#reply)
  }

  /** ws gives it, with a handshake: no byte of Fastify's may follow. */
  leaveToHandshake(): void {
    this.#state = 'begun'
    this.#detach()
  }

  /** Fastify was told to send this. @returns whether that is the answer */
  noteSend(payload: unknown): boolean {
    const isFirstError = isError(payload) && this.#state === 'none'
    this.#state = isFirstError ? 'failed' : 'begun'
    return !isFirstError
  }

  onceWritten(listener: () => void): void {
    this.#reply?.raw.once('finish', listener)
  }

  /** An error of ours has headers that an error handler of the app may not know of. */
  setHeaders({ headers = {} }: LifecycleError): void {
    this.#reply?.headers(headers)
  }

  /** Gives it from outside of Fastify, in the form of its errors, and ends the stream. */
  give(error: LifecycleError): void {
    this.#state = 'given'
    // From here on no hook begins. `reply.send` would not do: an answer may be on its way already,
    // behind an onSend or onError hook, and Fastify would mix the two.
    this.#reply?.hijack()
    const { statusCode = 500 } = error
    const body = bodyOf(error)
    const headers = {
      ...error.headers,
      'content-type': JSON_TYPE,
      'content-length': Buffer.byteLength(body),
      connection: 'close',
    }
    const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    this.#raw.write(
      `HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode]}\r\n${head.join('')}\r\n${body}`,
    )
    this.end()
  }

  /** Leaves it to a handshake of ours: whatever Fastify still writes gets nowhere. */
  takeOver(): void {
    this.#state = 'given'
    this.#reply?.hijack()
    this.#detach()
  }

  /** Ends the stream when all that was written to it has left; not where another answer is on its way. */
  end(): void {
    const raw = this.#raw
    raw.on('error', destroyRaw)
    if (this.#isBehind && isResponding(raw)) return
    // Unread bytes would turn the end of the stream into a reset, and the answer might be lost.
    raw.resume()
    raw.once('finish', destroyRaw)
    raw.end()
  }

  /**
   * Takes Fastify's response off the stream, which would keep it for as long as the connection. That the
   * stream has closed it is told all the same.
   */
  #detach(): void {
    const raw = this.#raw
    const response = this.#reply?.raw
    if (response?.socket !== raw) return
    response.detachSocket(raw as Socket)
    if (response.listenerCount('close') > 0) raw.once('close', () => response.emit('close'))
  }
}

function destroyRaw(this: Duplex): void {
  this.destroy()
}
