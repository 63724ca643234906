import type { CloseCause, CloseInfo, LifecycleSocket } from '../../../lib/index.js'
import { type Gate, gate } from '../time/gate.js'
import type { Behaviour, Command, Fault, Place, RouteName } from './kernel-commands.js'
import type { KernelPeer } from './kernel-peer.js'

export type Dial = Extract<Command, { readonly does: 'dial' }>

/** Why somebody who dials may find no place: `perhaps` where it depends on what happens at once. */
export type Fullness = 'free' | 'full' | 'perhaps'

/** One connection, or somebody who wants one: what was done to it, and what the app has seen. */
export class Guest {
  readonly number: number
  readonly route: RouteName
  readonly dial: Dial
  readonly dialledAt: number
  readonly door: Gate = gate()
  readonly peer: KernelPeer
  fullness: Fullness = 'free'
  /** Whether the drain had begun before it dialled, or before it was answered. */
  wasDraining = false
  mayBeDrained = false
  hasPassed: boolean
  /** Whether it went before it had an answer. */
  hasLeft = false

  socket: LifecycleSocket | undefined
  openedAt = 0
  /** The causes for which it may end, of all that was done to it while it was open. */
  readonly causes = new Set<CloseCause>()
  /** Whether something was done after which it is not open any more: at once, or once that was read. */
  endsAtOnce = false
  endsWhenRead = false
  /** Whether the causes are known that time may have had. */
  isJudged = false
  /** The codes that our close frame may have. */
  readonly codes = new Set<number>()
  leftOpenAt: number | undefined
  goneAt: number | undefined
  closedAt: number | undefined
  info: CloseInfo | undefined
  /** What was called after it had gone, in order. */
  readonly ends: string[] = []
  readonly releases: Array<{ readonly number: number; runs: number }> = []
  /** How many callbacks of it have hung so far. */
  hangs = 0

  /** What the app has sent that it should get, in order; the numbers of the messages that the app has got. */
  readonly sent: string[] = []
  bytesSent = 0
  largestSent = 0
  /** When a message last moved, or something held messages up. */
  activeAt = 0
  /** How often onHandlerError was called. */
  errors = 0
  callbacks = 0
  callbacksCalled = 0
  said = 0
  heard = 0
  pinged = 0
  readonly messageGates: Gate[] = []
  /** Whether messages wait for a callback that hangs, or have been refused by an end. */
  isBlocked = false
  hasRefused = false
  #wasPaused = false
  /** When it was last seen to be paused. */
  pausedAt = -Infinity
  /** When the peer was told to be silent, and since when it is well again. */
  silentAt: number | undefined
  wellAt = 0
  /** When the peer last sent something of its own, while it was open. */
  spokeAt = 0
  wasUnwell = false
  /** Whether the app has terminated it, also while it was closing. */
  wasTerminated = false
  /** Whether its peer has sent garbage, also after it had left OPEN. */
  isGarbled = false
  expiresAt = Infinity

  constructor(number: number, dial: Dial, peer: KernelPeer, now: number) {
    this.number = number
    this.dial = dial
    this.route = dial.route
    this.peer = peer
    this.dialledAt = now
    this.hasPassed = dial.hook !== 'slow'
  }

  get name(): string {
    return `${this.number} (${this.route})`
  }

  get isOpen(): boolean {
    return this.socket !== undefined && this.socket.readyState === this.socket.OPEN
  }

  /** Whether it has, or may get, a place: it is not decided, or its transport is there. */
  get isUndecided(): boolean {
    return this.socket === undefined && this.peer.answer === undefined && !this.hasLeft
  }

  get hasPlace(): boolean {
    return (this.socket !== undefined && this.goneAt === undefined) || this.isUndecided
  }

  /** What excuses it, if anything does: noted before something happens that may end that. */
  note(now: number): void {
    this.#wasPaused = this.socket?.isPaused === true
    this.#excuse(now)
  }

  leavesOpen(now: number): void {
    if (this.leftOpenAt !== undefined) return
    this.leftOpenAt = now
    // It is not paused any more: its end reads on.
    this.#excuse(now)
  }

  #excuse(now: number): void {
    if (this.#wasPaused) this.pausedAt = now
    if (this.isBlocked || this.messageGates.length > 0 || this.peer.isFrozen) this.activeAt = now
  }

  behaviourAt(place: Place): Behaviour | undefined {
    return this.dial.faults.find((fault: Fault) => fault.at === place)?.does
  }

  /** Something may end it for this cause, from now on. It does nothing once it is known to have left OPEN. */
  may(cause: CloseCause): void {
    if (this.leftOpenAt === undefined) this.causes.add(cause)
  }

  /** The app, or the plugin for it, ends it. */
  willEnd(cause: CloseCause, code?: number): void {
    if (!this.isOpen) return
    this.may(cause)
    this.endsAtOnce = true
    if (code !== undefined) this.codes.add(code)
  }

  /** The peer ends it: once that is read. */
  willEndBy(cause: CloseCause): void {
    if (this.socket === undefined) {
      this.hasLeft ||= this.peer.answer === undefined
      this.causes.add(cause)
      this.endsWhenRead = true
      return
    }
    this.may(cause)
    this.endsWhenRead = true
  }

  /** The peer will not answer from now on. */
  becomesUnwell(now: number): void {
    this.wasUnwell = true
    this.silentAt ??= now
  }

  becomesWell(now: number): void {
    if (this.peer.isDeaf || this.peer.isFrozen) return
    this.wellAt = now
    // What ended it stays true.
    if (this.isOpen) this.silentAt = undefined
  }

  /** Since when nothing has come of a peer that answers nothing, or that owes an answer from when it did not. */
  get silentSince(): number {
    const silentAt = Math.min(this.silentAt ?? Infinity, this.peer.owesSince)
    return Math.max(silentAt, this.openedAt, this.spokeAt, this.pausedAt)
  }
}
