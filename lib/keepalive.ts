import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import type { CloseCause } from './core/close-info.js'
import { Heartbeat, type HeartbeatPolicy, type Pulse } from './core/heartbeat.js'
import { bytesHeld, bytesTaken, isQueued } from './internals.js'
import type { Shell } from './shell.js'
import { afterNextPoll, type Task } from './sweep.js'

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
}

const PAYLOAD_BYTES = 4

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
export class Keepalive implements Task {
  /** Round trip of the last answered ping, in ms. */
  latency: number | undefined
  readonly #peer: Peer
  readonly #heartbeat: Heartbeat
  /** The last ping's number, which is its payload. */
  #number = 0
  #isAnswered = true
  #sentAt = 0
  /** The last ping's payload, as long as it is in our process. */
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

  /**
   * Looks at the peer, and sees to what follows.
   * @returns how long until the next look, in ms; it comes in time for whatever it may lead to
   */
  watch(alive: number): number {
    const advice = this.#heartbeat.look(this.#takePulse(alive))
    if (advice === 'suspect') {
      // Its answer may be in the kernel already: what counts is what another poll brings.
      afterNextPoll(() => this.#judge())
    } else if (advice === 'ping') {
      this.#unwritten = this.#nextPayload()
      this.#peer.shell.sweep.spread(this)
    }
    return Math.max(0, this.#heartbeat.nextLookAt() - alive)
  }

  /** An answer, or a pong that nobody asked for. */
  pong(data: Buffer): void {
    if (this.#isAnswered || data.length !== PAYLOAD_BYTES) return
    if (data.readUInt32BE() !== this.#number) return
    const { clock, sweep } = this.#peer.shell
    this.#isAnswered = true
    this.latency = clock.now() - this.#sentAt
    this.#heartbeat.ponged(sweep.alive)
  }

  #nextPayload(): Buffer {
    this.#number = (this.#number + 1) >>> 0
    const payload = Buffer.allocUnsafe(PAYLOAD_BYTES)
    payload.writeUInt32BE(this.#number)
    return payload
  }

  /** Sends the ping. */
  run(): void {
    if (!this.#peer.isOpen || this.#unwritten === undefined) return
    const { clock, sweep } = this.#peer.shell
    this.#isAnswered = false
    this.#sentAt = clock.now()
    WebSocket.prototype.ping.call(this.#peer.socket, this.#unwritten, false, () => {
      this.#unwritten = undefined
    })
    this.#heartbeat.pinged(sweep.alive, Math.random())
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
      const taken = bytesTaken(raw)
      pulse.received = raw.bytesRead
      pulse.taken = taken ?? 0
      pulse.backlogged = raw.writableLength > 0 || bytesHeld(raw) > 0
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
