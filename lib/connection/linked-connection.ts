import { WebSocket } from 'ws'
import { CloseCode } from '../core/close/codes.js'
import { back, KEEP_SESSION, welcome, type Welcome } from '../core/session/link.js'
import { Incoming } from '../core/session/numbering.js'
import { LinkedWriter } from '../outbox/linked-writer.js'
import type { Writer } from '../outbox/writer.js'
import { sizeOfReceived } from '../platform/payload.js'
import { bufferedByWs } from '../platform/ws-sender.js'
import { closeCodeReceived, forgetCloseFrame } from '../platform/ws-socket.js'
import type { ClientParts } from '../session/client-parts.js'
import { Connection } from './connection.js'
import type { Handover } from './handover.js'
import { Link, type LinkOwner } from './link.js'
import type { Shared } from './shared.js'
import type { ConnectionSocket } from './socket.js'

const NO_REASON = Buffer.alloc(0)

/** What a connection has in common with others of its session, and whether its client speaks the link. */
export interface LinkedParts extends ClientParts {
  readonly isLinked: boolean
  readonly incoming: Incoming
}

/**
 * A connection whose client is ours. The two speak the link: control frames among the messages, which the app
 * does not see.
 */
export class LinkedConnection extends Connection implements LinkOwner {
  /** `undefined` for another client, on a route with sessions. */
  protected readonly link: Link | undefined
  #acknowledged = 0

  constructor(shared: Shared, socket: ConnectionSocket, handover: Handover, client?: LinkedParts) {
    super(shared, socket, handover, client)
    if (client?.isLinked !== false) this.link = new Link(this, client?.incoming ?? new Incoming())
  }

  /** A close frame by which the client lets the connection go does not count: to the app it is lost. */
  override get isCloseFrameReceived(): boolean {
    return super.isCloseFrameReceived && !this.#isLetGo
  }

  get hasRoom(): boolean {
    return bufferedByWs(this.socket) <= this.settings.outbox.highWaterMark
  }

  welcome(session: Welcome | undefined): void {
    this.writeControl(welcome(session))
  }

  writeControl(text: string): void {
    if (!this.isOpen) return
    this.noteControl()
    this.writer.sendControl(text)
  }

  acknowledged(received: number): number | undefined {
    const news = received - this.#acknowledged
    if (news < 0 || received > this.sent) return undefined
    this.#acknowledged = received
    return news
  }

  violated(reason: string): void {
    if (this.isOpen) this.ending.begin('protocol-error', CloseCode.ProtocolError, reason)
  }

  tooMany(): void {
    this.end('rate-limited')
  }

  override admits(event: string | symbol, first: unknown, second: unknown): boolean {
    const { link } = this
    if (event === 'close' && this.#isLetGo) return this.#tellLoss()
    if (link === undefined || event !== 'message') return super.admits(event, first, second)
    const isText = second !== true && Buffer.isBuffer(first)
    if (!isText || first[0] !== 0) return this.#admitsMessage(link, first, second === true)
    if (first[1] === 0) {
      this.#tell(link, first.subarray(1))
    } else {
      this.heard()
      link.read(first.toString())
    }
    return false
  }

  override close(code: number | undefined, reason: string | Buffer | undefined): void {
    // ws answers the client's frame with its own code. With any other it is the app that calls.
    if (code === KEEP_SESSION && this.#isLetGo) this.terminate('connection-lost')
    else super.close(code, reason)
  }

  override shutDown(code: number, reason: string, reconnectWindow: number): void {
    this.sayLast()
    if (this.link !== undefined && reconnectWindow > 0) this.writeControl(back(reconnectWindow))
    super.shutDown(code, reason, reconnectWindow)
  }

  override sayLast(): void {
    super.sayLast()
    this.link?.sayLast()
  }

  protected override makeWriter(): Writer {
    return new LinkedWriter(this, this.settings.outbox)
  }

  protected override lookAtQueues(now: number, forgivingNow: number): number {
    return Math.min(super.lookAtQueues(now, forgivingNow), this.link?.look(now) ?? Infinity)
  }

  /** Whether the client has closed with a code of the link, because it believes that the connection is dead. */
  get #isLetGo(): boolean {
    return this.link !== undefined && closeCodeReceived(this.socket) === KEEP_SESSION
  }

  /** Listeners hear of a loss. */
  #tellLoss(): false {
    const { AbnormalClosure } = CloseCode
    forgetCloseFrame(this.socket)
    super.admits('close', AbnormalClosure, NO_REASON)
    WebSocket.prototype.emit.call(this.socket, 'close', AbnormalClosure, NO_REASON)
    return false
  }

  #admitsMessage(link: Link, data: unknown, isBinary: boolean): boolean {
    if (!this.countMessage()) return false
    link.note(sizeOfReceived(data))
    return this.handOver(data, isBinary)
  }

  /** A text of the app that began with U+0000: listeners get it without the mark. */
  #tell(link: Link, text: Buffer): void {
    if (!this.#admitsMessage(link, text, false)) return
    const isHeard = WebSocket.prototype.emit.call(this.socket, 'message', text, false)
    if (!isHeard) this.unheard(text, false)
  }
}
