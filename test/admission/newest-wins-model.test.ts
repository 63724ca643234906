// Random interleavings of those who come, whose hooks take their time, who leave, answer nothing, or are closed.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { LifecycleSocket, LifecycleStats } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { type Gate, gate } from '../support/time/gate.js'
import { type Bounds, NewestModel, type Wish } from '../support/models/newest-model.js'
import { runsOr, SEED } from '../support/models/runs.js'
import { Rival } from '../support/models/rival.js'
import { portOf, serve } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'

type Command =
  | { readonly does: 'dial'; readonly wish: Wish }
  /** One of those in a hook goes on. */
  | { readonly does: 'pass'; readonly which: number }
  /** One of those who are there leaves. */
  | { readonly does: 'leave'; readonly which: number; readonly how: 'FIN' | 'RST' }
  /** One of those that are open is closed by the app. */
  | { readonly does: 'close'; readonly which: number }
  | { readonly does: 'advance'; readonly by: number }

const which = fc.nat(20)
const wish: fc.Arbitrary<Wish> = fc.record({
  key: fc.constantFrom('ann' as const, 'ann' as const, 'ann' as const, 'bob' as const, undefined),
  isMute: fc.boolean(),
})
const commands: fc.Arbitrary<Command> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ does: fc.constant('dial' as const), wish }) },
  { weight: 10, arbitrary: fc.record({ does: fc.constant('pass' as const), which }) },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constant('leave' as const),
      which,
      how: fc.constantFrom('FIN' as const, 'RST' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('close' as const), which }) },
  {
    weight: 3,
    arbitrary: fc.record({
      does: fc.constant('advance' as const),
      // Sums of these are neither timeout.
      by: fc.constantFrom(300, 600),
    }),
  },
)

const TIMES = { closeTimeout: 500, handshakeTimeout: 1_000 } as const

/** One who wants in, as the server sees it. */
interface Guest {
  readonly rival: Rival
  readonly door: Gate
  isInHook: boolean
  hasLeft: boolean
  socket: LifecycleSocket | undefined
  releases: number
  closes: number
}

/** One app for all runs of a `max`: what one of them leaves behind shows in the next. */
class World {
  readonly bounds: Bounds
  readonly app: FastifyInstance
  readonly clock: FakeClock
  guests: Guest[] = []
  readonly #doors: Map<string, Gate>
  #runs = 0

  private constructor(
    bounds: Bounds,
    app: FastifyInstance,
    clock: FakeClock,
    doors: Map<string, Gate>,
  ) {
    this.bounds = bounds
    this.app = app
    this.clock = clock
    this.#doors = doors
  }

  static async serve(t: TestContext, max: number): Promise<World> {
    const clock = new FakeClock()
    const doors = new Map<string, Gate>()
    const guestOf = ({ headers }: FastifyRequest): Guest | undefined => {
      const [run, id] = String(headers['x-guest']).split(' ')
      return Number(run) === world.#runs ? world.guests[Number(id)] : undefined
    }
    const app = await serve(t, {
      clock,
      options: {
        ...TIMES,
        keepalive: false,
        maxConnectionsPerKey: {
          max,
          key: ({ headers }) => headers['x-key'] as string | undefined,
          whenFull: 'replace',
        },
        onClose: (_socket, request) => {
          const guest = guestOf(request)
          if (guest !== undefined) guest.closes++
        },
      },
      routes: (app) => {
        app.addHook('preHandler', async (request) => {
          const guest = guestOf(request)
          request.wsScope?.defer(() => {
            if (guest !== undefined) guest.releases++
          })
          await doors.get(String(request.headers['x-guest']))?.opened
        })
        app.get('/', { websocket: true }, (socket, request) => {
          socket.send('open')
          const guest = guestOf(request)
          if (guest !== undefined) guest.socket = socket
        })
      },
    })
    const world = new World({ ...TIMES, max }, app, clock, doors)
    return world
  }

  begin(): void {
    this.#runs++
    this.guests = []
  }

  async dial({ key, isMute }: Wish): Promise<void> {
    const id = `${this.#runs} ${this.guests.length}`
    const door = gate()
    this.#doors.set(id, door)
    const arrived = new Promise<void>((resolve) => {
      this.app.server.once('upgrade', () => resolve())
    })
    const headers = { 'x-guest': id, ...(key && { 'x-key': key }) }
    const rival = await Rival.dial(portOf(this.app), { headers, isMute })
    this.guests.push({
      rival,
      door,
      isInHook: true,
      hasLeft: false,
      socket: undefined,
      releases: 0,
      closes: 0,
    })
    await within(arrived, 'the upgrade')
  }

  async clear(): Promise<void> {
    for (const { door, rival } of this.guests) {
      door.open()
      rival.peer.destroy()
    }
    await until(() => this.app.websocketLifecycle.connections.size === 0)
    await until(() => this.clock.pending === 0)
    this.#doors.clear()
  }
}

/** One schedule, and what the model says of it. */
class Run {
  readonly #world: World
  readonly #model: NewestModel
  readonly #before: LifecycleStats

  constructor(world: World) {
    world.begin()
    this.#world = world
    this.#model = new NewestModel(world.bounds, world.clock.now())
    this.#before = world.app.websocketLifecycle.stats()
  }

  async do(command: Command): Promise<void> {
    const { clock, guests } = this.#world
    if (command.does === 'dial') {
      await this.#world.dial(command.wish)
      this.#model.dial(command.wish)
    } else if (command.does === 'advance') {
      await clock.advance(command.by)
      this.#model.advance(clock.now())
    } else {
      const isMeant = { pass: isInHook, leave: isThere, close: isOpen }[command.does]
      const meant = guests.filter(isMeant)
      const guest = meant[command.which % Math.max(1, meant.length)]
      if (guest === undefined) return
      await this.#act(command, guest)
    }
    await this.compare()
  }

  /** Waits until all is as the model says, and says where it is not. */
  async compare(): Promise<void> {
    const model = this.#model
    const expected = (): object => ({
      told: model.all.map(({ told }, id) => (this.#world.guests[id]?.hasLeft ? [] : told)),
      connections: model.connections,
      counts: model.counts,
    })
    const observed = (): object => ({
      told: this.#world.guests.map(({ rival, hasLeft }) => (hasLeft ? [] : rival.told)),
      ...this.#counts(),
    })
    for (let turn = 0; turn < 500 && !isDeepStrictEqual(observed(), expected()); turn++) {
      await turns(1)
    }
    assert.deepEqual(observed(), expected())
  }

  /** Everybody has gone: each came to one end. */
  assertEnded(): void {
    for (const { releases, closes, socket } of this.#world.guests) {
      assert.equal(releases, 1)
      assert.equal(closes, socket === undefined ? 0 : 1)
    }
  }

  async #act(command: Command, guest: Guest): Promise<void> {
    const id = this.#world.guests.indexOf(guest)
    if (command.does === 'pass') {
      guest.isInHook = false
      guest.door.open()
      this.#model.pass(id)
    } else if (command.does === 'leave') {
      guest.hasLeft = true
      if (command.how === 'FIN') guest.rival.peer.finish()
      else guest.rival.peer.reset()
      this.#model.leave(id)
      // Nothing else tells that the server has seen it.
      await until(() => guest.releases === 1)
    } else {
      guest.socket?.close(4000)
      this.#model.close(id)
    }
  }

  #counts(): object {
    const { open, refused, closed } = this.#world.app.websocketLifecycle.stats()
    return {
      connections: open,
      counts: {
        key: refused.key - this.#before.refused.key,
        handshake: refused.handshake - this.#before.refused.handshake,
        replaced: closed.replaced - this.#before.closed.replaced + this.#unfinished(),
      },
    }
  }

  /** Those that were replaced, and are not gone yet. */
  #unfinished(): number {
    return this.#model.all.filter(
      ({ at, told }) => at === 'leaving' && told.at(-1) === '4409 replaced',
    ).length
  }
}

function isInHook({ isInHook, hasLeft, rival }: Guest): boolean {
  return isInHook && !hasLeft && !rival.peer.hasEnded
}

function isThere({ hasLeft, rival }: Guest): boolean {
  return !hasLeft && !rival.peer.hasEnded && !rival.told.some((told) => told !== 'open')
}

function isOpen({ hasLeft, rival }: Guest): boolean {
  return !hasLeft && rival.isOpen
}

for (const max of [1, 2, 3]) {
  test(`in any order the newest ${max} of a key stay, each has one end, and no place is lost`, async (t) => {
    const world = await World.serve(t, max)
    const schedules = fc.array(commands, { minLength: 20, maxLength: 60, size: 'max' })
    await fc.assert(
      fc.asyncProperty(schedules, async (schedule) => {
        const run = new Run(world)
        try {
          for (const command of schedule) await run.do(command)
        } finally {
          await world.clear()
        }
        run.assertEnded()
      }),
      { numRuns: runsOr(40, 0.1), seed: SEED },
    )
  })
}
