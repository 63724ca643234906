import { Socket } from 'node:net'
import { WebSocket } from 'ws'
import type { Occupant } from '../core/admission/succession.js'
import { type CauseWithCode, type CloseCause, POLICY } from '../core/close/policy.js'
import type { LiveConnection } from '../facts/registry.js'
import { Pongs, type PongsOwner } from '../liveness/pongs.js'
import { TimeWatch } from '../liveness/time-watch.js'
import { toExpiry } from '../options/expiry.js'
import type { LastLooker } from '../platform/raw-watcher.js'
import { setImmediate } from '../platform/real-time.js'
import { toError } from '../platform/thrown.js'
import { keepParts } from '../platform/ws-receiver.js'
import { afterNextPoll } from '../time/sweep.js'
import { ConnectionParts } from './parts.js'
import type { SocketOwner } from './socket-owner.js'

/**
 * One connection, from the 101 to its last release: its doors, for what the app does, for what ws and the raw stream
 * tell, and for what the plugin does. Nothing is decided here. How a connection ends is decided in core/close/, and
 * carried out by {@link Ending}; what it is made of is in {@link ConnectionParts}.
 */
export class Connection
  extends ConnectionParts
  implements LastLooker, LiveConnection, Occupant, PongsOwner, SocketOwner
{
  #pongs: Pongs | undefined

  get isStaying(): boolean {
    return this.isOpen
  }

  // What the app does, through its socket.

  /** Called by ws, too: see {@link Life.closeCalled}. */
  close(code: number | undefined, reason: string | Buffer | undefined): void {
    this.ending.close(code, reason)
  }

  terminate(cause: CloseCause): void {
    this.ending.terminate(cause)
  }

  expireAt(when: Date | number): void {
    const expiresAt = toExpiry(when, `socket.expireAt() of route ${this.routeUrl}`)
    if (this.timeWatch === undefined) {
      this.timeWatch = new TimeWatch(this, this.settings, expiresAt)
    } else {
      this.timeWatch.expiresAt = expiresAt
    }
    this.lookBy(this.shared.clock.now())
  }

  setBlobs(areWanted: boolean): void {
    if (areWanted) {
      this.reader.tellsBlobs = true
      keepParts(this.socket)
    } else if (this.usedReader !== undefined) {
      this.usedReader.tellsBlobs = false
    }
  }

  listened(): void {
    this.usedReader?.listened()
  }

  // What ws and the raw stream tell.

  admits(event: string | symbol, first: unknown, second: unknown): boolean {
    switch (event) {
      case 'message':
        return this.#admitsMessage(first, second === true)
      case 'ping':
        this.heard()
        this.#answerPing(first as Buffer)
        return true
      case 'pong':
        this.heard()
        if (this.keepalive?.pong(first as Buffer)) this.heardAnswer(this.keepalive)
        return true
      case 'error':
        this.ending.errorSeen(toError(first))
        // It is recorded; an emitter without a listener would throw it once more.
        return this.socket.listenerCount('error') > 0
      case 'close':
        this.ending.transportGone(first as number, second as Buffer)
        return true
      default:
        return true
    }
  }

  unheard(data: unknown, isBinary: boolean): void {
    this.reader.unheard(data, isBinary)
  }

  rawEnded(): void {
    this.ending.finReceived()
    // A stream that is no socket has nobody who destroys it when both sides are done (injectWS).
    if (!(this.raw instanceof Socket)) setImmediate(() => this.raw.destroy())
  }

  rawDestroying(): void {
    this.ending.streamDestroying(this.meter.bytesSent())
  }

  rawClosed(): void {
    this.ending.streamClosed()
  }

  // What the plugin and the parts do.

  end(cause: CauseWithCode, reason: string = cause): void {
    if (this.isOpen) this.ending.begin(cause, POLICY[cause].code, reason)
  }

  shutDown(code: number, reason: string): void {
    if (!this.isOpen) return
    // The drain no longer waits for the goodbye.
    this.usedGoodbye?.end('overran')
    this.ending.begin('shutdown', code, reason)
  }

  sayGoodbye(remaining: number): Promise<void> | undefined {
    return this.goodbye.say(remaining)
  }

  catchUp(remaining: number): Promise<void> | undefined {
    return this.goodbye.catchUp(remaining)
  }

  destroyNow(): void {
    if (this.socket.readyState === WebSocket.CLOSED) return
    this.ending.wasForced = true
    this.terminate('shutdown')
  }

  /** A newer connection of the same key waits for the place. */
  giveWay(): void {
    const isSilent = this.#isSilent
    this.end('replaced')
    this.usedEnding?.hurry()
    // Half-open, as it seems: but an answer may be in the kernel already. Our close frame is there, too, so that the
    // peer gets to know if it is there after all.
    if (isSilent) afterNextPoll(() => this.#isSilent && this.usedEnding?.overdue())
  }

  fail(error: unknown, step: string): void {
    this.callbacks.fail(error, step)
  }

  noteHandlerError(error: Error): void {
    if (this.isOpen) this.ending.callbackFailed(error)
  }

  endOfHandlerError(): void {
    this.end('handler-error')
  }

  handlerSettled(hasFailed: boolean): void {
    this.isHandlerSettled = true
    const hasRefused = this.usedEnding?.life.wantsNoMore === true
    this.usedReader?.handlerSettled(hasFailed || hasRefused)
  }

  noteUnread(duration: number): void {
    this.rate?.excuse(duration)
  }

  flush(): void {
    this.usedWriter?.flush()
  }

  noteControl(): void {
    this.timeWatch?.noteControl()
  }

  /** @returns whether plain listeners are to hear it at once */
  #admitsMessage(data: unknown, isBinary: boolean): boolean {
    this.heard()
    this.messagesReceived++
    const isWithinRate = this.rate === undefined || this.rate.admits()
    if (!isWithinRate) this.end('rate-limited')
    if (!isWithinRate || this.usedEnding?.dropsNewMessages === true) {
      this.shared.facts.messagesDropped(1)
      return false
    }
    return this.usedReader === undefined || this.usedReader.accept(data, isBinary)
  }

  #answerPing(data: Buffer): void {
    if (!this.shared.answersPings) return
    this.bytesUnseen += data.length
    this.#pongs ??= new Pongs(this)
    this.#pongs.answer(data)
  }

  get #isSilent(): boolean {
    return this.keepalive?.isSilent(this.shared.sweep.forgivingNow) === true
  }
}
