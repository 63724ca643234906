import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { bodyOf, JSON_TYPE, type LifecycleError } from '../errors.js'
import { isResponding, responseOf } from '../platform/node-internals.js'
import { isError } from '../platform/thrown.js'
import { handshakeHeaders } from './handshake-headers.js'

/**
 * How far the answer has come:
 * - `none`: nobody has begun to answer.
 * - `failed`: there was a first error. The app's error handler may still refuse in its own way.
 * - `begun`: Fastify, or ws with a handshake, has begun to answer. We cannot change it.
 * - `given`: we have given the answer ourselves.
 *
 *     none ──▶ failed ──▶ begun
 *       └────────┴──────▶ given
 */
type State = 'none' | 'failed' | 'begun' | 'given'

/** The status of a handshake. */
export const SWITCHING = 101

/** The one answer that an upgrade gets. Fastify, ws or this plugin gives it. */
export class Answer {
  readonly #raw: Duplex
  /** `raw.bytesWritten` before the answer; `undefined` where the stream does not count. */
  readonly #bytesBefore: number | undefined
  /**
   * Whether the answer of an earlier request on the same socket has to come first: the client did not wait
   * for it.
   */
  readonly #isBehind: boolean
  #reply: FastifyReply | undefined
  /** The response to which Fastify writes. It is known once Fastify has been given the request. */
  #response: ServerResponse | undefined
  #state: State = 'none'

  constructor(raw: Duplex) {
    this.#raw = raw
    this.#isBehind = isResponding(raw)
    this.#bytesBefore = raw instanceof Socket ? raw.bytesWritten : undefined
  }

  /** Whether nobody has begun to answer. */
  get isOpen(): boolean {
    return this.#state === 'none'
  }

  get isGiven(): boolean {
    return this.#state === 'given'
  }

  /** Whether nobody has begun to answer; there may have been a first error. */
  get mayBeTaken(): boolean {
    return this.#state === 'none' || this.#state === 'failed'
  }

  /** Whether other code has written to the stream past Fastify: another handshake, or a tunnel. */
  get isForeign(): boolean {
    const isBegun = this.#response?.headersSent !== false
    return this.mayBeTaken && !isBegun && !this.isUnwritten
  }

  /** Whether somebody else gives the answer, so that we must not write a second one. */
  get isTheirs(): boolean {
    return this.#state === 'begun' || (!this.isGiven && !this.isUnwritten)
  }

  /** Whether an answer may be written: no byte of it, nor of an earlier answer, is on its way. */
  get isUnwritten(): boolean {
    if (this.#isBehind) return false
    if (this.#bytesBefore !== undefined) {
      return (this.#raw as Socket).bytesWritten === this.#bytesBefore
    }
    return this.#reply?.raw.headersSent !== true
  }

  /** The status that Fastify has answered with; `undefined` if it has not. */
  get statusCode(): number | undefined {
    const response = this.#reply?.raw
    return response?.headersSent === true ? response.statusCode : undefined
  }

  /** Fastify can answer from now on. */
  enter(reply: FastifyReply): void {
    this.#reply = reply
  }

  /** The app answers in its own way, and we have no part in it. */
  leaveToApp(): void {
    this.#state = 'begun'
  }

  /**
   * Watches a request that Fastify has been given, but that none of our hooks has seen yet.
   * @param listener called once there is a whole answer; learns whether any hooks have seen the request, and the
   * status of the answer
   */
  watchUnseen(
    message: IncomingMessage,
    listener: (wereHooksRun: boolean, statusCode: number) => void,
  ): void {
    const response = responseOf(this.#raw)
    // While an earlier response is being written, the request has none yet.
    if (response?.req !== message) return
    this.#response = response
    // Where there are hooks, Fastify listens for the end of the response too, until it is told.
    const tell = (): void => listener(response.listenerCount('finish') > 0, response.statusCode)
    if (response.writableEnded) tell()
    else response.prependOnceListener('prefinish', tell)
  }

  /**
   * The header lines for a 101, beside those of the handshake itself. Throws what node throws for headers
   * that may not be sent.
   */
  handshakeHeaders(): string[] | undefined {
    return this.#reply && handshakeHeaders(this.#reply)
  }

  /** ws answers with a handshake: no byte of Fastify may follow. */
  leaveToHandshake(): void {
    this.#state = 'begun'
    this.#detach()
  }

  /**
   * Fastify was told to send this.
   * @returns whether that is the answer; a first error is not
   */
  noteSend(payload: unknown): boolean {
    const isFirstError = isError(payload) && this.#state === 'none'
    this.#state = isFirstError ? 'failed' : 'begun'
    return !isFirstError
  }

  onceWritten(listener: () => void): void {
    this.#reply?.raw.once('finish', listener)
  }

  /** Sets the headers of an error of ours: an error handler of the app may not know of them. */
  setHeaders({ headers = {} }: LifecycleError): void {
    this.#reply?.headers(headers)
  }

  /** Answers from outside of Fastify, in the form of its errors, and ends the stream. */
  give(error: LifecycleError): void {
    this.#state = 'given'
    // From here on Fastify starts no hook. We cannot use `reply.send`: an answer may be on its way already,
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

  /** Answers with a handshake of our own: nothing that Fastify still writes gets out. */
  takeOver(): void {
    this.#state = 'given'
    this.#reply?.hijack()
    this.#detach()
  }

  /** Ends the stream when everything written to it has left; not while another answer is on its way. */
  end(): void {
    const raw = this.#raw
    raw.on('error', destroyRaw)
    if (this.#isBehind && isResponding(raw)) return
    // Reads what is left: unread bytes would turn the end of the stream into a reset, and the answer might be
    // lost.
    raw.resume()
    raw.once('finish', destroyRaw)
    raw.end()
  }

  /**
   * Takes Fastify's response off the stream. Otherwise the stream would hold it for as long as the
   * connection. The response still gets its `'close'` when the stream closes.
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
