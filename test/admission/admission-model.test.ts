// Random interleavings of hooks that settle, refuse and throw, of peers that leave, and of time.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { LifecycleSocket, LifecycleStats, RefusalReason } from '../../lib/index.js'
import { AdmissionModel, type Maxima } from '../support/models/admission-model.js'
import { within } from '../support/time/bound.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { Guest, obey, type Step, type Verdict, type Wish } from '../support/models/guest.js'
import { runsOr, SEED } from '../support/models/runs.js'
import { portOf, serve } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'

const ENDS = ['close frame', 'FIN', 'RST', 'close()', 'terminate()'] as const
type End = (typeof ENDS)[number]

type Command =
  | { readonly does: 'dial'; readonly wish: Wish }
  /** One of those whose step waits, be it too late or not, gets an answer; and may leave at once. */
  | {
      readonly does: 'answer'
      readonly which: number
      readonly verdict: Verdict
      readonly leaves: 'FIN' | 'RST' | undefined
    }
  /** One of those who are there leaves. */
  | { readonly does: 'leave'; readonly which: number; readonly how: 'FIN' | 'RST' }
  /** One of those that are open ends. */
  | { readonly does: 'end'; readonly which: number; readonly how: End }
  | { readonly does: 'advance'; readonly by: number }

const which = fc.nat(20)
const wish: fc.Arbitrary<Wish> = fc.record({
  path: fc.constantFrom('/http', '/frame'),
  key: fc.constantFrom('ann' as const, 'ann' as const, 'bob' as const, undefined),
  isPage: fc.boolean(),
  isUnlucky: fc.nat(7).map((n) => n === 0),
})
const verdict: fc.Arbitrary<Verdict> = fc.oneof(
  { weight: 24, arbitrary: fc.constant('pass' as const) },
  { weight: 3, arbitrary: fc.constantFrom('refuse' as const, 'throw' as const, 'close' as const) },
)
const leaves = fc.constantFrom('FIN' as const, 'RST' as const)
const commands: fc.Arbitrary<Command> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ does: fc.constant('dial' as const), wish }) },
  {
    weight: 36,
    arbitrary: fc.record({
      does: fc.constant('answer' as const),
      which,
      verdict,
      leaves: fc.oneof(
        { weight: 11, arbitrary: fc.constant(undefined) },
        { weight: 1, arbitrary: leaves },
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ does: fc.constant('leave' as const), which, how: leaves }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constant('end' as const),
      which,
      how: fc.constantFrom(...ENDS),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      does: fc.constant('advance' as const),
      by: fc.constantFrom(300, 600, 1_000),
    }),
  },
)

const MAX: Maxima = { server: 5, route: 3, key: 2, handshakeTimeout: 1_000 }

/** One app for all runs: what one of them leaves behind shows in the next. */
class World {
  readonly app: FastifyInstance
  readonly clock: FakeClock
  guests: Guest[] = []

  private constructor(app: FastifyInstance, clock: FakeClock) {
    this.app = app
    this.clock = clock
  }

  static async serve(t: TestContext): Promise<World> {
    const clock = new FakeClock()
    const guestOf = ({ headers }: FastifyRequest): Guest | undefined =>
      world.guests[Number(headers['x-guest'])]
    const ask = async (step: Step, request: FastifyRequest): Promise<Verdict> =>
      (await guestOf(request)?.ask(step, request)) ?? 'pass'
    const judge = async (step: Step, request: FastifyRequest): Promise<boolean> => {
      const verdict = await ask(step, request)
      if (verdict === 'throw') throw new Error('no')
      return verdict === 'pass'
    }
    const handler = (socket: LifecycleSocket, request: FastifyRequest): void => {
      socket.send('open')
      guestOf(request)?.opened(socket)
    }
    const app = await serve(t, {
      clock,
      options: {
        keepalive: false,
        // Else hundreds that are reset in a moment of this clock are a storm, which has a timer.
        expectedCloseCodes: [1000, 1001, 1005, 1006],
        handshakeTimeout: MAX.handshakeTimeout,
        maxConnections: MAX.server,
        maxConnectionsPerKey: { max: MAX.key, key: keyOf },
        allowedOrigins: async (_origin, request) => judge('origin', request),
        expiresAt: async (request) =>
          new Date((await judge('expiresAt', request)) ? '2100-01-01' : '2001-01-01'),
        onClose: (_socket, request) => {
          guestOf(request)?.closed()
        },
      },
      routes: (app) => {
        app.addHook('onRequest', async (request, reply) => {
          const isWelcome = obey(await ask('onRequest', request), reply)
          return isWelcome ? undefined : reply
        })
        app.addHook('preHandler', (request, reply, done) => {
          void callBack(ask('preHandler', request), reply, done)
        })
        const options = { websocket: true as const, maxConnections: MAX.route }
        app.get('/http', options, handler)
        app.get('/frame', { ...options, refuse: 'close-frame' }, handler)
      },
    })
    const world = new World(app, clock)
    return world
  }

  /** Ends what a run that has failed has left behind. */
  async clear(): Promise<void> {
    for (const guest of this.guests) guest.destroy()
    while (this.clock.pending > 0) await turns(1)
    for (const guest of this.guests) guest.answer('throw')
    await turns()
  }

  /** Somebody who is let pass at every step. @returns what they are told */
  async enter(path: Wish['path'], key?: Wish['key']): Promise<readonly [Guest, string]> {
    const guest = new Guest({ path, key, isPage: false, isUnlucky: false })
    await guest.dial(portOf(this.app), -1)
    await until(() => guest.told !== undefined)
    return [guest, String(guest.told)]
  }
}

function keyOf({ headers }: FastifyRequest): string | undefined {
  return headers['x-key'] as string | undefined
}

/** Obeys as a hook with a callback does. */
async function callBack(
  asking: Promise<Verdict>,
  reply: FastifyReply,
  done: (error?: Error) => void,
): Promise<void> {
  const verdict = await asking
  try {
    if (!obey(verdict, reply)) return
  } catch (error) {
    done(error as Error)
    return
  }
  done()
}

/** One schedule, and what the model says of it. */
class Run {
  readonly #world: World
  readonly #model = new AdmissionModel(MAX)
  readonly #before: LifecycleStats

  constructor(world: World) {
    world.guests = []
    this.#world = world
    this.#before = world.app.websocketLifecycle.stats()
  }

  async do(command: Command): Promise<void> {
    const { clock, guests } = this.#world
    switch (command.does) {
      case 'dial':
        await this.#dial(command.wish)
        break
      case 'answer':
        this.#answer(
          pick(guests, command.which, ({ isAsked }) => isAsked),
          command,
        )
        break
      case 'leave':
        this.#leave(pick(guests, command.which, isThere), command.how)
        break
      case 'end':
        this.#end(pick(guests, command.which, isOpen), command.how)
        break
      case 'advance':
        await clock.advance(command.by)
        this.#model.advance(clock.now())
    }
    await this.#compare()
  }

  /** Everybody goes, and what was asked of them is answered too late. */
  async finish(): Promise<void> {
    const { clock, guests } = this.#world
    for (const guest of guests) {
      if (isThere(guest)) this.#leave(guest, 'RST')
    }
    await this.#compare()
    while (guests.some(({ isAsked }) => isAsked)) {
      for (const guest of guests) this.#answer(guest, { verdict: 'pass' })
      await this.#compare()
    }
    for (const guest of guests) guest.destroy()
    // The sweep has nobody to look after: no upgrade is left, and no connection.
    await until(() => clock.pending === 0)
    assert.deepEqual(
      guests.map(({ releases, closes }) => [releases, closes]),
      this.#model.all.map(({ wasAsked, hasOpened }) => [wasAsked ? 1 : 0, hasOpened ? 1 : 0]),
    )
    const { open, opened, refused } = this.#counts()
    const { left, answered } = this.#model
    assert.equal(open, 0)
    const sum = Object.values(refused).reduce((total, count) => total + count, 0)
    assert.equal(sum, guests.length - opened - left - answered)
  }

  async #dial(wish: Wish): Promise<void> {
    const { app, clock, guests } = this.#world
    const guest = new Guest(wish)
    const id = guests.push(guest) - 1
    this.#model.dial(wish, clock.now())
    await guest.dial(portOf(app), id)
  }

  #answer(guest: Guest | undefined, { verdict, leaves }: Answer): void {
    if (guest === undefined) return
    guest.answer(verdict)
    this.#model.answer(this.#idOf(guest), verdict)
    // What it was answered is done before the server can see that it leaves.
    if (leaves !== undefined) this.#leave(guest, leaves)
  }

  #leave(guest: Guest | undefined, how: 'FIN' | 'RST'): void {
    if (guest === undefined || guest.hasLeft) return
    guest.leave(how)
    this.#model.leave(this.#idOf(guest))
  }

  #end(guest: Guest | undefined, how: End): void {
    if (guest === undefined) return
    if (how === 'FIN' || how === 'RST') {
      this.#leave(guest, how)
      return
    }
    if (how === 'close frame') guest.close()
    else if (how === 'close()') guest.socket?.close(1000)
    else guest.socket?.terminate()
    this.#model.end(this.#idOf(guest))
  }

  #idOf(guest: Guest): number {
    return this.#world.guests.indexOf(guest)
  }

  /** What has happened in this run, as `stats()` counts it. */
  #counts(): Pick<LifecycleStats, 'open' | 'opened' | 'refused'> {
    const { open, opened, refused } = this.#world.app.websocketLifecycle.stats()
    const counts = Object.entries(refused) as Array<[RefusalReason, number]>
    return {
      open,
      opened: opened - this.#before.opened,
      refused: Object.fromEntries(
        counts.map(([reason, count]) => [reason, count - this.#before.refused[reason]]),
      ) as LifecycleStats['refused'],
    }
  }

  /** Waits until all is as the model says, and says where it is not. */
  async #compare(): Promise<void> {
    const model = this.#model
    const expected = (): object => ({
      stats: { open: model.open, opened: model.opened, refused: model.counts },
      guests: model.all.map(({ at, told, hasLeft }) => [at, hasLeft ? undefined : told]),
    })
    const observed = (): object => ({
      stats: this.#counts(),
      guests: this.#world.guests.map(({ at, told, hasLeft }) => [
        // Nothing was asked of whom the limits have refused.
        at === 'nowhere' ? 'over' : at,
        hasLeft ? undefined : told,
      ]),
    })
    for (let turn = 0; turn < 500 && !isDeepStrictEqual(observed(), expected()); turn++) {
      await turns(1)
    }
    assert.deepEqual(observed(), expected())
  }
}

interface Answer {
  readonly verdict: Verdict
  readonly leaves?: 'FIN' | 'RST' | undefined
}

function isOpen({ at, hasLeft }: Guest): boolean {
  return at === 'open' && !hasLeft
}

/** Whether it waits or is open. */
function isThere(guest: Guest): boolean {
  return isOpen(guest) || (guest.at !== 'nowhere' && guest.at !== 'over' && !guest.hasLeft)
}

function pick(
  guests: readonly Guest[],
  which: number,
  isMeant: (guest: Guest) => boolean,
): Guest | undefined {
  const meant = guests.filter(isMeant)
  return meant[which % Math.max(1, meant.length)]
}

/** There is room for exactly as many as the limits say, by server, route and key. */
async function assertAllFree(world: World): Promise<void> {
  const inside: Guest[] = []
  for (const [path, key, expected] of [
    ['/http', 'ann', 'open'],
    ['/http', 'ann', 'open'],
    ['/frame', 'ann', '4429'],
    ['/http', 'bob', 'open'],
    // The route is full, then the key, then the server.
    ['/http', undefined, '503'],
    ['/frame', 'bob', 'open'],
    ['/frame', 'bob', '4429'],
    ['/frame', undefined, 'open'],
    ['/frame', undefined, '1013'],
    ['/http', 'bob', '503'],
  ] as const) {
    const [guest, told] = await world.enter(path, key)
    assert.equal(told, expected, `${path} as ${key}`)
    if (told === 'open') inside.push(guest)
  }
  assert.equal(world.app.websocketLifecycle.stats().open, MAX.server)
  for (const guest of inside) guest.leave('RST')
  await until(() => world.app.websocketLifecycle.connections.size === 0)
}

test('whatever hooks, peers and time do: each attempt comes to one end, and holds no place then', async (t) => {
  const world = await World.serve(t)
  const schedules = fc.array(commands, { minLength: 40, maxLength: 120, size: 'max' })
  await fc.assert(
    fc.asyncProperty(schedules, async (schedule) => {
      const run = new Run(world)
      try {
        for (const command of schedule) await run.do(command)
        await run.finish()
        await assertAllFree(world)
      } finally {
        await world.clear()
      }
    }),
    { numRuns: runsOr(100, 0.2), seed: SEED },
  )
  const report = await within(world.app.websocketLifecycle.drain(), 'the drain')
  assert.deepEqual([report.closed, report.terminated, report.abandoned], [0, 0, []])
})
