// A server with sessions of which all is noted that its hooks see, and told to a model.
import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setImmediate as turn } from 'node:timers/promises'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import type { LifecycleEvents } from '../../../lib/facts/events.js'
import type { LifecycleSession } from '../../../lib/index.js'
import { createPlugin } from '../../../lib/plugin/plugin.js'
import type { ModelSession } from '../models/model-session.js'
import { type Bounds, type Dial, SessionsModel } from '../models/sessions-model.js'
import { FakeClock } from '../time/fake-clock.js'
import { type Gate, gate } from '../time/gate.js'
import { portOf } from './app.js'

/** What a hook does: nothing, or it takes a turn, fails, or does not settle. */
export type Behaviour = 'nothing' | 'turn' | 'throw' | 'reject' | 'hang'

type Hook = 'onSuspend' | 'onResume' | 'onClose' | 'release'

interface Call {
  readonly hook: Hook
  readonly beganAt: number
  hasSettled: boolean
}

/** A session, as the app sees it. */
export interface Watched {
  readonly face: LifecycleSession
  readonly model: ModelSession
  readonly calls: Call[]
  /** Number of messages that were handled. */
  handled: number
  /** Number of messages whose callback has not been called. */
  untold: number
  isOver: boolean
}

const CHANNEL = 'fastify-websocket-lifecycle:'
type Name = 'connection.opened' | 'connection.closing' | 'connection.closed'
type Told = Name | 'session.interrupted' | 'session.resumed'

const AFTER: Readonly<Record<Hook, ReadonlyArray<Hook | undefined>>> = {
  onSuspend: [undefined, 'onResume'],
  onResume: ['onSuspend'],
  onClose: [undefined, 'onSuspend', 'onResume'],
  release: ['onClose'],
}

export class WatchedSessions {
  readonly bounds: Bounds
  readonly clock = new FakeClock()
  readonly model: SessionsModel
  readonly app: FastifyInstance
  readonly sessions = new Map<string, Watched>()
  /** What must not be. */
  readonly faults: string[] = []
  /** Of each upgrade, by the number of its dial: how many releases its scope got, and how many have run. */
  readonly scopes: Array<{ deferred: number; released: number }> = []
  /** Whether hooks may fail. Two that come at once would meet a session that the one has and the other has not. */
  mayFail = true
  readonly #dials: Array<{ readonly dial: Dial; readonly door: Gate }> = []
  readonly #behaviours: readonly Behaviour[]
  readonly #end = gate()
  readonly #unsubscribe: Array<() => void> = []
  #calls = 0

  private constructor(bounds: Bounds, behaviours: readonly Behaviour[]) {
    this.bounds = bounds
    this.#behaviours = behaviours
    this.model = new SessionsModel(bounds, this.clock)
    this.app = Fastify()
    this.clock.random = () => 0.5
  }

  static async serve(
    bounds: Bounds,
    behaviours: readonly Behaviour[],
    keepalive: { readonly interval: number; readonly timeout: number },
  ): Promise<WatchedSessions> {
    const world = new WatchedSessions(bounds, behaviours)
    world.#listen()
    const { app, clock } = world
    await app.register(createPlugin(clock), {
      keepalive,
      closeTimeout: bounds.closeTimeout,
      cleanupTimeout: bounds.cleanupTimeout,
      drain: { timeout: bounds.drainTimeout },
      // Who stands in a hook is let pass by the test alone.
      handshakeTimeout: 3_600_000,
      // Else many that are reset in a moment of this clock are a storm, which has a timer.
      expectedCloseCodes: [1000, 1001, 1005, 1006],
    })
    world.#route()
    await app.listen({ host: '127.0.0.1', port: 0 })
    return world
  }

  get url(): string {
    return `ws://127.0.0.1:${portOf(this.app)}/`
  }

  /** Somebody is about to dial. @returns the headers by which the server knows who it is */
  expect(dial: Dial): Readonly<Record<string, string>> {
    this.scopes.push({ deferred: 0, released: 0 })
    const number = this.#dials.push({ dial, door: gate() }) - 1
    return { 'x-dial': `${number}`, 'x-user': dial.key }
  }

  pass(dial: Dial): void {
    this.#dials.find((each) => each.dial === dial)?.door.open()
  }

  of(model: ModelSession): Watched {
    return this.sessions.get(model.id) as Watched
  }

  /** Whether a hook of a gap runs, or waits to. */
  isInGap({ calls, model }: Watched): boolean {
    const gaps = calls.filter(isGap)
    const isRunning = gaps.some((call) => !this.#isOver(call))
    return isRunning || gaps.length < model.suspensions + model.resumes
  }

  /** Ends all that is left, and does not care how. */
  async close(): Promise<void> {
    this.#end.open()
    for (const { door } of this.#dials) door.open()
    const closing = this.app.close()
    await this.clock.advance(this.bounds.drainTimeout + 10 * this.bounds.cleanupTimeout)
    await closing
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
  }

  #route(): void {
    const { app, bounds } = this
    app.addHook('onRequest', async (request) => {
      const { door, number } = this.#dialOf(request)
      const scope = this.scopes[number]
      assert.ok(scope)
      scope.deferred++
      request.wsScope?.defer(() => void scope.released++)
      await door.opened
    })
    const { maxBytes, places, window } = bounds
    app.get(
      '/',
      {
        websocket: true,
        maxConnections: places,
        resume: { key: ({ headers }) => String(headers['x-user']), window, maxBytes },
        onMessage: ({ id }, _request, message) => this.#handle(id, message.toString()),
        onSuspend: ({ id }) => this.#called(id, 'onSuspend'),
        onResume: ({ id }) => this.#called(id, 'onResume'),
        onClose: ({ id }) => this.#called(id, 'onClose'),
      },
      (session) => {
        session.scope.defer(() => this.#called(session.id, 'release'))
      },
    )
  }

  #listen(): void {
    const { model } = this
    this.#on('connection.opened', ({ connection: face, id, request }) => {
      const { key } = this.#dialOf(request).dial
      const watched: Watched = {
        face: face as LifecycleSession,
        model: model.opened(id, key),
        calls: [],
        handled: 0,
        untold: 0,
        isOver: false,
      }
      this.sessions.set(id, watched)
      void face.closed.then(() => {
        watched.isOver = true
      })
    })
    this.#on('connection.closing', ({ id, cause }) => {
      if (cause !== undefined) model.closing(id, cause)
    })
    this.#on('connection.closed', ({ id, close }) => model.closed(id, close.cause))
    this.#on('session.interrupted', ({ id, close }) => model.interrupted(id, close.cause))
    this.#on('session.resumed', ({ id, request, wasInterrupted }) =>
      model.resumed(id, this.#dialOf(request).dial, wasInterrupted),
    )
  }

  /** The channels are those of the process. What the model does not allow is noted. */
  #on<Event extends Told>(name: Event, heard: (event: LifecycleEvents[Event]) => void): void {
    const listener = (message: unknown): void => {
      const event = message as LifecycleEvents[Event]
      if (event.app !== this.app) return
      try {
        heard(event)
      } catch (error) {
        this.faults.push(String(error))
      }
    }
    subscribe(CHANNEL + name, listener)
    this.#unsubscribe.push(() => unsubscribe(CHANNEL + name, listener))
  }

  #dialOf({ headers }: FastifyRequest): { number: number; dial: Dial; door: Gate } {
    const number = Number(headers['x-dial'])
    const known = this.#dials[number]
    assert.ok(known)
    return { number, ...known }
  }

  #handle(id: string, message: string): void {
    const watched = this.sessions.get(id) as Watched
    const [, number, gaps] = message.split(' ')
    if (Number(number) !== watched.handled) {
      this.#fault(watched, `${message} after ${watched.handled}`)
    }
    const over = watched.calls.filter((call) => call.hook === 'onResume' && this.#isOver(call))
    if (over.length < Number(gaps)) this.#fault(watched, `${message} in a gap`)
    watched.handled++
  }

  #called(id: string, hook: Hook): unknown {
    const watched = this.sessions.get(id) as Watched
    const { calls, model } = watched
    const last = calls.at(-1)
    if (!AFTER[hook].includes(last?.hook)) this.#fault(watched, `${hook} after ${last?.hook}`)
    if (last !== undefined && !this.#isOver(last)) {
      this.#fault(watched, `${hook} during ${last.hook}`)
    }
    const call: Call = { hook, beganAt: this.clock.now(), hasSettled: false }
    calls.push(call)
    const wanted = this.#behaviours[this.#calls++ % this.#behaviours.length] ?? 'nothing'
    const wouldFail = wanted === 'throw' || wanted === 'reject'
    const fails = wouldFail && this.mayFail
    const behaviour = wouldFail && !fails ? 'turn' : wanted
    if (fails && isGap(call)) this.model.fail(model)
    call.hasSettled = behaviour === 'nothing' || behaviour === 'throw'
    if (behaviour === 'throw') throw new Error(`${hook} throws`)
    return call.hasSettled ? undefined : this.#settle(call, behaviour)
  }

  async #settle(call: Call, behaviour: Behaviour): Promise<void> {
    await (behaviour === 'hang' ? this.#end.opened : turn())
    call.hasSettled = true
    if (behaviour === 'reject') throw new Error(`${call.hook} rejects`)
  }

  /** Whether it has settled, or has taken so long that it may be left behind. */
  #isOver({ beganAt, hasSettled }: Call): boolean {
    const overrunsAt = Math.min(beganAt + this.bounds.cleanupTimeout, this.model.cutAt)
    return hasSettled || this.clock.now() >= overrunsAt
  }

  #fault({ model }: Watched, what: string): void {
    this.faults.push(`${model.about} ${what}`)
  }
}

function isGap({ hook }: Call): boolean {
  return hook === 'onSuspend' || hook === 'onResume'
}
