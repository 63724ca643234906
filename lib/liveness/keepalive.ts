import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import type { CloseCause } from '../core/close/policy.js'
import { FIN, OPCODE, SHORT_HEADER } from '../core/frame.js'
import { Heartbeat, type HeartbeatPolicy, type Pulse } from '../core/liveness/heartbeat.js'
import { bytesHeld, bytesTaken } from '../platform/node-internals.js'
import { isPingOwn } from '../platform/ws-own.js'
import { isParsing } from '../platform/ws-receiver.js'
import { isQueued } from '../platform/ws-sender.js'
import type { Clock } from '../time/clock.js'
import { afterNextPoll, type Sweep } from '../time/sweep.js'

/** What `Keepalive` needs of its connection. */
export interface KeepaliveOwner {
  readonly shared: { readonly clock: Clock; readonly sweep: Sweep }
  readonly socket: WebSocket
  readonly raw: Duplex
  readonly isOpen: boolean
  /** On a stream without byte counts (injectWS) these two numbers are used in their place. */
  readonly received: number
  readonly sent: number
  /**
   * When the last frame came, and when our last message left. Both are the forgiving time of the last tick
   * before.
   */
  readonly receivedAt: number
  readonly sentAt: number
  terminate(cause: CloseCause): void
  /**
   * Called when a ping is sent.
   * @param isAgain whether the one before was not answered
   */
  notePing(isAgain: boolean): void
  /**
   * The peer has not answered in time, as far as a first look can tell.
   * @param pingedAt when the last ping was sent, by the clock
   */
  noteSuspicion(pingedAt: number): void
  /** Called when the last ping was answered, after `latency` ms. */
  notePong(latency: number): void
  /** The peer was to be taken for dead, but at the second look there was a sign of life. */
  verdictAverted(cause: CloseCause): void
}

const PAYLOAD_BYTES = 4

/** The whole frame of a ping. The number of the ping is in the last four bytes. */
const PING = Buffer.from([FIN | OPCODE.ping, PAYLOAD_BYTES, 0, 0, 0, 0])

/**
 * The frame that all connections use for their pings: the kernel copies it at once. If it once does not, the
 * next ping gets a new buffer.
 */
let frame: Buffer = Buffer.from(PING)

/** One object for all connections, so that a look at an idle one allocates nothing. */
const pulse: Pulse = {
  now: 0,
  received: 0,
  receivedAt: 0,
  taken: 0,
  sentAt: 0,
  backlogged: false,
  paused: false,
  ping: 'gone',
}

/**
 * Keepalive of one connection: takes its pulse, sends pings, measures when they are answered, and terminates
 * the connection when the peer is dead. What to do is decided by {@link Heartbeat}.
 */
export class Keepalive {
  readonly #owner: KeepaliveOwner
  readonly #heartbeat: Heartbeat
  /** In ms; `NaN` before the first answer. */
  #latency = NaN
  /** The number of the last ping. It is the payload of the ping. */
  #number = 0
  #isAnswered = true
  #sentAt = 0
  /** The payload of a ping that ws had to queue, as long as the ping is still in our process. */
  #unwritten: Buffer | undefined

  constructor(owner: KeepaliveOwner, policy: HeartbeatPolicy) {
    this.#owner = owner
    this.#heartbeat = new Heartbeat(
      // Without byte counts there is no evidence for a verdict.
      owner.raw instanceof Socket ? policy : { interval: policy.interval, timeout: false },
      this.#takePulse(owner.shared.sweep.forgivingNow),
      owner.shared.clock.random(),
    )
  }

  /** Round trip of the last answered ping, in ms. `undefined` before the first. */
  get latency(): number | undefined {
    return Number.isNaN(this.#latency) ? undefined : this.#latency
  }

  /** When the last ping was sent, by the clock; `-Infinity` before the first. */
  get pingedAt(): number {
    return this.#number === 0 ? -Infinity : this.#sentAt
  }

  /**
   * Looks at the peer, and does what follows from that: it sends a ping, or asks for a verdict.
   * @returns how long until the next look, in ms; that look is early enough for anything that can become due
   */
  watch(forgivingNow: number): number {
    const advice = this.#heartbeat.look(this.#takePulse(forgivingNow))
    // The peer's answer may be in the kernel already. So the verdict waits for one more poll.
    if (advice === 'suspect') {
      this.#owner.noteSuspicion(this.#sentAt)
      afterNextPoll(() => this.#judge())
    } else if (advice === 'ping') this.#ping(forgivingNow)
    return this.#pause(forgivingNow)
  }

  /**
   * Looks at the peer, but does nothing: that is left to the next `watch`.
   * @returns how long until then, in ms
   */
  note(forgivingNow: number): number {
    this.#heartbeat.look(this.#takePulse(forgivingNow))
    return this.#pause(forgivingNow)
  }

  /**
   * Whether a ping has left and nothing has come since, as far as a look can tell. Then the peer may be gone.
   * `false` while we do not read.
   */
  isSilent(forgivingNow: number): boolean {
    const { paused } = this.#takePulse(forgivingNow)
    this.#heartbeat.look(pulse)
    return !paused && this.#heartbeat.isUnanswered
  }

  /** See {@link Heartbeat.isSparedBy}. */
  isSparedBy(lateness: number): boolean {
    return this.#heartbeat.isSparedBy(this.#owner.shared.sweep.forgivingNow, lateness)
  }

  /** See {@link Heartbeat.restsFor}. */
  get restsFor(): number {
    return this.#heartbeat.restsFor
  }

  /**
   * A pong came: an answer to a ping, or one that nobody asked for.
   * @returns whether it answers the last ping
   */
  pong(data: Buffer): boolean {
    if (this.#isAnswered || data.length !== PAYLOAD_BYTES) return false
    if (data.readUInt32BE() !== this.#number) return false
    const { clock, sweep } = this.#owner.shared
    this.#isAnswered = true
    this.#latency = clock.now() - this.#sentAt
    this.#heartbeat.ponged(sweep.forgivingNow)
    this.#owner.notePong(this.#latency)
    return true
  }

  #pause(forgivingNow: number): number {
    return Math.max(0, this.#heartbeat.nextLookAt() - forgivingNow)
  }

  #ping(forgivingNow: number): void {
    const { socket, raw, shared } = this.#owner
    const isAgain = !this.#isAnswered
    this.#number = (this.#number + 1) >>> 0
    this.#isAnswered = false
    this.#sentAt = shared.clock.now()
    this.#owner.notePing(isAgain)
    if (raw instanceof Socket && socket.bufferedAmount === 0 && isPingOwn(socket)) this.#write(raw)
    else this.#queue()
    this.#heartbeat.pinged(forgivingNow, shared.clock.random())
  }

  /**
   * Sends a ping in one write, where ws would make two. The ping counts as gone from our process, because
   * nothing waits before it. It may still wait a moment over TLS, or because the kernel has just become full.
   * The model of the slowest line excuses that.
   */
  #write(raw: Socket): void {
    frame.writeUInt32BE(this.#number, SHORT_HEADER)
    raw.write(frame)
    if (raw.writableLength > 0) frame = Buffer.from(PING)
  }

  /**
   * Lets ws send the ping. ws keeps it in the right place among messages that it compresses, and tells when
   * it was written.
   */
  #queue(): void {
    const payload = Buffer.allocUnsafe(PAYLOAD_BYTES)
    payload.writeUInt32BE(this.#number)
    this.#unwritten = payload
    WebSocket.prototype.ping.call(this.#owner.socket, payload, false, () => {
      this.#unwritten = undefined
    })
  }

  #judge(): void {
    if (!this.#owner.isOpen) return
    const { forgivingNow } = this.#owner.shared.sweep
    if (this.#heartbeat.look(this.#takePulse(forgivingNow)) === 'suspect') {
      this.#owner.terminate('heartbeat-timeout')
    } else {
      this.#owner.verdictAverted('heartbeat-timeout')
    }
  }

  #takePulse(forgivingNow: number): Pulse {
    const { raw, socket } = this.#owner
    pulse.now = forgivingNow
    pulse.receivedAt = this.#owner.receivedAt
    pulse.sentAt = this.#owner.sentAt
    pulse.ping = this.#wherePingIs()
    if (raw instanceof Socket) {
      const held = bytesHeld(raw)
      const taken = bytesTaken(raw, held)
      pulse.received = raw.bytesRead
      pulse.taken = taken ?? 0
      pulse.backlogged = held > 0
      // A pong, or a close frame, may wait behind a message that we are still unpacking.
      pulse.paused = taken === undefined || raw.isPaused() || isParsing(socket)
    } else {
      pulse.received = this.#owner.received
      pulse.taken = this.#owner.sent
      pulse.backlogged = false
      pulse.paused = false
    }
    return pulse
  }

  #wherePingIs(): Pulse['ping'] {
    if (this.#unwritten === undefined) return 'gone'
    return isQueued(this.#owner.socket, this.#unwritten) ? 'queued' : 'unwritten'
  }
}
