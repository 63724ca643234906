import { CloseCode, toReason, toSendableCode } from './codes.js'
import type { CloseInfo, TransportFacts } from './info.js'
import { type CloseCause, type MessagesAfter, POLICY } from './policy.js'
import { CloseRecord } from './record.js'

/**
 * The life of a connection. What happens goes in by one method for each event; what to do comes out, as a list of
 * effects. Nothing is done here: who has read this folder knows every end, and a test needs no socket.
 *
 *     open ──▶ closing ──▶ closed ──▶ released
 *       └────────────────────▲
 *
 * `closing`: a close frame was sent or received, or a FIN came; a reset leads from `open` to `closed` at once. `closed`: the transport is gone; hooks and releases
 * follow. `released`: the last of these has run.
 */
export type Phase = 'open' | 'closing' | 'closed' | 'released'

/** What to do, in the order of the list. */
export type Effect =
  /** Sends our close frame (RFC 6455 §5.5.1); without a code it is empty. */
  | {
      readonly type: 'send close frame'
      readonly code: number | undefined
      readonly reason: string
    }
  /** It is over, or nearly: ws gets the call as it was made, as it would without us. */
  | { readonly type: 'leave it to ws' }
  /** Tells the app that it gave a code which may not be sent. */
  | { readonly type: 'warn of code'; readonly given: unknown; readonly sent: number }
  /** Destroys the transport, without a close frame. */
  | { readonly type: 'terminate' }
  /** Lets go of what still waits to be compressed, so that the peer is answered at once. */
  | { readonly type: 'drop what is not compressed' }
  /** Drops the messages that wait. */
  | { readonly type: 'drop messages' }
  /** `onMessage` and loops get no more messages. */
  | { readonly type: 'dismiss readers' }
  | { readonly type: 'abort signal' }

/** A call of `socket.close()`, as it was made. */
export interface CloseCall {
  readonly code: unknown
  readonly reason: unknown
  /** Whether ws still says OPEN. */
  readonly isOpen: boolean
  readonly isCloseFrameReceived: boolean
  /** Whether ws's parser has told of an error. */
  readonly hasParserFailed: boolean
}

/** What shows whether a cause is certain by now. */
export interface Settled {
  readonly isCloseFrameReceived: boolean
  /** Whether bytes that were received are not parsed yet. */
  readonly isParsing: boolean
  /** Whether frames of ours wait for ws, which compresses what was sent before them. */
  readonly isSendQueued: boolean
}

const NOTHING: readonly Effect[] = []

export class Life {
  readonly #record = new CloseRecord()
  #phase: Phase = 'open'
  /** Whether ws has answered the peer's close frame. */
  #hasAnsweredClose = false
  /**
   * Whether `close()` or `terminate()` was called, whatever had ended the connection by then: by the app, or by ws
   * because its parser has failed. What still waits for the route's handler is dropped then.
   */
  #wantsNoMore = false

  get phase(): Phase {
    return this.#phase
  }

  /** `undefined` as long as it is not certain. */
  get cause(): CloseCause | undefined {
    return this.#record.cause
  }

  get wantsNoMore(): boolean {
    return this.#wantsNoMore
  }

  get hasSentClose(): boolean {
    return this.#record.sent !== undefined
  }

  /** What becomes of messages, as far as the cause is known. */
  get messages(): MessagesAfter {
    const { cause } = this.#record
    return cause === undefined ? 'handled' : POLICY[cause].messages
  }

  /**
   * `socket.close()` was called: by the app; or by ws, which does so for two reasons: once to echo the peer's close
   * frame, and when its parser has failed, before it says what was wrong.
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
    this.#record.noteOwnClose()
    if (call.hasParserFailed) {
      // What came before the failure is handled, unless it still waits for the route's handler.
      const isTooBig = call.code === CloseCode.MessageTooBig
      const cause = isTooBig ? 'message-too-big' : 'protocol-error'
      return [this.#sendClose(call.code as number | undefined, cause)]
    }
    const code = toSendableCode(call.code, CloseCode.NormalClosure)
    const effects = this.#dismissal()
    if (code !== undefined && code !== call.code) {
      effects.push({ type: 'warn of code', given: call.code, sent: code })
    }
    effects.push(this.#sendClose(code, reason))
    return effects
  }

  /**
   * The transport is to be destroyed: the app wants it so, the peer is dead, or a drain's time is up.
   * @param isClosed whether ws says CLOSED
   */
  terminated(cause: CloseCause, isClosed: boolean): readonly Effect[] {
    if (cause === 'server-terminate') this.#wantsNoMore = true
    if (isClosed) return [{ type: 'leave it to ws' }]
    this.#record.note(cause)
    this.#leaveOpen()
    return [...this.#dismissal(), { type: 'terminate' }]
  }

  /**
   * The plugin ends a connection that is open, or the peer has closed it.
   * @param code what the policy says, or what the peer or the drain says in its place
   */
  ended(cause: CloseCause, code: number | undefined, reason: string): readonly Effect[] {
    const dropping = this.#note(cause, undefined)
    return [...dropping, this.#sendClose(code, reason)]
  }

  /** A callback of the app's has failed; how the connection ends is up to `onHandlerError`. */
  callbackFailed(error: Error): readonly Effect[] {
    return this.#note('handler-error', error)
  }

  /** ws has told what the peer did wrong, right after its own `close()`. */
  peerFailed(cause: CloseCause, error: Error): readonly Effect[] {
    this.#record.explain(cause, error)
    return NOTHING
  }

  /** ws has told an error that is none of the peer's: no frame may follow. */
  socketFailed(): readonly Effect[] {
    this.#leaveOpen()
    return NOTHING
  }

  /** The peer's FIN came: no more can follow, but a close frame may wait to be parsed. */
  finReceived(): readonly Effect[] {
    this.#record.noteFinished()
    this.#leaveOpen()
    return NOTHING
  }

  /** Asks whether the cause is certain by now, so that the signal may abort. */
  settled(facts: Settled): readonly Effect[] {
    const { isCloseFrameReceived, isParsing, isSendQueued } = facts
    this.#record.trustOwnClose()
    if (isCloseFrameReceived || !isParsing) this.#record.trustFinished(isCloseFrameReceived)
    // Our close frame is with the stream before listeners of the signal run.
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

  /** The first cause wins. */
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
