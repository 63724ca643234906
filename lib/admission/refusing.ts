import type { FastifyReply } from 'fastify'
import type { RefusalReason } from '../api/lifecycle.js'
import type { Shared } from '../connection/shared.js'
import { type LifecycleError, tooLateToRefuse } from '../errors.js'
import type { RouteSettings } from '../options/settings.js'
import type { Answer } from './answer.js'
import type { Handshake } from './upgrade-request.js'
import type { Refusal } from './verdict.js'

/** What `Refusing` needs of its upgrade. */
export interface RefusingOwner {
  readonly shared: Pick<Shared, 'accept'>
  readonly routeUrl: string
  readonly settings: RouteSettings
  readonly answer: Answer
  /** The request as node gave it, for a handshake. */
  readonly handshake: Handshake
  readonly isRefused: boolean
  /** Whether the request is over without a connection. */
  readonly isOver: boolean
  /** Counts and logs a refusal; whoever calls it sees to the answer. */
  refuse(reason: RefusalReason, why: string): void
  /** Its peer has to be gone within `closeTimeout`. */
  endSoon(): void
  /** Lines for the 101. */
  setHeaders(lines: readonly string[] | undefined): void
  /** The handshake threw. */
  handshakeFailed(error: unknown): void
}

/** The ways in which an upgrade is told no. */
export class Refusing {
  readonly #owner: RefusingOwner

  constructor(owner: RefusingOwner) {
    this.#owner = owner
  }

  /**
   * For a verdict of ours, in the way that the route wants.
   * @returns what Fastify is to answer; `undefined` if it was answered
   */
  turnAway({ reason, error, closeCode }: Refusal): LifecycleError | undefined {
    const owner = this.#owner
    owner.refuse(reason, error.message)
    if (owner.settings.refuse === 'close-frame') {
      this.closeAtOnce(closeCode, reason)
      return undefined
    }
    owner.answer.setHeaders(error)
    return error
  }

  /**
   * For the app: `reply.refuseWebsocket()`.
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
    // An error handler may say in its own way what we have refused.
    const what = code === undefined ? 'no code' : `${code} ${reason}`.trimEnd()
    if (!owner.isRefused) owner.refuse('hook', `the app closed it with ${what}`)
    this.closeAtOnce(code, reason)
  }

  /** From outside of Fastify's hooks: one of them may never settle. */
  refuseNow(reason: RefusalReason, error: LifecycleError): void {
    const owner = this.#owner
    if (owner.answer.isUnwritten) {
      owner.refuse(reason, error.message)
      owner.answer.give(error)
    } else {
      // Fastify has answered, outside of our encapsulation: nobody ends that socket but us.
      owner.endSoon()
      owner.answer.end()
    }
  }

  /** Completes the handshake only to close: that is what a browser's page can see. */
  closeAtOnce(code: number | undefined, reason: string): void {
    const { answer, handshake, shared } = this.#owner
    answer.takeOver()
    try {
      this.#owner.setHeaders(answer.handshakeHeaders())
      shared.accept(...handshake, (socket) => {
        // What a refused peer still says is heard by nobody, and what it does wrong concerns nobody.
        socket.on('error', ignore)
        socket.close(code, reason)
      })
    } catch (error) {
      // From a function that the app gave to ws.
      this.#owner.handshakeFailed(error)
    }
  }
}

function ignore(): void {}
