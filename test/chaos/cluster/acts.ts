import { setTimeout as wait } from 'node:timers/promises'
import type { NodeProcess } from './node-process.js'
import { watchRecords } from './records.js'
import type { Act, Spoil } from './schedule.js'
import type { Stage } from './stage.js'

type ActOf<Name extends Act['act']> = Extract<Act, { readonly act: Name }>

/** Carries out what the schedule says. */
export class Acts {
  readonly #stage: Stage
  readonly #running = new Set<Promise<void>>()
  /** Those that get a successor. */
  readonly #going = new Set<NodeProcess>()
  /** One thing at a time happens to Redis. */
  #isRedisBusy = false
  readonly #failOver: (act: ActOf<'failover'>) => Promise<void>

  constructor(stage: Stage, failOver: (act: ActOf<'failover'>) => Promise<void>) {
    this.#stage = stage
    this.#failOver = failOver
  }

  /** Begins it. */
  begin(act: Act): void {
    const running = this.#begin(act)
    const text = `${running === undefined ? 'left out: ' : ''}${JSON.stringify(act)}`
    this.#stage.ledger.write({ what: 'chaos', text })
    if (running === undefined) return
    this.#running.add(running)
    void running.then(() => this.#running.delete(running))
  }

  /** Resolves when nothing is out of order any more. */
  async over(): Promise<void> {
    await Promise.all(this.#running)
  }

  /** @returns `undefined` if it makes no sense now */
  #begin(act: Act): Promise<void> | undefined {
    if (!('slot' in act)) return this.#toRedis(act)
    const node = this.#stage.current[act.slot]
    if (node === undefined || !this.#mayGo(node)) return undefined
    switch (act.act) {
      case 'kill':
        return this.#kill(act, node)
      case 'kill, and its cleaner':
        return this.#killCleaner(act, node)
      case 'replace':
        return node.isStopped ? undefined : this.#replace(act.slot, node)
      case 'stop':
        return node.isStopped ? undefined : this.#stop(act, node)
      case 'cut':
      case 'held':
      case 'dropped':
      case 'slow':
      default:
        return node.line.state === 'open' ? this.#spoil(act, node) : undefined
    }
  }

  #mayGo(node: NodeProcess): boolean {
    return node.isThere && !this.#going.has(node)
  }

  async #kill(
    { slot, for: time }: { slot: number; for: number },
    node: NodeProcess,
  ): Promise<void> {
    this.#going.add(node)
    node.kill('SIGKILL')
    await node.exited
    await wait(time)
    await this.#stage.fill(slot)
  }

  async #killCleaner(act: ActOf<'kill, and its cleaner'>, node: NodeProcess): Promise<void> {
    const { current } = this.#stage
    const cleaner = new Promise<NodeProcess>((resolve) => {
      this.#stage.onCleaning = resolve
    })
    const killed = this.#kill(act, node)
    // It may be cleaned before it is claimed by anybody: if Redis has lost it.
    const next = await Promise.race([cleaner, wait(20_000, undefined)])
    this.#stage.onCleaning = undefined
    await wait(act.after)
    const slot = current.indexOf(next)
    if (next !== undefined && slot >= 0 && this.#mayGo(next)) {
      this.#stage.ledger.write({ what: 'chaos', text: `kill cleaner ${next.number}` })
      await this.#kill({ slot, for: act.for }, next)
    }
    await killed
  }

  async #replace(slot: number, node: NodeProcess): Promise<void> {
    this.#going.add(node)
    await this.#stage.fill(slot)
    if (!node.isGone) await this.#stage.leave(node)
  }

  async #stop(act: ActOf<'stop'>, node: NodeProcess): Promise<void> {
    const over = this.#stage.trouble('stopped', node)
    node.kill('SIGSTOP')
    await wait(act.for)
    node.kill('SIGCONT')
    over()
  }

  async #spoil(act: Spoil, node: NodeProcess): Promise<void> {
    const over = this.#stage.trouble(act.act, node)
    node.line.state = act.act === 'slow' ? { slow: act.by } : act.act
    await wait(act.for)
    node.line.state = 'open'
    over()
  }

  #toRedis(act: Exclude<Act, { readonly slot: number }>): Promise<void> | undefined {
    if (this.#isRedisBusy) return undefined
    this.#isRedisBusy = true
    const done = async (): Promise<void> => {
      switch (act.act) {
        case 'restart redis':
          return this.#restartRedis(act)
        case 'flush':
          return this.#flush()
        case 'kill clients':
          return this.#killClients(act)
        case 'pause redis':
          return this.#pauseRedis(act)
        case 'failover':
          return this.#failOver(act)
      }
    }
    return done().finally(() => {
      this.#isRedisBusy = false
    })
  }

  async #restartRedis({ keeps, signal, for: time }: ActOf<'restart redis'>): Promise<void> {
    const { ledger, redis } = this.#stage
    const over = this.#stage.trouble('redis down', 'all')
    await redis.end(signal)
    await wait(time)
    if (!keeps) redis.forget()
    await redis.start()
    if (!keeps) ledger.write({ what: 'data lost', since: 0 })
    over()
    if (!keeps) await watchRecords(this.#stage)
  }

  async #flush(): Promise<void> {
    await this.#stage.redis.admin.flushall()
    this.#stage.ledger.write({ what: 'data lost', since: 0 })
    await watchRecords(this.#stage)
  }

  async #killClients({ type }: ActOf<'kill clients'>): Promise<void> {
    const over = this.#stage.trouble('clients killed', 'all')
    await this.#stage.redis.admin.call('CLIENT', 'KILL', 'TYPE', type)
    over()
  }

  async #pauseRedis({ for: time }: ActOf<'pause redis'>): Promise<void> {
    const over = this.#stage.trouble('redis paused', 'all')
    await this.#stage.redis.admin.client('PAUSE', time, 'ALL')
    await wait(time)
    over()
  }
}
