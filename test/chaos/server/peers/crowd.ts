import { setTimeout as wait } from 'node:timers/promises'
import { ChaosProxy, type Plan, plansOf } from '../../../support/peers/chaos-proxy.js'
import type { SessionRecord } from '../server/config.js'
import {
  ages,
  anything,
  expires,
  follows,
  HealthyPeer,
  isIdle,
  isNeverIdle,
  order,
  replacesItself,
  talks,
} from './healthy.js'
import { runHttp, runWs, watchPage } from './onlookers.js'
import { SessionPeer } from './session.js'
import { WildPeer } from './wild.js'
import type { World } from './world.js'

/** The healthy ones: how many of each, where, and what they do. */
const HEALTHY = [
  [12, '/orders', talks(order)],
  [10, '/lines', talks(anything)],
  [10, '/echo', talks(anything)],
  [4, '/idle', isNeverIdle],
  [4, '/idle', isIdle],
  [4, '/credentials', isNeverIdle],
  [4, '/credentials', expires],
  [4, '/aged', ages],
  [6, '/strict', follows(false)],
  [4, '/feed', follows(true)],
  [5, '/device/', replacesItself],
] as const
const WITH_WS = 8
const SESSIONS = 12
const ONLOOKERS = 2
/** How long all may take to leave, and the goodbyes of sessions, in ms. */
const LEAVE_WITHIN = 60_000
const GOODBYE_WITHIN = 10_000

/** Lines live for long enough to bring a large message. */
function plansFor(seed: number): () => Plan {
  const planOf = plansOf(seed)
  return () => {
    const plan = planOf()
    return { ...plan, after: (plan.after ?? 0) * 10 }
  }
}

/** All peers at a time. */
export class Crowd {
  readonly #world: World
  readonly #sessions: SessionPeer[] = []
  /** By name, those that have not left. */
  readonly #running = new Map<string, Promise<void>>()
  readonly #proxy: ChaosProxy

  private constructor(world: World, proxy: ChaosProxy) {
    this.#world = world
    this.#proxy = proxy
  }

  /** @param name of this crowd: no two share a key or a session */
  static async gather(world: World, size: number, seed: number, name: string): Promise<Crowd> {
    const proxy = await ChaosProxy.to({ after: () => {} }, world.port, plansFor(seed))
    const crowd = new Crowd(world, proxy)
    let next = seed
    const run = (who: string, running: Promise<void>): void => crowd.#add(who, running)
    for (const [count, path, live] of HEALTHY) {
      for (let index = 0; index < count; index++) {
        const who = `${name}-${path.split('/')[1]}-${next}`
        const where = path.endsWith('/') ? `${path}${who}` : path
        run(who, new HealthyPeer(world, next++, who, where, live).run())
      }
    }
    for (let index = 0; index < WITH_WS; index++) {
      const who = `${name}-ws-${next}`
      run(who, runWs(world, next++, who))
    }
    for (let index = 0; index < SESSIONS; index++) {
      const session = new SessionPeer(world, next++, `${name}-${index}`, proxy.port)
      crowd.#sessions.push(session)
      run(`${name}-session-${index}`, session.run())
    }
    run('the page', watchPage(world, 'the page for operators'))
    run('requests', runHttp(world, 'plain requests'))
    for (let others = size - crowd.#running.size; others > 0; others--) {
      const wild = new WildPeer(world, next)
      run(`${name}-wild-${next++}`, wild.run())
    }
    return crowd
  }

  /** Number of peers that are not wild. */
  static readonly healthy: number =
    HEALTHY.reduce((sum, [count]) => sum + count, 0) + WITH_WS + SESSIONS + ONLOOKERS

  /** Broken lines, by now. */
  get faults(): number {
    return this.#proxy.total
  }

  /** All leave. Sessions do when both sides have got all. */
  async leave(ask: () => Promise<readonly SessionRecord[]>): Promise<void> {
    this.#world.end()
    this.#proxy.calm()
    await this.#allLeave()
    await Promise.all(
      this.#sessions.map(async (session) =>
        session.leave(async () => {
          const { name, sent } = session.log
          const record = (await ask()).findLast(
            (one) => one.name === name && one.cause === undefined,
          )
          const isHandled = record?.handled === sent
          return isHandled && session.hasAll(record?.sent)
        }),
      ),
    )
    await this.#untilOver(ask)
    this.#proxy.close()
  }

  #add(who: string, running: Promise<void>): void {
    this.#running.set(who, running)
    void running.then(() => this.#running.delete(who))
  }

  async #allLeave(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const isLate = new Promise((resolve) => {
      timer = setTimeout(resolve, LEAVE_WITHIN)
    })
    await Promise.race([Promise.all(this.#running.values()), isLate])
    clearTimeout(timer)
    for (const who of this.#running.keys()) this.#world.log.fault(`${who} does not leave`)
  }

  /** The close frames of sessions are on their way, over lines that are ours. */
  async #untilOver(ask: () => Promise<readonly SessionRecord[]>): Promise<void> {
    const names = new Set(this.#sessions.map(({ log }) => log.name))
    const isOver = async (): Promise<boolean> =>
      (await ask()).every(({ cause, name }) => !names.has(name) || cause !== undefined)
    const until = performance.now() + GOODBYE_WITHIN
    while (!(await isOver()) && performance.now() < until) await wait(100)
  }

  /** The server has gone: whoever is left goes too. */
  async end(): Promise<void> {
    this.#world.end()
    await this.#allLeave()
    await Promise.all(this.#sessions.map(async (session) => session.end()))
    this.#proxy.close()
  }
}
