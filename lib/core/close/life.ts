import { CloseCode, toReason, toSendableCode } from './codes.js'
import type { CloseFrame, CloseInfo, TransportFacts } from './info.js'
import { type CloseCause, type MessagesAfter, POLICY } from './policy.js'
import { CloseRecord } from './record.js'

/**
 * The life of a connection. Each thing that can happen is a method. It returns a list of effects: what has to
 * be done. Nothing is done here. So this folder holds all that can happen at an end, and a test needs no
 * socket.
 *
 *     open ──▶ closing ──▶ closed ──▶ released
 *       └────────────────────▲
 *
 * - `closing`: a close frame was sent or received, a FIN came, ws cannot send any more, or we destroy the
 *   transport.
 * - `closed`: the transport is gone. A reset leads here from `open` directly. Hooks and releases follow.
 * - `released`: the last release has run.
 */
export type Phase = 'open' | 'closing' | 'closed' | 'released'

/** Something to do. A list of effects is carried out in its order. */
export type Effect =
  /** Sends our close frame (RFC 6455 §5.5.1). Without a code it is empty. */
  | {
      readonly type: 'send close frame'
      readonly code: number | undefined
      readonly reason: string
    }
  /** Passes the call on to ws unchanged: the socket is closing or closed already, and ws knows what to do. */
  | { readonly type: 'leave it to ws' }
  /** Writes a warning to the log: the app gave a code that may not be sent. */
  | { readonly type: 'warn of code'; readonly given: unknown; readonly sent: number }
  /** Destroys the transport, without a close frame. */
  | { readonly type: 'terminate' }
  /** Drops messages that still wait to be compressed, so that the peer gets its answer at once. */
  | { readonly type: 'drop what is not compressed' }
  /** Drops the messages that wait. */
  | { readonly type: 'drop messages' }
  /** From now on `onMessage` and `messages()` get no more messages. */
  | { readonly type: 'dismiss readers' }
  | { readonly type: 'abort signal' }

/** A call of `socket.close()`, with what ws says at that moment. */
export interface CloseCall {
  readonly code: unknown
  readonly reason: unknown
  /** Whether ws still says OPEN. */
  readonly isOpen: boolean
  readonly isCloseFrameReceived: boolean
  /** Whether ws's parser has failed. */
  readonly hasParserFailed: boolean
  /** See {@link Termination.isGone}. */
  readonly isGone: boolean
}

/** Somebody wants to destroy the transport. */
export interface Termination {
  /** Whether ws says CLOSED. */
  readonly isClosed: boolean
  /**
   * Whether the stream is destroyed already, though ws has not told of it. Then that is the cause, and not what
   * the app does meanwhile.
   */
  readonly isGone: boolean
}

/** What shows whether the cause of an end is certain by now. */
export interface Settled {
  readonly isCloseFrameReceived: boolean
  /** Whether ws has not parsed all received bytes yet. */
  readonly isParsing: boolean
  /** Whether frames of ours wait in ws's queue, for messages before them to be compressed. */
  readonly isSendQueued: boolean
}

const NOTHING: readonly Effect[] = []

export class Life {
  readonly #record = new CloseRecord()
  #phase: Phase = 'open'
  /** Whether ws has echoed the peer's close frame. */
  #hasAnsweredClose = false
  /**
   * Whether `close()` or `terminate()` was called by the app, or by ws because its parser has failed. It does
   * not matter what had ended the connection by then. Messages that still wait for the route's handler are
   * dropped then.
   */
  #wantsNoMore = false

  get phase(): Phase {
    return this.#phase
  }

  /** Why the connection ends; `undefined` as long as that is not certain. */
  get cause(): CloseCause | undefined {
    return this.#record.cause
  }

  get wantsNoMore(): boolean {
    return this.#wantsNoMore
  }

  get hasSentClose(): boolean {
    return this.#record.sent !== undefined
  }

  /** Our close frame; if it is an echo, the peer's. Its code is 1005 if it was empty. */
  get sent(): CloseFrame | undefined {
    return this.#record.sent
  }

  /** What happens to messages. As long as no cause is known they are handled. */
  get messages(): MessagesAfter {
    const { cause } = this.#record
    return cause === undefined ? 'handled' : POLICY[cause].messages
  }

  /**
   * `socket.close()` was called, by the app or by ws. ws calls it for two reasons: once to echo the peer's
   * close frame, and when its parser has failed, before it says what was wrong.
   */
  closeCalled(call: CloseCall): readonly Effect[] {
    const isEcho = call.isCloseFrameReceived && !this.#hasAnsweredClose
    if (isEcho) this.#hasAnsweredClose = true
    else this.#wantsNoMore = true
    if (!call.isOpen) {
      this.#record.trustOwnClose()
      return [{ type: 'leave it to ws' }]
    }
    const reason = toReason(call.reason)
    if (isEcho) {
      const frame = this.ended('client-close', call.code as number | undefined, reason)
      return [{ type: 'drop what is not compressed' }, ...frame]
    }
    if (call.hasParserFailed) {
      // Messages from before the failure are handled, unless they still wait for the route's handler.
      const isTooBig = call.code === CloseCode.MessageTooBig
      const cause = isTooBig ? 'message-too-big' : 'protocol-error'
      this.#record.noteOwnClose(cause)
      return [this.#sendClose(call.code as number | undefined, cause)]
    }
    if (!call.isGone) this.#record.noteOwnClose('server-close')
    const code = toSendableCode(call.code, CloseCode.NormalClosure)
    const effects = this.#dismissal()
    if (code !== undefined && code !== call.code) {
      effects.push({ type: 'warn of code', given: call.code, sent: code })
    }
    effects.push(this.#sendClose(code, reason))
    return effects
  }

  /**
   * The transport has to be destroyed: the app wants it, the peer is dead, or the time of a drain is up.
   */
  terminated(cause: CloseCause, { isClosed, isGone }: Termination): readonly Effect[] {
    if (cause === 'server-terminate') this.#wantsNoMore = true
    if (isClosed) return [{ type: 'leave it to ws' }]
    if (!isGone) this.#record.note(cause)
    this.#leaveOpen()
    return [...this.#dismissal(), { type: 'terminate' }]
  }

  /**
   * The plugin ends an open connection, or the peer has closed it.
   * @param code of the policy's row, of the peer's frame, or of the drain's options
   */
  ended(cause: CloseCause, code: number | undefined, reason: string): readonly Effect[] {
    const dropping = this.#note(cause, undefined)
    return [...dropping, this.#sendClose(code, reason)]
  }

  /**
   * A callback of the app has failed. This records the cause only: `onHandlerError` may still decide how the
   * connection ends.
   */
  callbackFailed(error: Error): readonly Effect[] {
    return this.#note('handler-error', error)
  }

  /** ws has told what the peer did wrong, right after its own call of `close()`. */
  peerFailed(cause: CloseCause, error: Error): readonly Effect[] {
    this.#record.explain(cause, error)
    return NOTHING
  }

  /** ws has told an error that is not the peer's fault. After it ws sends no frame. */
  socketFailed(): readonly Effect[] {
    this.#leaveOpen()
    return NOTHING
  }

  /**
   * The peer's FIN came. No more bytes can follow, but a close frame before it may still wait to be parsed.
   */
  finReceived(): readonly Effect[] {
    this.#record.noteFinished()
    this.#leaveOpen()
    return NOTHING
  }

  /** Looks whether the cause is certain by now. Then the signal may abort. */
  settled(facts: Settled): readonly Effect[] {
    const { isCloseFrameReceived, isParsing, isSendQueued } = facts
    this.#record.trustOwnClose()
    if (isCloseFrameReceived || !isParsing) this.#record.trustFinished(isCloseFrameReceived)
    // Listeners of the signal run only when our close frame is with the stream.
    return this.#record.cause !== undefined && !isSendQueued ? [{ type: 'abort signal' }] : NOTHING
  }

  /** The transport is gone. @returns the verdict */
  transportGone(facts: TransportFacts, expectedCloseCodes: readonly number[]): CloseInfo {
    this.#phase = 'closed'
    return this.#record.conclude(facts, expectedCloseCodes)
  }

  /** The last release has run. */
  released(): void {
    this.#phase = 'released'
  }

  /** Notes a cause. Only the first one counts. */
  #note(cause: CloseCause, error: Error | undefined): readonly Effect[] {
    this.#record.note(cause, error)
    const isFirst = this.#record.cause === cause
    return isFirst && this.messages === 'all dropped' ? [{ type: 'drop messages' }] : NOTHING
  }

  #dismissal(): Effect[] {
    return this.messages === 'for listeners only' ? [{ type: 'dismiss readers' }] : []
  }

  #sendClose(code: number | undefined, reason: string): Effect {
    this.#record.noteSent(code, reason)
    this.#leaveOpen()
    return { type: 'send close frame', code, reason }
  }

  #leaveOpen(): void {
    if (this.#phase === 'open') this.#phase = 'closing'
  }
}
