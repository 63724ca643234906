import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import type { StepOwner } from '../callbacks/run-step.js'
import type { CloseInfo, TransportFacts } from '../core/close/info.js'
import { type Effect, Life } from '../core/close/life.js'
import { type CauseWithCode, type CloseCause, faultOfPeer } from '../core/close/policy.js'
import type { TransportSubject } from '../facts/subjects.js'
import type { Reader } from '../messages/reader.js'
import { kindOf } from '../options/complaints.js'
import type { RouteSettings } from '../options/settings.js'
import { queueMicrotask } from '../platform/real-time.js'
import { peek, toError } from '../platform/thrown.js'
import { hasParserFailed, isParsing } from '../platform/ws-receiver.js'
import { queuedFrames } from '../platform/ws-sender.js'
import type { Sweep, Swept } from '../time/sweep.js'
import { ClosingWatch, type ClosingWatchOwner } from './closing-watch.js'
import type { Totals } from './meter.js'
import type { Shared } from './shared.js'
import { Transport, type TransportOwner } from './transport.js'

/** How far an end has come. Each phase holds only what it needs. */
type State =
  | { readonly phase: 'open' }
  | { readonly phase: 'closing'; readonly watch: ClosingWatch }
  | { readonly phase: 'closed'; readonly close: CloseInfo }
  | { readonly phase: 'released' }

/** What `Ending` needs of its connection. */
export interface EndingOwner extends StepOwner, Swept, TransportOwner, TransportSubject {
  readonly shared: Shared
  readonly settings: RouteSettings
  readonly usedReader: Reader | undefined
  /** Whether the peer's close frame has come. */
  readonly isCloseFrameReceived: boolean
  totals(): Totals
  /** Our close frame follows at once. */
  sayLast(): void
  abortSignal(): void
  /** The end has begun. */
  noteClosing(): void
  /** The transport is gone. */
  noteClosed(close: CloseInfo): void
  /** Runs what follows when the transport is gone: messages, hooks and releases. */
  runLastSteps(close: CloseInfo): Promise<void>
  /** The last release has run. */
  over(close: CloseInfo): void
}

/**
 * The end of one connection, made at the first sign of it. It carries out what {@link Life} decides, and
 * decides nothing itself. It sends the close frame, bounds the closing handshake, and when the transport is
 * gone runs messages, hooks and releases in their order.
 */
export class Ending implements ClosingWatchOwner {
  /**
   * Whether we destroyed the transport because the peer had not gone in time: its own time, or the drain's.
   */
  wasForced = false
  readonly #owner: EndingOwner
  readonly #life = new Life()
  readonly #transport: Transport
  /** Whether we let it go as lost, because its client has another connection, or wants one. */
  #isLetGo = false
  /**
   * The phase that has been carried out. `Life` may be one step ahead, while a close frame is being written.
   */
  #state: State = { phase: 'open' }

  constructor(owner: EndingOwner) {
    this.#owner = owner
    this.#transport = new Transport(owner)
  }

  get dropsNewMessages(): boolean {
    const { messages } = this.#life
    return messages === 'all dropped' || messages === 'new ones dropped'
  }

  get life(): Pick<Life, 'cause' | 'sent' | 'wantsNoMore' | 'hasSentClose' | 'messages'> {
    return this.#life
  }

  /** Whether the end has begun. Not yet while `onHandlerError` may still decide how it ends. */
  get hasBegun(): boolean {
    return this.#state.phase !== 'open'
  }

  get raw(): Duplex {
    return this.#owner.raw
  }

  get closeTimeout(): number {
    return this.#owner.settings.closeTimeout
  }

  get sweep(): Sweep {
    return this.#owner.shared.transitions
  }

  get isClosing(): boolean {
    return this.#state.phase === 'closing'
  }

  /** Whether the last release has run. */
  get isReleased(): boolean {
    return this.#state.phase === 'released'
  }

  /** Whether the transport is gone. */
  get isClosed(): boolean {
    return this.#state.phase === 'closed' || this.isReleased
  }

  // Called by the app and by ws.

  close(code: number | undefined, reason: string | Buffer | undefined): void {
    const { raw, socket } = this.#owner
    const effects = this.#life.closeCalled({
      code,
      reason,
      isOpen: socket.readyState === WebSocket.OPEN,
      isCloseFrameReceived: this.#owner.isCloseFrameReceived,
      hasParserFailed: hasParserFailed(socket),
      isGone: raw.destroyed,
    })
    this.#carryOut(effects, () => WebSocket.prototype.close.call(socket, code, reason))
  }

  terminate(cause: CloseCause): void {
    const { raw, socket } = this.#owner
    this.#isLetGo ||= cause === 'connection-lost'
    const effects = this.#life.terminated(cause, {
      isClosed: socket.readyState === WebSocket.CLOSED,
      isGone: raw.destroyed,
    })
    this.#carryOut(effects, () => WebSocket.prototype.terminate.call(socket))
  }

  // Called by the plugin.

  /** Starts the closing handshake of an open connection. */
  begin(cause: CauseWithCode | 'shutdown', code: number, reason: string): void {
    this.#carryOut(this.#life.ended(cause, code, reason))
  }

  callbackFailed(error: Error): void {
    this.#carryOut(this.#life.callbackFailed(error))
  }

  /** See {@link ClosingWatch.hurry}. */
  hurry(): void {
    if (this.#state.phase === 'closing') this.#state.watch.hurry()
  }

  /** Ends a closing handshake that takes too long. */
  overdue(): void {
    if (this.isClosing) {
      this.wasForced = true
      this.#transport.destroy()
    }
  }

  // Called by ws and by the raw stream.

  /** ws has emitted `'error'`. Either it tells what the peer did wrong, or it is not the peer's fault. */
  errorSeen(error: Error): void {
    const fault = faultOfPeer(peek(error, 'code'))
    if (fault !== undefined) {
      this.#carryOut(this.#life.peerFailed(fault, error))
      return
    }
    // The cause is recorded first, so that nothing that a hook does becomes the cause. If the error is ws's
    // own, ws is CLOSING by now, and no frame follows. If the app has emitted it, `fail` sends the frame
    // before.
    this.callbackFailed(error)
    this.#owner.fail(error, 'error')
    this.#carryOut(this.#life.socketFailed())
  }

  finReceived(): void {
    this.#carryOut(this.#life.finReceived())
  }

  /** The socket is about to be destroyed. After that node no longer tells what the kernel took. */
  streamDestroying(bytesSent: number): void {
    this.#transport.bytesSent = bytesSent
  }

  streamClosed(): void {
    this.#transport.streamClosed()
  }

  /** ws has emitted `'close'`: no byte comes or goes any more. */
  transportGone(code: number, reason: Buffer): void {
    const { socket, raw, settings } = this.#owner
    if (socket.readyState !== WebSocket.CLOSED || this.isClosed) return
    const received = code === 1006 ? undefined : Object.freeze({ code, reason: reason.toString() })
    const { clock, facts } = this.#owner.shared
    const totals = this.#owner.totals()
    const transport: TransportFacts = {
      ...totals,
      history: facts.histories.read(this.#owner, clock.now() - totals.duration),
      transportError: raw.errored ? toError(raw.errored) : undefined,
      received,
      isSentHandedOver: queuedFrames(socket) === 0,
      bytesSent: this.#transport.bytesSent,
    }
    const close = this.#life.transportGone(transport, settings.expectedCloseCodes)
    this.#enter({ phase: 'closed', close })
    queueMicrotask(() => void this.#release(close))
  }

  /** Aborts the signal, once the cause is certain and our close frame is with the stream. */
  settle(): void {
    const { socket } = this.#owner
    const effects = this.#life.settled({
      isCloseFrameReceived: this.#owner.isCloseFrameReceived,
      isParsing: isParsing(socket),
      isSendQueued: queuedFrames(socket) > 0,
    })
    this.#carryOut(effects)
  }

  /** Carries out what was decided. If the stream throws, because somebody has patched it, the end goes on. */
  #carryOut(effects: readonly Effect[], callWs?: () => void): void {
    try {
      for (const effect of effects) this.#do(effect, callWs)
    } finally {
      if (this.#life.phase === 'closing' && !this.hasBegun) this.#beginClosing()
    }
  }

  #do(effect: Effect, callWs: (() => void) | undefined): void {
    const owner = this.#owner
    switch (effect.type) {
      case 'send close frame':
        owner.sayLast()
        return this.#transport.sendClose(effect.code, effect.reason)
      case 'leave it to ws':
        return callWs?.()
      case 'warn of code':
        return owner.shared.facts.closeCodeReplaced(owner, kindOf(effect.given), effect.sent)
      case 'terminate':
        return this.#transport.terminate()
      case 'drop what is not compressed':
        return owner.usedWriter?.dropUnprepared()
      case 'drop messages':
        return owner.usedReader?.drop()
      case 'dismiss readers':
        return owner.usedReader?.dismiss()
      case 'abort signal':
        return owner.abortSignal()
    }
  }

  #beginClosing(): void {
    this.#enter({ phase: 'closing', watch: new ClosingWatch(this) })
    queueMicrotask(() => this.settle())
  }

  /** The only place where a connection goes from one phase to the next. */
  #enter(next: Exclude<State, { readonly phase: 'open' }>): void {
    const owner = this.#owner
    const { sweep } = owner.shared
    const before = this.#state
    this.#state = next
    if (before.phase === 'open') owner.noteClosing()
    if (next.phase === 'closing') {
      sweep.delete(owner)
      owner.usedWriter?.end()
    } else if (next.phase === 'closed') {
      if (before.phase === 'closing') before.watch.stop()
      else sweep.delete(owner)
      owner.usedWriter?.transportGone()
      owner.noteClosed(next.close)
      if (!this.#isLetGo) owner.shared.facts.transportGone(owner, next.close)
    }
  }

  async #release(close: CloseInfo): Promise<void> {
    await this.#owner.runLastSteps(close)
    this.#life.released()
    this.#enter({ phase: 'released' })
    this.#owner.over(close)
  }
}
