import { Socket } from 'node:net'
import { WebSocket } from 'ws'
import type { ConnectionDescription } from '../api/lifecycle.js'
import type { Occupant } from '../core/admission/succession.js'
import { type CauseWithCode, type CloseCause, POLICY } from '../core/close/policy.js'
import type { Silence } from '../core/diagnosis/idle-cluster.js'
import type { LiveConnection } from '../facts/registry.js'
import { addTotals, type Traffic } from '../facts/traffic.js'
import type { Member, MemberOutbox } from '../groups/membership.js'
import { Pongs, type PongsOwner } from '../liveness/pongs.js'
import { toExpiry } from '../options/expiry.js'
import type { LastLooker } from '../platform/raw-watcher.js'
import { setImmediate } from '../platform/real-time.js'
import { toError } from '../platform/thrown.js'
import { keepParts } from '../platform/ws-receiver.js'
import type { Handler } from '../routes/route.js'
import { afterNextPoll } from '../time/sweep.js'
import { describeConnection } from './describe.js'
import { ConnectionParts } from './parts.js'
import type { SocketOwner } from './socket-owner.js'

/**
 * One connection, from the 101 to its last release. It has a door (a method) for all that the app does, that
 * ws and the raw stream tell, and that the plugin does. It decides nothing: how a connection ends is decided
 * in core/close/, and {@link Ending} carries it out. Its parts are in {@link ConnectionParts}.
 */
export class Connection
  extends ConnectionParts
  implements LastLooker, LiveConnection, Member, Occupant, PongsOwner, SocketOwner
{
  #pongs: Pongs | undefined

  get isStaying(): boolean {
    return this.isOpen
  }

  // Called by the app, through its socket.

  /** ws calls it too: see {@link Life.closeCalled}. */
  close(code: number | undefined, reason: string | Buffer | undefined): void {
    this.ending.close(code, reason)
  }

  terminate(cause: CloseCause): void {
    this.ending.terminate(cause)
  }

  expireAt(when: Date | number): void {
    this.setExpiresAt(toExpiry(when, `socket.expireAt() of route ${this.routeUrl}`))
  }

  /** @param expiresAt epoch ms */
  setExpiresAt(expiresAt: number): void {
    if (this.timeWatch === undefined) {
      this.timeWatch = this.makeTimeWatch(expiresAt)
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

  describe(): ConnectionDescription {
    return describeConnection(this)
  }

  /** The connection, or its session, as groups know it. */
  get member(): Member {
    return this
  }

  get mayJoin(): boolean {
    return this.isOpen && !this.hasLeftOpen
  }

  get outboxForGroups(): MemberOutbox {
    return this.writer
  }

  addTraffic(traffic: Traffic): void {
    const { meter, socket, usedReader } = this
    if (usedReader !== undefined) {
      traffic.inboxMessages += usedReader.inbox.waiting
      traffic.inboxBytes += usedReader.inbox.bytes
    }
    if (this.usedEnding?.isClosed === true) return
    const { bytesReceived } = meter.totals()
    const { messagesReceived, sent: messagesSent } = this
    addTotals(traffic, {
      messagesReceived,
      messagesSent,
      bytesReceived,
      bytesSent: meter.bytesSent(),
    })
    traffic.outboxBytes += socket.bufferedAmount
  }

  override get silence(): Silence {
    const { pinged, ...silence } = super.silence
    const { duration } = this.meter.totals()
    const received = Math.min(silence.received, duration)
    // A pong leaves when a ping comes, and nobody has noted which frame was a ping.
    const ponged = this.#pongs === undefined ? duration : received
    return { received, sent: Math.min(silence.sent, ponged), pinged }
  }

  listened(): void {
    this.usedReader?.listened()
  }

  // Called by ws and by the raw stream.

  admits(event: string | symbol, first: unknown, second: unknown): boolean {
    switch (event) {
      case 'message':
        return this.countMessage() && this.handOver(first, second === true)
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
        // The error is recorded by now. Without a listener the emitter would throw it.
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
    // A stream that is no socket (injectWS) is not destroyed by anybody when both sides are done. So we do
    // it.
    if (!(this.raw instanceof Socket)) setImmediate(() => this.raw.destroy())
  }

  rawDestroying(): void {
    this.ending.streamDestroying(this.meter.bytesSent())
  }

  rawClosed(): void {
    this.ending.streamClosed()
  }

  // Called by the plugin and by the parts.

  end(cause: CauseWithCode, reason: string = cause): void {
    if (this.isOpen) this.ending.begin(cause, POLICY[cause].code, reason)
  }

  shutDown(code: number, reason: string, _reconnectWindow: number): void {
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
    // The connection seems half-open. But an answer may be in the kernel already, so look again after a poll.
    // Our close frame is in the kernel too, so the peer gets to know if it is there after all.
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

  runHandler(handler: Handler): void {
    this.callbacks.run(handler)
  }

  notePing(isAgain: boolean): void {
    this.noteControl()
    this.shared.facts.peerPinged(this, isAgain)
  }

  noteSuspicion(pingedAt: number): void {
    this.shared.facts.peerSuspected(this, pingedAt)
  }

  notePong(latency: number): void {
    this.shared.facts.peerPonged(this, latency)
  }

  noteClosing(): void {
    this.shared.facts.connectionClosing(this, this.usedEnding?.life.cause)
    this.membership?.end()
  }

  sayLast(): void {
    this.membership?.catchUp()
  }

  verdictAverted(cause: CloseCause): void {
    this.shared.facts.verdictAverted(this, cause)
  }

  isSparedBy(lateness: number): boolean {
    return this.keepalive?.isSparedBy(lateness) === true
  }

  noteControl(): void {
    this.timeWatch?.noteControl()
  }

  protected noteReleased(): void {
    this.shared.facts.connectionReleased(this)
  }

  /** Counts a message that has come. @returns whether it may be handed over */
  protected countMessage(): boolean {
    this.heard()
    this.messagesReceived++
    const isWithinRate = this.rate === undefined || this.rate.admits()
    if (!isWithinRate) this.end('rate-limited')
    if (isWithinRate && this.usedEnding?.dropsNewMessages !== true) return true
    this.shared.facts.messagesDropped(this, 'received')
    return false
  }

  /** @returns whether plain listeners get the message now */
  protected handOver(data: unknown, isBinary: boolean): boolean {
    return this.usedReader === undefined || this.usedReader.accept(data, isBinary)
  }

  #answerPing(data: Buffer): void {
    if (!this.shared.answersPings) return
    this.bytesUnseen += data.length
    this.#pongs ??= new Pongs(this)
    this.#pongs.answer(data)
  }

  get phase(): ConnectionDescription['state'] {
    if (this.isReleased) return 'ended'
    return this.hasLeftOpen ? 'ending' : 'open'
  }

  get #isSilent(): boolean {
    return this.keepalive?.isSilent(this.shared.sweep.forgivingNow) === true
  }
}
