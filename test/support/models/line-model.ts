import type { Clock, Timer } from '../../../lib/time/clock.js'
import {
  DEPARTURES,
  Heartbeat,
  type HeartbeatPolicy,
  type Pulse,
  restsUntil,
} from '../../../lib/core/liveness/heartbeat.js'
import { Sweep, type Swept } from '../../../lib/time/sweep.js'
import { OFF } from '../../../lib/time/wheel.js'
import { randomFrom } from './random.js'

/** What a world is made of; times in ms, sizes in bytes. */
export interface World {
  readonly policy: { readonly interval: number; readonly timeout: number }
  /** What the line carries, in bytes per ms. */
  readonly rate: number
  /** What the kernel holds of ours. */
  readonly capacity: number
  /** How long a byte and its answer travel, without what stands before it on the line. */
  readonly roundTrip: number
  /** How much the server writes at a time, at most. */
  readonly burst: number
  /** How often the server writes, the peer talks, our reading is paused and our loop stands still: 0 to 1. */
  readonly chatter: number
  readonly peerChatter: number
  readonly pauses: number
  readonly stalls: number
  readonly seed: number
}

/** A step of the model in ticks: between two ticks the loop polls a few times. */
const STEP = 1 / 4

/** A kernel tells of room again when a third of its buffer is free. */
const ROOM = 1 / 3

class StepClock implements Clock {
  time = 0
  onTick = (): void => {}
  now = (): number => this.time
  wall = (): number => this.time
  random = (): never => {
    throw new Error('The sweep leaves nothing to chance')
  }
  setTimeout = (): never => {
    throw new Error('The sweep has one timer')
  }
  clearTimeout = (): void => {}
  clearInterval = (): void => {}
  setInterval(callback: () => void): Timer {
    this.onTick = callback
    return { ref: () => {}, unref: () => {} }
  }
}

/** Our bytes on their way to the peer: the process, the kernel, a line, and an answer to pings. */
class Line {
  backlog = 0
  kernel = 0
  carried = 0
  isDead = false
  /** Where in our stream the pings end that the peer did not get yet. */
  readonly pings: number[] = []
  /** When what the peer sent gets to our kernel, and whether it answers the last ping. */
  arrivals: { readonly at: number; readonly answers: number | undefined }[] = []
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  get taken(): number {
    return this.carried + this.kernel
  }

  get written(): number {
    return this.taken + this.backlog
  }

  write(bytes: number): void {
    const hadRoom = this.backlog === 0
    this.backlog += bytes
    if (hadRoom) this.#fill()
  }

  elapse(from: number, delay: number): void {
    if (this.isDead) return
    const carried = Math.min(this.kernel, this.#world.rate * delay)
    this.kernel -= carried
    this.carried += carried
    if (this.#world.capacity - this.kernel >= this.#world.capacity * ROOM) this.#fill()
    while (this.pings[0] !== undefined && this.pings[0] <= this.carried + 1e-6) {
      this.arrivals.push({ at: from + delay + this.#world.roundTrip, answers: this.pings.shift() })
    }
  }

  die(now: number): void {
    this.isDead = true
    this.arrivals = this.arrivals.filter(({ at }) => at <= now)
  }

  #fill(): void {
    const room = Math.min(this.backlog, this.#world.capacity - this.kernel)
    this.backlog -= room
    this.kernel += room
  }
}

/**
 * One connection with the heartbeat under test, looked at as the shell looks: by the real sweep,
 * late when the loop stands still, and judged only after everything that has arrived was read.
 */
export class Model implements Swept {
  dueAt = 0
  place: number = OFF
  /** Whether the verdict was spoken. */
  isCondemned = false
  /** By the forgiving clock: the last byte, progress or excuse of ours. */
  receivedAt = 0
  readonly tick: number
  readonly sweep: Sweep
  readonly #world: World
  readonly #clock = new StepClock()
  readonly #line: Line
  readonly #heartbeat: Heartbeat
  readonly #random: () => number
  #received = 0
  #frameAt = 0
  #sentAt = 0
  #bytesUnseen = 0
  #restsFor = 0
  #isPaused = false
  #nextTick: number
  /** The last ping: where it ends in our stream, once ws no longer keeps it. */
  #ping: { end: number | undefined; keptUntil: number | undefined } | undefined
  /** What the kernel had taken when the last answered ping was sent. */
  #takenAtAnswered = 0
  #takenAtPing = 0

  constructor(world: World) {
    this.#world = world
    this.#random = randomFrom(world.seed)
    this.#line = new Line(world)
    this.sweep = new Sweep(this.#clock)
    const { interval, timeout } = world.policy
    this.sweep.tickEvery(interval / DEPARTURES)
    this.sweep.serve(timeout)
    this.tick = Math.min(1_000, Math.max(10, Math.min(interval / DEPARTURES, timeout / 10)))
    this.#nextTick = this.tick
    this.#heartbeat = new Heartbeat(
      world.policy satisfies HeartbeatPolicy,
      this.#pulse(0),
      this.#random(),
    )
    this.sweep.add(this)
  }

  get forgivingNow(): number {
    return this.sweep.forgivingNow
  }

  /** How long what we wrote since the last answered ping may excuse the peer, in ms. */
  get allowance(): number {
    return Math.min(this.#line.taken - this.#takenAtAnswered, 8 * 1024 * 1024) / (65_536 / 1_000)
  }

  /** From now on the line carries nothing, and we do nothing that would excuse that. */
  die(): void {
    this.#line.die(this.#clock.time)
    if (this.#isPaused) this.#resume()
    if (this.#line.backlog > 0) this.receivedAt = this.forgivingNow
    if (this.#ping !== undefined) this.#ping.keptUntil &&= this.#clock.time
  }

  /** Lets a quarter of a tick pass. */
  step(): void {
    const world = this.#world
    const line = this.#line
    const clock = this.#clock
    const { backlog, taken } = line
    if (this.#random() < world.stalls / 20) this.#elapse(this.#random() * 3 * world.policy.timeout)
    else this.#elapse(this.tick * STEP)
    // After a stall the timers run first: what has arrived is read by the poll that follows.
    if (clock.time >= this.#nextTick) {
      this.#nextTick = clock.time + this.tick
      clock.onTick()
    }
    // A backlog that gets shorter is a sign of life.
    if (backlog > 0 && line.taken > taken) this.receivedAt = this.forgivingNow
    this.#releasePing()
    this.#read()
    if (this.#random() < world.chatter) {
      const bytes = Math.ceil(this.#random() * world.burst)
      line.write(bytes)
      this.#bytesUnseen += bytes
      this.#sentAt = this.sweep.forgivingAtTick
    }
    if (line.isDead) return
    if (this.#random() < world.peerChatter) {
      line.arrivals.push({ at: clock.time + world.roundTrip / 2, answers: undefined })
    }
    if (this.#random() < world.pauses / 10) {
      if (this.#isPaused) this.#resume()
      else this.#isPaused = true
    }
  }

  onSweep(now: number, forgivingNow: number): void {
    const rest = restsUntil({
      receivedAt: this.#frameAt,
      sentAt: this.#sentAt,
      bytesUnseen: this.#bytesUnseen,
      restsFor: this.#restsFor,
    })
    if (rest > forgivingNow) this.sweep.move(this, now + rest - forgivingNow)
    else this.#look(now, forgivingNow)
  }

  #look(now: number, forgivingNow: number): void {
    const advice = this.#heartbeat.look(this.#pulse(forgivingNow))
    if (advice === 'suspect') {
      this.#read()
      if (this.#heartbeat.look(this.#pulse(this.forgivingNow)) === 'suspect')
        this.isCondemned = true
    } else if (advice === 'ping') {
      const isKept = !this.#line.isDead && this.#random() < 0.1
      const keptFor = this.#random() * 2 * this.#world.policy.timeout
      this.#ping = { end: undefined, keptUntil: isKept ? now + keptFor : undefined }
      this.#heartbeat.pinged(forgivingNow, this.#random())
      this.#takenAtPing = this.#line.taken
    }
    this.#bytesUnseen = 0
    this.#restsFor = this.#heartbeat.restsFor
    this.sweep.move(this, now + Math.max(0, this.#heartbeat.nextLookAt() - forgivingNow))
  }

  #elapse(delay: number): void {
    this.#line.elapse(this.#clock.time, delay)
    this.#clock.time += delay
  }

  #resume(): void {
    this.#isPaused = false
    this.receivedAt = this.forgivingNow
  }

  /** ws hands the ping to the stream, at once or when it has compressed what stands before it. */
  #releasePing(): void {
    if (this.#ping === undefined || this.#ping.end !== undefined) return
    if (this.#ping.keptUntil !== undefined) {
      if (this.#ping.keptUntil > this.#clock.time) return
      this.receivedAt = this.forgivingNow
    }
    this.#line.write(6)
    this.#ping.end = this.#line.written
    this.#line.pings.push(this.#ping.end)
  }

  #read(): void {
    if (this.#isPaused) return
    const { arrivals } = this.#line
    this.#line.arrivals = arrivals.filter(({ at }) => at > this.#clock.time)
    for (const { at, answers } of arrivals) {
      if (at > this.#clock.time) continue
      this.#received += 6
      this.receivedAt = this.forgivingNow
      this.#frameAt = this.sweep.forgivingAtTick
      if (answers === undefined || answers !== this.#ping?.end) continue
      this.#heartbeat.ponged(this.forgivingNow)
      this.#takenAtAnswered = this.#takenAtPing
    }
  }

  #pulse(now: number): Pulse {
    const { taken, backlog } = this.#line
    return {
      now,
      received: this.#received,
      receivedAt: this.#frameAt,
      taken,
      sentAt: this.#sentAt,
      backlogged: backlog > 0,
      paused: this.#isPaused,
      ping: this.#wherePingIs(taken),
    }
  }

  #wherePingIs(taken: number): Pulse['ping'] {
    if (this.#ping === undefined) return 'gone'
    if (this.#ping.end === undefined) return 'queued'
    return this.#ping.end > taken + 1e-6 ? 'unwritten' : 'gone'
  }
}
