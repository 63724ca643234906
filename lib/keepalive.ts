import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import type { CloseCause } from './core/close-info.js'
import { Heartbeat, type HeartbeatPolicy, type Pulse } from './core/heartbeat.js'
import { bytesHeld, bytesTaken, isQueued } from './internals.js'
import type { Shell } from './shell.js'
import { afterNextPoll } from './sweep.js'
import { isPingOwn } from './ws-own.js'

/** Whose heart it is. */
export interface Peer {
  readonly shell: Shell
  readonly socket: WebSocket
  readonly raw: Duplex
  readonly isOpen: boolean
  /** What stands in for byte counts on a stream that has none (injectWS). */
  readonly received: number
  readonly sent: number
  /** When the last frame came, and our last message went: the forgiving time of the tick before. */
  readonly heardAt: number
  readonly toldAt: number
  terminate(cause: CloseCause): void
  /** A ping is being sent. */
  noteControl(): void
}

const HEADER_BYTES = 2
const PAYLOAD_BYTES = 4

/** A ping, up to its number (RFC 6455 §5.2). */
const PING = Buffer.from([0x89, PAYLOAD_BYTES, 0, 0, 0, 0])

/** One for all connections, as the kernel copies it; where it does not at once, the next ping gets a new one. */
let frame: Buffer = Buffer.from(PING)

/** One for all connections: a look at an idle one allocates nothing. */
const pulse: Pulse = {
  now: 0,
  received: 0,
  heardAt: 0,
  taken: 0,
  toldAt: 0,
  backlogged: false,
  paused: false,
  ping: 'gone',
}

/** Takes one connection's pulse, sends its pings, times their answers and speaks the verdict. */
export class Keepalive {
  readonly #peer: Peer
  readonly #heartbeat: Heartbeat
  /** `NaN` before the first answer. */
  #latency = NaN
  /** The last ping's number, which is its payload. */
  #number = 0
  #isAnswered = true
  #sentAt = 0
  /** The payload of a ping that was sent behind something else, as long as it is in our process. */
  #unwritten: Buffer | undefined

  constructor(peer: Peer, policy: HeartbeatPolicy) {
    this.#peer = peer
    this.#heartbeat = new Heartbeat(
      // Without byte counts there is no evidence that a verdict could rest on.
      peer.raw instanceof Socket ? policy : { interval: policy.interval, timeout: false },
      this.#takePulse(peer.shell.sweep.alive),
      Math.random(),
    )
  }

  /** Round trip of the last answered ping, in ms. */
  get latency(): number | undefined {
    return Number.isNaN(this.#latency) ? undefined : this.#latency
  }

  /**
   * Looks at the peer, and sees to what follows.
   * @returns how long until the next look, in ms; it comes in time for whatever it may lead to
   */
  watch(alive: number): number {
    const advice = this.#heartbeat.look(this.#takePulse(alive))
    // Its answer may be in the kernel already: what counts is what another poll brings.
    if (advice === 'suspect') afterNextPoll(() => this.#judge())
    else if (advice === 'ping') this.#ping(alive)
    return this.#pause(alive)
  }

  /** Looks at the peer; what follows is left to the next `watch`. @returns how long until then */
  note(alive: number): number {
    this.#heartbeat.look(this.#takePulse(alive))
    return this.#pause(alive)
  }

  /** Whether nothing has come since a ping left, so far as a look tells: the peer may be gone. Not while we do not read. */
  isSilent(alive: number): boolean {
    const { paused } = this.#takePulse(alive)
    this.#heartbeat.look(pulse)
    return !paused && this.#heartbeat.isUnanswered
  }

  /** See {@link Heartbeat.restsFor}. */
  get restsFor(): number {
    return this.#heartbeat.restsFor
  }

  /** An answer, or a pong that nobody asked for. @returns whether it answers the last ping */
  pong(data: Buffer): boolean {
    if (this.#isAnswered || data.length !== PAYLOAD_BYTES) return false
    if (data.readUInt32BE() !== this.#number) return false
    const { clock, sweep } = this.#peer.shell
    this.#isAnswered = true
    this.#latency = clock.now() - this.#sentAt
    this.#heartbeat.ponged(sweep.alive)
    return true
  }

  #pause(alive: number): number {
    return Math.max(0, this.#heartbeat.nextLookAt() - alive)
  }

  #ping(alive: number): void {
    const { socket, raw, shell } = this.#peer
    this.#number = (this.#number + 1) >>> 0
    this.#isAnswered = false
    this.#sentAt = shell.clock.now()
    this.#peer.noteControl()
    if (raw instanceof Socket && socket.bufferedAmount === 0 && isPingOwn(socket)) this.#write(raw)
    else this.#queue()
    this.#heartbeat.pinged(alive, Math.random())
  }

  /**
   * One write; ws would make two of it. It counts as gone, as nothing stands before it: where it is not, over
   * TLS for a moment or because the kernel has just become full, the line's model excuses what is ahead of it.
   */
  #write(raw: Socket): void {
    frame.writeUInt32BE(this.#number, HEADER_BYTES)
    raw.write(frame)
    if (raw.writableLength > 0) frame = Buffer.from(PING)
  }

  /** ws knows its place among what it compresses, and tells when it has been written. */
  #queue(): void {
    const payload = Buffer.allocUnsafe(PAYLOAD_BYTES)
    payload.writeUInt32BE(this.#number)
    this.#unwritten = payload
    WebSocket.prototype.ping.call(this.#peer.socket, payload, false, () => {
      this.#unwritten = undefined
    })
  }

  #judge(): void {
    if (!this.#peer.isOpen) return
    const { alive } = this.#peer.shell.sweep
    if (this.#heartbeat.look(this.#takePulse(alive)) === 'suspect') {
      this.#peer.terminate('heartbeat-timeout')
    }
  }

  #takePulse(alive: number): Pulse {
    const { raw } = this.#peer
    pulse.now = alive
    pulse.heardAt = this.#peer.heardAt
    pulse.toldAt = this.#peer.toldAt
    pulse.ping = this.#wherePingIs()
    if (raw instanceof Socket) {
      const held = bytesHeld(raw)
      const taken = bytesTaken(raw, held)
      pulse.received = raw.bytesRead
      pulse.taken = taken ?? 0
      pulse.backlogged = held > 0
      pulse.paused = taken === undefined || raw.isPaused()
    } else {
      pulse.received = this.#peer.received
      pulse.taken = this.#peer.sent
      pulse.backlogged = false
      pulse.paused = false
    }
    return pulse
  }

  #wherePingIs(): Pulse['ping'] {
    if (this.#unwritten === undefined) return 'gone'
    return isQueued(this.#peer.socket, this.#unwritten) ? 'queued' : 'unwritten'
  }
}
