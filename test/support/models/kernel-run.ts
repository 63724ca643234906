// One schedule of a server's connections: does each command to it, and tells the guests what that means.
import assert from 'node:assert/strict'
import { within } from '../time/bound.js'
import { delivered } from '../time/delivered.js'
import { turns } from '../time/fake-clock.js'
import { nothingLeft } from '../../../lib/testing/left.js'
import { BOUNDS, PLACES_OF_ROUTE, RATE } from './kernel-bounds.js'
import { KernelChecks } from './kernel-checks.js'
import {
  type AppCommand,
  type Command,
  GARBAGE,
  isByPeer,
  type PeerCommand,
  type Schedule,
  SHORT_DRAIN,
} from './kernel-commands.js'
import { type Dial, Guest } from './kernel-guest.js'
import { KernelPeer } from './kernel-peer.js'
import type { KernelWorld } from './kernel-world.js'

/** How many may be connected, or want to be. */
const MOST = 20
/** How many turns of the loop something may take that needs no time. */
const TURNS = 300

export class KernelRun {
  readonly #world: KernelWorld
  readonly #checks: KernelChecks
  readonly #groups = new Map<string, Set<Guest>>([
    ['a', new Set()],
    ['b', new Set()],
  ])
  #drain: Promise<unknown> | undefined
  /** Whether more than one thing happens in this step. */
  #isBusy = false

  constructor(world: KernelWorld, places: number) {
    this.#world = world
    this.#checks = new KernelChecks(world, this.#groups, places)
  }

  async step(commands: readonly Command[]): Promise<void> {
    this.#isBusy = commands.length > 1
    for (const command of commands) await this.#do(command)
    await this.#settle()
  }

  async finish(ends: Schedule['ends']): Promise<void> {
    const { app, clock, guests } = this.#world
    if (ends === 'one by one' && this.#drain === undefined) await this.#fill()
    if (ends === 'short drain') this.#drainFor(SHORT_DRAIN)
    const closing = app.close()
    this.#drainBegins(BOUNDS.drainTimeout)
    const until = clock.now() + BOUNDS.drainTimeout + 1_000
    await this.#settle()
    while (clock.now() < until) await clock.advance(500)
    await this.#settle()
    assert.deepEqual(
      guests
        .filter(({ closedAt, socket }) => socket && closedAt === undefined)
        .map(({ name }) => name),
      [],
      'in time after app.close()',
    )
    await within(closing, 'the app to be closed')
    await this.#drain
    await nothingLeft(app)
    assert.equal(clock.pending, 0, 'timers')
    this.#checks.finish()
    for (const guest of guests) if (guest.socket !== undefined) this.#world.defer(guest)
    this.#world.end()
    await turns(10)
    this.#checks.finish()
  }

  /** Ends what a schedule that has failed has left behind. */
  async clear(): Promise<void> {
    const { app, clock, guests } = this.#world
    for (const { peer } of guests) peer.socket.destroy()
    this.#world.end()
    const closing = app.close()
    await clock.advance(BOUNDS.drainTimeout + 1_000)
    await closing
  }

  /** All are sent away. Then all places are free, and no more. */
  async #fill(): Promise<void> {
    const { clock, guests } = this.#world
    for (const guest of guests) {
      if (guest.isOpen) this.#terminate(guest)
      this.#pass(guest)
    }
    await this.#settle()
    for (const guest of guests) if (guest.isOpen) this.#terminate(guest)
    await clock.advance(BOUNDS.handshakeTimeout + 8 * BOUNDS.cleanupTimeout)
    await this.#settle()
    const dial = { does: 'dial', hook: 'pass', key: 'eve', faults: [], count: 1 } as const
    for (let count = 0; count <= PLACES_OF_ROUTE; count++) {
      await this.step([{ ...dial, route: 'few' }])
    }
    for (const route of ['key', 'newest'] as const) await this.step([{ ...dial, route, count: 3 }])
  }

  /** Waits until all is as it has to be, and says where it is not. */
  async #settle(): Promise<void> {
    await delivered()
    for (let turn = 0; turn < TURNS && !this.#checks.isAsOwed; turn++) await turns(1)
    this.#checks.settle()
  }

  async #do(command: Command): Promise<void> {
    const { app, clock, guests } = this.#world
    for (const guest of guests) guest.note(clock.now())
    if ('which' in command) return this.#toOne(command)
    switch (command.does) {
      case 'dial': {
        const living = guests.filter(({ peer }) => !peer.hasEnded).length
        for (let i = 0; i < Math.min(command.count, MOST - living); i++) this.#dial(command)
        return
      }
      case 'tell':
        return this.#tell(command.group, command.bytes)
      case 'dissolve':
        for (const guest of this.#membersOf(command.group)) {
          guest.willEnd('server-close', 4200)
          guest.hasRefused ||= guest.route !== 'plain'
        }
        app.websocketLifecycle.group(command.group).close(4200)
        return
      case 'advance':
        return clock.advance(command.by)
      case 'stall':
        clock.stall(command.by)
        this.#checks.stalled(command.by)
        return
      case 'drain':
        this.#drainFor(command.timeout)
    }
  }

  #toOne(command: PeerCommand | AppCommand): void {
    const meant = this.#meantBy(command)
    // The same number means the same one, as long as it may.
    const number = command.which % Math.max(1, this.#world.guests.length)
    const guest = meant.find((one) => one.number >= number) ?? meant[0]
    if (guest === undefined) return
    if (isByPeer(command)) this.#peerDoes(guest, command)
    else this.#appDoes(guest, command)
  }

  /** Whom it may happen to. */
  #meantBy(command: PeerCommand | AppCommand): Guest[] {
    const { guests } = this.#world
    const { does } = command
    if (does === 'pass') return guests.filter(({ hasPassed }) => !hasPassed)
    if (does === 'go on') return guests.filter(({ messageGates }) => messageGates.length > 0)
    if (does === 'thaw') return guests.filter(({ peer }) => peer.isFrozen && !peer.hasEnded)
    if (does === 'hear') return guests.filter(({ peer }) => peer.isDeaf && !peer.hasEnded)
    if (does === 'defer') return guests.filter(({ socket }) => socket !== undefined)
    if (does === 'drop' || does === 'reset') return guests.filter(({ peer }) => peer.isWell)
    if (!isByPeer(command)) {
      return guests.filter(({ closedAt, socket }) => socket && closedAt === undefined)
    }
    const speakers = guests.filter(({ peer, socket }) => socket !== undefined && peer.isWell)
    return does === 'half' ? speakers.filter(({ peer }) => !peer.isHalfWay) : speakers
  }

  #peerDoes(guest: Guest, command: PeerCommand): void {
    const { peer } = guest
    const now = this.#world.clock.now()
    if (guest.isOpen && SPEAKS.has(command.does)) {
      guest.spokeAt = now
      guest.activeAt = now
    }
    switch (command.does) {
      case 'say':
        for (let i = 0; i < command.count; i++) this.#say(guest, command)
        return
      case 'half':
        peer.sayHalf(`${this.#numberFor(guest)} nothing SECRET`)
        return
      case 'ping':
        guest.pinged++
        return peer.ping()
      case 'close':
        guest.willEndBy('client-close')
        return peer.close(command.code)
      case 'drop':
        guest.willEndBy('connection-lost')
        guest.becomesUnwell(now)
        return peer.drop()
      case 'reset':
        guest.willEndBy('connection-reset')
        // With data in the same poll, libuv tells of an end.
        if (this.#isBusy || guest.socket?.isPaused === true) guest.may('connection-lost')
        guest.becomesUnwell(now)
        return peer.reset()
      case 'freeze':
        peer.freeze()
        return guest.becomesUnwell(now)
      case 'thaw':
        peer.thaw()
        return guest.becomesWell(now)
      case 'deafen':
        peer.isDeaf = true
        return guest.becomesUnwell(now)
      case 'hear':
        peer.isDeaf = false
        return guest.becomesWell(now)
      case 'garbage':
        guest.willEndBy(GARBAGE[command.garbage])
        guest.isGarbled = true
        peer.sendGarbage(command.garbage)
    }
  }

  #appDoes(guest: Guest, command: AppCommand): void {
    const { clock } = this.#world
    switch (command.does) {
      case 'pass':
        return this.#pass(guest)
      case 'go on':
        guest.messageGates.shift()?.open()
        guest.activeAt = clock.now()
        if (guest.route !== 'plain') guest.isBlocked = guest.behaviourAt('handler') === 'hang'
        return
      case 'send': {
        const count = command.bytes > 100_000 ? 1 : command.count
        for (let i = 0; i < count; i++) this.#world.send(guest, command.bytes, command.callback)
        return
      }
      case 'be pinged':
        return guest.socket?.ping()
      case 'be closed':
        if (guest.isOpen) guest.hasRefused ||= guest.route !== 'plain'
        guest.willEnd('server-close', command.code)
        return guest.socket?.close(command.code)
      case 'terminate':
        return this.#terminate(guest)
      case 'pause':
        return guest.socket?.pause()
      case 'resume':
        if (guest.socket?.isPaused === true) guest.pausedAt = clock.now()
        return guest.socket?.resume()
      case 'defer':
        return this.#world.defer(guest)
      case 'expire':
        if (guest.isOpen) guest.expiresAt = clock.now() + command.after
        return guest.socket?.expireAt(clock.wall() + command.after)
      case 'join': {
        const isMember = this.#world.app.websocketLifecycle
          .group(command.group)
          .add(guest.socket as NonNullable<Guest['socket']>)
        assert.equal(isMember, guest.isOpen, `${guest.name} joins`)
        if (isMember) this.#groups.get(command.group)?.add(guest)
        return
      }
      case 'leave':
        this.#world.app.websocketLifecycle
          .group(command.group)
          .delete(guest.socket as NonNullable<Guest['socket']>)
        this.#groups.get(command.group)?.delete(guest)
    }
  }

  #dial(dial: Dial): void {
    const { clock, guests, port } = this.#world
    const number = guests.length
    const headers = this.#world.headersOf(number, dial.key)
    const peer = new KernelPeer(port, `/${dial.route}`, headers, () => clock.now())
    const guest = new Guest(number, dial, peer, clock.now())
    guest.fullness = this.#checks.fullnessFor(guest, this.#isBusy)
    guest.wasDraining = this.#drain !== undefined
    if (dial.route === 'newest') {
      for (const other of guests) {
        if (other.route === 'newest' && other.dial.key === dial.key) other.may('replaced')
      }
    }
    guests.push(guest)
  }

  #pass(guest: Guest): void {
    guest.hasPassed = true
    guest.door.open()
  }

  #say(guest: Guest, { bytes, handling }: Command & { readonly does: 'say' }): void {
    guest.peer.say(`${this.#numberFor(guest)} ${handling} SECRET`.padEnd(bytes))
    if (guest.route === 'rate' && guest.said > RATE) guest.may('rate-limited')
  }

  #numberFor(guest: Guest): number {
    return guest.said++
  }

  #terminate(guest: Guest): void {
    if (guest.isOpen) guest.hasRefused ||= guest.route !== 'plain'
    guest.willEnd('server-terminate')
    guest.wasTerminated = true
    guest.socket?.terminate()
  }

  #membersOf(group: string): Guest[] {
    return [...(this.#groups.get(group) ?? [])].filter(({ isOpen }) => isOpen)
  }

  #tell(group: string, bytes: number): void {
    const members = this.#membersOf(group)
    const text = this.#world.textFor(members, bytes)
    const { sent, dropped } = this.#world.app.websocketLifecycle.group(group).send(text)
    assert.equal(sent + dropped, members.length, `told to ${group}`)
  }

  #drainFor(timeout: number): void {
    if (this.#drain !== undefined) return
    this.#drain = this.#world.app.websocketLifecycle.drain({ timeout })
    this.#drainBegins(timeout)
  }

  #drainBegins(timeout: number): void {
    const { guests } = this.#world
    this.#drain ??= Promise.resolve()
    for (const guest of guests) {
      guest.mayBeDrained = true
      guest.may('shutdown')
      guest.codes.add(1012)
    }
    this.#checks.drains(timeout)
  }
}

const SPEAKS: ReadonlySet<Command['does']> = new Set(['say', 'half', 'ping', 'close', 'garbage'])
