import type { FastifyReply } from 'fastify'
import type { WebSocket } from 'ws'
import type { RefusalReason } from '../api/lifecycle.js'
import type { Shared } from '../connection/shared.js'
import { type LifecycleError, tooLateToRefuse } from '../errors.js'
import type { RouteSettings } from '../options/settings.js'
import { type Answer, SWITCHING } from './answer.js'
import type { Handshake } from './upgrade-request.js'
import type { Refusal } from './verdict.js'

/** What `Refusing` needs of its upgrade. */
export interface RefusingOwner {
  readonly shared: Pick<Shared, 'accept'>
  readonly routeUrl: string
  readonly settings: RouteSettings
  readonly answer: Answer
  /** The arguments that node gave with the upgrade, for a handshake. */
  readonly handshake: Handshake
  readonly isRefused: boolean
  /** Whether the request is over without a connection. */
  readonly isOver: boolean
  /** Counts and logs a refusal. The caller gives the answer, with this status. */
  refuse(reason: RefusalReason, why: string, statusCode: number | undefined): void
  /** Gives the peer `closeTimeout` to go. */
  endSoon(): void
  /** Sets the header lines of the 101. */
  setHeaders(lines: readonly string[] | undefined): void
  /** The handshake threw. */
  handshakeFailed(error: unknown): void
}

/** The ways to refuse an upgrade. */
export class Refusing {
  readonly #owner: RefusingOwner

  constructor(owner: RefusingOwner) {
    this.#owner = owner
  }

  /**
   * Refuses because of a verdict of ours, in the way that the route's `refuse` says.
   * @returns the error that Fastify has to answer with; `undefined` if the upgrade was answered here
   */
  turnAway({ reason, error, closeCode }: Refusal): LifecycleError | undefined {
    const owner = this.#owner
    const isFrame = owner.settings.refuse === 'close-frame'
    owner.refuse(reason, error.message, isFrame ? SWITCHING : error.statusCode)
    if (isFrame) {
      this.closeAtOnce(closeCode, reason)
      return undefined
    }
    owner.answer.setHeaders(error)
    return error
  }

  /**
   * Refuses for the app: `reply.refuseWebsocket()`.
   * @throws FST_ERR_WSL_TOO_LATE_TO_REFUSE
   */
  refuseForApp(reply: FastifyReply, code: number | undefined, reason: string): void {
    const owner = this.#owner
    const isOver = owner.isOver || owner.answer.isGiven
    if (!isOver && owner.answer.isTheirs) throw tooLateToRefuse(`GET ${owner.routeUrl}`)
    if (isOver) {
      reply.hijack()
      return
    }
    // After a refusal of ours, an error handler may answer it in its own way.
    const what = code === undefined ? 'no code' : `${code} ${reason}`.trimEnd()
    if (!owner.isRefused) owner.refuse('hook', `the app closed it with ${what}`, SWITCHING)
    this.closeAtOnce(code, reason)
  }

  /** Refuses from outside of Fastify's hooks, because one of these may never settle. */
  refuseNow(reason: RefusalReason, error: LifecycleError): void {
    const owner = this.#owner
    if (owner.answer.isUnwritten) {
      owner.refuse(reason, error.message, error.statusCode)
      owner.answer.give(error)
    } else {
      // Fastify has answered, outside of our encapsulation. Nobody but us will end that socket.
      owner.endSoon()
      owner.answer.end()
    }
  }

  /** Completes the handshake only to send a close frame. That is what a page in a browser can see. */
  closeAtOnce(code: number | undefined, reason: string): void {
    const { answer, handshake, shared } = this.#owner
    answer.takeOver()
    try {
      this.#owner.setHeaders(answer.handshakeHeaders())
      shared.accept(...handshake, (socket) => {
        closeUnseen(socket, code, reason)
      })
    } catch (error) {
      // The error is from a function that the app gave to ws.
      this.#owner.handshakeFailed(error)
    }
  }
}

/** Closes a socket that no handler has seen. */
export function closeUnseen(socket: WebSocket, code: number | undefined, reason: string): void {
  // Nobody listens to a refused peer, so its errors do not matter.
  socket.on('error', ignore)
  socket.close(code, reason)
}

function ignore(): void {}
