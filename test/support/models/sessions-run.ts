import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import { LinkPeer } from '../peers/link-peer.js'
import { Traveller } from '../peers/traveller.js'
import type { WatchedSessions } from '../servers/watched-sessions.js'
import { within } from '../time/bound.js'
import { delivered } from '../time/delivered.js'
import { turns } from '../time/fake-clock.js'
import type { ModelSession } from './model-session.js'
import type { AtOne, Command } from './sessions-commands.js'
import type { Dial } from './sessions-model.js'

/** One who wants in, and what came of it. */
interface Guest {
  readonly dial: Dial
  readonly peer: LinkPeer
  readonly client: Traveller | undefined
  readonly confirms: boolean
  /** Whether it is known to the test what came of it. */
  isSettled: boolean
}

/** One schedule, and what the model says of it. */
export class Run {
  readonly #world: WatchedSessions
  readonly #guests: Guest[] = []
  readonly #clients: Traveller[] = []
  #drain: Promise<unknown> | undefined

  constructor(world: WatchedSessions) {
    this.#world = world
  }

  async do(command: Command): Promise<void> {
    this.#world.mayFail = command.does !== 'come back' || command.how !== 'twice'
    await this.#act(command)
    await this.settle()
  }

  /** Waits until all is as the model says, and says where it is not. */
  async settle(): Promise<void> {
    do await delivered()
    while (this.#listen())
    this.#seeWhoWasFaster()
    for (let turn = 0; turn < 200 && !this.#isAsExpected; turn++) {
      await turns(1)
      this.#listen()
    }
    assert.deepEqual(this.#observed(), this.#expected())
  }

  /** Nobody is left: each session has come to one end, and there is place for others. */
  async finish(): Promise<void> {
    const { app, clock, model, sessions, bounds } = this.#world
    if (!model.isDraining) await this.#endAll()
    if (!model.isDraining) await this.#fill()
    model.drain()
    const closing = app.close()
    await clock.advance(bounds.drainTimeout + 8 * bounds.cleanupTimeout)
    await within(closing, 'the app to be closed')
    await this.#drain
    await this.settle()
    assert.deepEqual(
      [app.websocketLifecycle.sessions.size, app.websocketLifecycle.connections.size],
      [0, 0],
    )
    assert.equal(clock.pending, 0, 'a timer is left')
    for (const watched of sessions.values()) {
      const { calls, model, untold } = watched
      const ends = calls.slice(-2).map(({ hook }) => hook)
      assert.deepEqual([ends, untold], [['onClose', 'release'], 0], model.about)
      assert.equal(calls.length - 2, model.suspensions + model.resumes, model.about)
    }
    for (const { deferred, released } of this.#world.scopes) assert.equal(released, deferred)
  }

  /** Ends what a schedule that has failed has left behind. */
  clear(): void {
    for (const { peer } of this.#guests) peer.ws.terminate()
  }

  async #act(command: Command): Promise<void> {
    const { app, clock, model } = this.#world
    switch (command.does) {
      case 'connect':
        return this.#dial(model.dial(command.key), undefined, command)
      case 'come back':
        return this.#with(this.#travelling, command, (client) => this.#comeBack(client, command))
      case 'pass':
        return this.#with(this.#standing, command, (guest) => this.#pass(guest))
      case 'give up':
        return this.#with(this.#standing, command, (guest) => this.#giveUp(guest))
      case 'client sends':
        return this.#with(this.#travelling, command, (client) => {
          for (let i = 0; i < command.count; i++) client.send()
        })
      case 'server sends':
        return this.#with(this.#living, command, (session) => {
          for (let i = 0; i < command.count; i++) this.#send(session, command.bytes)
        })
      case 'acknowledge':
        return this.#with(this.#talking, command, (client) => {
          const count = Math.max(client.session.acknowledged, client.received - command.left)
          client.peer?.ack(count)
          client.session.acknowledge(count)
        })
      case 'cut':
        return this.#with(this.#talking, command, (client) => this.#cut(client, command))
      case 'leave':
        return this.#with(this.#talking, command, (client) => {
          model.end(client.session, 'client-close')
          client.letGo()?.ws.close(1000)
        })
      case 'close':
        return this.#with(this.#living, command, (session) => {
          model.end(session, 'server-close', command.code)
          this.#world.of(session).face.close(command.code)
        })
      case 'terminate':
        return this.#with(this.#living, command, (session) => {
          model.terminate(session)
          this.#world.of(session).face.terminate()
        })
      case 'expire':
        return this.#with(this.#living, command, (session) => {
          model.expireAt(session, clock.now() + command.after)
          this.#world.of(session).face.expireAt(clock.wall() + command.after)
        })
      case 'advance':
        return clock.advance(command.by)
      case 'drain':
        model.drain()
        this.#drain ??= app.websocketLifecycle.drain()
        return undefined
    }
  }

  get #standing(): Guest[] {
    return this.#guests.filter(({ dial, isSettled }) => dial.fate === undefined && !isSettled)
  }

  get #living(): ModelSession[] {
    return this.#world.model.all.filter(({ state }) => state !== 'over')
  }

  /** Clients that may come back. Those whose sessions are over do so less often. */
  get #travelling(): Traveller[] {
    const living = this.#clients.filter(({ session }) => session.state !== 'over')
    return [...living, ...living, ...this.#clients.slice(-4)]
  }

  /** Clients that have a line that carries something. */
  get #talking(): Traveller[] {
    return this.#clients.filter(({ peer }) => peer !== undefined)
  }

  async #with<Item>(
    meant: readonly Item[],
    { which }: AtOne,
    act: (item: Item) => void | Promise<void>,
  ): Promise<void> {
    const item = meant[which % Math.max(1, meant.length)]
    if (item !== undefined) await act(item)
  }

  #dial(
    dial: Dial,
    client: Traveller | undefined,
    { isSlow, isConfirmed = true }: { readonly isSlow: boolean; readonly isConfirmed?: boolean },
  ): void {
    const headers = this.#world.expect(dial)
    const request = client && { resume: client.request(dial.attempt) }
    const peer = new LinkPeer(this.#world.url, { headers, ...request })
    const guest = { dial, peer, client, confirms: isConfirmed, isSettled: false }
    this.#guests.push(guest)
    if (!isSlow) this.#pass(guest)
  }

  #comeBack(client: Traveller, { how, isSlow }: Command & { readonly does: 'come back' }): void {
    const { key, session } = client
    const { model } = this.#world
    const dial = (attempt: number, who = key): Dial =>
      model.dial(who, session, attempt, client.received)
    if (how === 'stranger') {
      this.#dial(dial(++client.attempt, 'eve'), client, { isSlow })
    } else if (how === 'old') {
      this.#dial(dial(session.attempt), client, { isSlow })
    } else {
      // Whoever comes back listens to the old line no more.
      client.letGo()
      this.#dial(dial(++client.attempt), client, { isSlow: isSlow && how === 'next' })
      if (how === 'next') return
      const first = this.#guests.at(-1)
      this.#dial(dial(++client.attempt), client, { isSlow: false })
      if (first?.dial.fate === 'resumed') first.dial.fate = 'either'
    }
  }

  #pass({ dial }: Guest): void {
    this.#world.model.pass(dial)
    this.#world.pass(dial)
  }

  async #giveUp(guest: Guest): Promise<void> {
    guest.isSettled = true
    guest.peer.ws.terminate()
    this.#world.model.lose(guest.dial)
    // Its hook goes on when the server knows.
    await delivered()
    this.#world.pass(guest.dial)
  }

  #cut(client: Traveller, { how, isBusy }: Command & { readonly does: 'cut' }): void {
    const { model } = this.#world
    const { session } = client
    if (isBusy) {
      client.send()
      this.#send(session, 10)
    }
    const peer = client.letGo()
    if (how === 'deaf') {
      peer?.raw.pause()
      model.deafen(session)
    } else if (how === 'RST') {
      peer?.cut()
      model.cut(session, 'connection-reset')
      // What is written to a line that was reset tells less.
      if (isBusy) model.cut(session, 'connection-lost')
    } else {
      if (how === '4990') peer?.ws.close(4990)
      else peer?.raw.end()
      model.cut(session, 'connection-lost')
    }
  }

  #send(session: ModelSession, bytes: number): void {
    const watched = this.#world.of(session)
    const message = `down ${session.sizes.length} `.padEnd(bytes, '.')
    this.#world.model.serverSends(session, message.length)
    watched.untold++
    watched.face.send(message, () => {
      watched.untold--
    })
  }

  /** The clients take what has come. @returns whether more follows from it */
  #listen(): boolean {
    let hasSent = false
    for (const guest of this.#guests) {
      if (guest.isSettled || !guest.peer.frames.includes('welcome')) continue
      guest.isSettled = true
      hasSent = this.#welcomed(guest) || hasSent
    }
    for (const client of this.#clients) client.listen()
    return hasSent
  }

  /** @returns whether it has sent something */
  #welcomed({ client, confirms, dial, peer }: Guest): boolean {
    if (peer.welcome.isResumed) {
      // Of two that come at once, only the newer one counts.
      if (client === undefined || client.attempt > dial.attempt) return false
      client.moveTo(peer, dial)
      return true
    }
    const number = String(this.#guests.findIndex((guest) => guest.peer === peer))
    const session = [...this.#world.sessions.values()].find(
      ({ face }) => face.request.headers['x-dial'] === number,
    )
    // The model did not expect it, and has noted that.
    if (session === undefined) return false
    this.#clients.push(new Traveller(session.model, peer))
    if (confirms) {
      peer.ack(0)
      session.model.acknowledge(0)
    }
    return confirms
  }

  /** Of two that came at once, the older attempt was resumed, or came too late. */
  #seeWhoWasFaster(): void {
    for (const { dial } of this.#guests) {
      if (dial.fate !== 'either') continue
      dial.fate = dial.wasResumed ? 'resumed' : 'stale'
      if (!dial.wasResumed) this.#world.model.counts.stale++
    }
  }

  get #isAsExpected(): boolean {
    return isDeepStrictEqual(this.#observed(), this.#expected())
  }

  #observed(): object {
    const { app, faults, model } = this.#world
    const { closed, open, refused, sessions } = app.websocketLifecycle.stats()
    return {
      faults: [...faults, ...this.#clients.flatMap((client) => client.faults), ...model.overdue],
      told: this.#guests.map((guest) => told(guest)),
      counts: { ...sessions, full: refused.limit, late: refused.draining },
      closed: Object.fromEntries(Object.entries(closed).filter(([, count]) => count > 0)),
      open,
      messages: this.#clients.map((client) => this.#gotBy(client)),
    }
  }

  #expected(): object {
    const { model, sessions } = this.#world
    const { counts } = model
    return {
      faults: [],
      told: this.#guests.map((guest) => expectedOf(guest)),
      counts: {
        ...counts,
        connected: model.of('connected').length,
        suspended: model.of('suspended').length,
      },
      closed: { ...model.causes },
      open: [...sessions.values()].filter(({ isOver }) => !isOver).length,
      messages: this.#clients.map((client) => this.#sentTo(client)),
    }
  }

  /** What both ends have got. On a line that carries, that is all. */
  #gotBy({ received, session }: Traveller): readonly [number, number] {
    return [received, this.#world.of(session).handled]
  }

  #sentTo(client: Traveller): readonly [number, number] {
    const { peer, sent, session } = client
    const isWhole = peer !== undefined && session.state === 'connected' && !session.isClosing
    const [received, handled] = this.#gotBy(client)
    const isHeld = this.#world.isInGap(this.#world.of(session))
    return [isWhole ? session.sizes.length : received, isWhole && !isHeld ? sent : handled]
  }

  async #endAll(): Promise<void> {
    for (const guest of this.#standing) this.#pass(guest)
    await this.settle()
    for (const session of this.#world.model.all) {
      this.#world.model.terminate(session)
      this.#world.of(session).face.terminate()
    }
    await this.settle()
  }

  /** No place is held any more: so many get one, and no more. */
  async #fill(): Promise<void> {
    const { bounds, model } = this.#world
    for (let count = 0; count < bounds.places; count++) await this.do(NEW)
    assert.equal(model.of('connected').length, bounds.places)
    const { full } = model.counts
    await this.do(NEW)
    assert.equal(model.counts.full, full + 1)
  }
}

const NEW: Command = { does: 'connect', key: 'ann', isConfirmed: true, isSlow: false }

/** The first thing that a client is told. */
function told({ dial, peer }: Guest): string | undefined {
  if (dial.fate === undefined) return undefined
  const [first = ''] = peer.frames
  if (first === 'welcome') return peer.welcome.isResumed ? 'resumed' : 'new'
  return first.slice(0, 'close 1234'.length)
}

function expectedOf({ dial }: Guest): string | undefined {
  if (dial.fate === 'stale') return 'close 4991'
  return dial.fate === 'refused' ? 'close 1006' : dial.fate
}
