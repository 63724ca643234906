// The five stages of a neighbour whose connections are ours: it opens, works, is found dead when it is frozen, survives
// what its callbacks throw, and is drained. A neighbour says how it is added, visited and made to throw.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import type { CloseCause, CloseInfo } from '../../../lib/index.js'
import { createPlugin } from '../../../lib/plugin/plugin.js'
import {
  link,
  type Link,
  type ManualClock,
  manualClock,
  nothingLeft,
} from '../../../lib/testing/index.js'
import { within } from '../../support/time/bound.js'
import { until } from '../../support/time/timed.js'
import { surviveUncaught } from '../../support/time/uncaught.js'
import { Kept } from './kept.js'

/** One client of a neighbour, with a connection of its own. */
export interface Visitor {
  /** Does what the neighbour is there for, and fails if that does not work. It may be done again and again. */
  readonly work: () => Promise<void>
  /** The code with which the client saw its connection close. */
  readonly closed: Promise<number>
}

/** A callback of the app that throws. */
export interface Throwing<V extends Visitor> {
  /** Makes a visitor's callback throw, and awaits what the visitor sees of it. */
  readonly provoke: (visitor: V) => Promise<unknown>
  /** What becomes of its connection. */
  readonly then: 'goes on' | { readonly cause: CloseCause; readonly code: number }
}

/** How a neighbour is added to an app, and used. It is made anew for each test. */
export interface Neighbour<V extends Visitor = Visitor> {
  /** Adds what has to come before ours. */
  readonly before?: (app: FastifyInstance) => unknown
  /** Adds it and its routes. For each visitor it keeps something, which its own cleanup lets go. */
  readonly add: (app: FastifyInstance, kept: Kept) => unknown
  /** Opens a connection over a line that is this visitor's alone. */
  readonly visit: (t: Pick<TestContext, 'after'>, line: Link) => Promise<V>
  /** The route of ours at which it is. */
  readonly route: string
  readonly throws: Readonly<Record<string, Throwing<V>>>
}

/** More than a dead peer needs to be found by the defaults of `keepalive`. In ms. */
const LONG_ENOUGH = 60_000
/** The default of `drain.timeout`, and the second in which nothing may be left. In ms. */
const DRAIN_BOUND = 8_000 + 1_000

class Scene<V extends Visitor> {
  readonly app: FastifyInstance
  readonly clock: ManualClock
  readonly kept = new Kept()
  readonly closes: CloseInfo[] = []
  /** What would have ended the process. */
  readonly uncaught: unknown[]
  readonly #t: TestContext
  readonly #neighbour: Neighbour<V>

  private constructor(t: TestContext, neighbour: Neighbour<V>) {
    this.#t = t
    this.#neighbour = neighbour
    this.uncaught = surviveUncaught(t)
    this.app = Fastify()
    this.clock = manualClock(this.app)
    t.after(() => this.clock.until(this.app.close()))
  }

  static async open<V extends Visitor>(t: TestContext, neighbour: Neighbour<V>): Promise<Scene<V>> {
    const scene = new Scene(t, neighbour)
    const { app, closes, kept } = scene
    await neighbour.before?.(app)
    await app.register(createPlugin(), {
      onClose: (_socket, _request, close) => void closes.push(close),
    })
    await app.register(async (child) => void (await neighbour.add(child, kept)))
    await app.listen({ host: '127.0.0.1', port: 0 })
    return scene
  }

  async visit(): Promise<{ visitor: V; line: Link }> {
    const line = await link(this.app)
    this.#t.after(() => line.close())
    return { visitor: await within(this.#neighbour.visit(this.#t, line), 'a visitor'), line }
  }

  /** The ends of connections until now. */
  get ends(): Array<{ cause: CloseCause; code: number }> {
    return this.closes.map(({ cause, code }) => ({ cause, code }))
  }
}

/** @param what the neighbour, as titles call it */
export function describeFiveStages<V extends Visitor>(
  what: string,
  makeNeighbour: () => Neighbour<V>,
): void {
  const { throws, route } = makeNeighbour()

  describe(`${what}, in five stages:`, () => {
    test('opens connections of ours, at its route', async (t) => {
      const { app } = await arrive(t)
      const routes = [...app.websocketLifecycle.connections].map(
        ({ request }) => request.routeOptions.url,
      )
      assert.deepEqual(routes, [route, route])
      assert.equal(app.websocketLifecycle.stats().opened, 2)
    })

    test('works', async (t) => {
      const { first, other, kept, uncaught } = await arrive(t)
      for (const { visitor } of [first, other, first]) await within(visitor.work(), 'its work')
      assert.equal(kept.count, 2)
      assert.deepEqual(uncaught, [])
    })

    test('is found dead when it is frozen, and cleans up', async (t) => {
      const { first, other, app, clock, kept, ends, uncaught } = await arriveAtWork(t)
      const [socket] = app.websocketLifecycle.connections
      first.line.cut()
      await clock.advance(LONG_ENOUGH)
      await within(Promise.resolve(socket?.closed), 'the end')
      await until(() => kept.count === 1)
      assert.deepEqual(ends(), [{ cause: 'heartbeat-timeout', code: 1006 }])
      await within(other.visitor.work(), 'the work of the other')
      assert.deepEqual(uncaught, [])
    })

    for (const [title, { provoke, then }] of Object.entries(throws)) {
      const outcome = then === 'goes on' ? 'all go on' : `it ends with ${then.code}, others go on`
      test(`survives a throw in ${title}: ${outcome}`, async (t) => {
        const { first, other, kept, ends, uncaught } = await arriveAtWork(t)
        await within(provoke(first.visitor), 'what is seen of the throw')
        if (then === 'goes on') {
          await within(first.visitor.work(), 'its work')
          assert.deepEqual(ends(), [])
        } else {
          assert.equal(await within(first.visitor.closed, 'its close'), then.code)
          await until(() => kept.count === 1)
          assert.deepEqual(ends(), [then])
        }
        await within(other.visitor.work(), 'the work of the other')
        assert.deepEqual(uncaught, [])
      })
    }

    test('is drained, also where one is frozen', async (t) => {
      const { first, other, scene, app, clock, kept, uncaught } = await arriveAtWork(t)
      const third = await scene.visit()
      first.line.cut()
      const report = app.websocketLifecycle.drain()
      const startedAt = clock.now()
      await within(clock.until(app.close()), 'app.close()')
      assert.ok(clock.now() - startedAt <= DRAIN_BOUND)
      for (const { visitor } of [other, third]) {
        assert.equal(await within(visitor.closed, 'its close'), 1012)
      }
      const { closed, terminated, abandoned } = await report
      assert.deepEqual(
        { closed, terminated, abandoned },
        { closed: 2, terminated: 1, abandoned: [] },
      )
      await until(() => kept.count === 0)
      await nothingLeft(app)
      assert.deepEqual(uncaught, [])
    })
  })

  async function arrive(t: TestContext) {
    const scene = await Scene.open(t, makeNeighbour())
    const { app, clock, kept, uncaught } = scene
    const [first, other] = [await scene.visit(), await scene.visit()]
    return { scene, app, clock, kept, uncaught, first, other, ends: () => scene.ends }
  }

  async function arriveAtWork(t: TestContext) {
    const arrived = await arrive(t)
    for (const { visitor } of [arrived.first, arrived.other]) {
      await within(visitor.work(), 'its work')
    }
    return arrived
  }
}
