// What nodes ask of a real Redis, in any order: who lives, who is dead, and who may clean up after whom.
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { KEPT } from '../../../lib/redis/scripts/shared.js'
import { dead, fence, info, LEASE, nodes, type Scripts, scripts } from '../redis/scripts.js'
import { commandMaker } from './command.js'
import type { Model } from './property.js'
import { RegistryModel } from './registry-model.js'

type Command =
  | { readonly does: 'join' }
  | { readonly does: 'renew' | 'claim' | 'leave'; readonly which: number }
  | { readonly does: 'extend' | 'done'; readonly which: number; readonly nth: number }
  | { readonly does: 'pass'; readonly by: number }
  | { readonly does: 'empty' }

type Schedule = readonly Command[]

const command = commandMaker<Command>()
const which = fc.nat(4)
/** Which of the fences with which it was claimed, counted from the newest. */
const nth = fc.constantFrom(0, 1)

const commands: fc.Arbitrary<Command> = fc.oneof(
  command(2, 'join', {}),
  command(8, 'renew', { which }),
  command(12, 'claim', { which }),
  command(2, 'leave', { which }),
  command(4, 'extend', { which, nth }),
  command(3, 'done', { which, nth }),
  // No sum of these is at a bound, or so little before one that the time of the machine counts.
  command(8, 'pass', { by: fc.constantFrom(25_100, 70_100, 70_100, KEPT + 100) }),
  command(1, 'empty', {}),
)

class RegistryRun {
  readonly #redis: Scripts
  readonly #model = new RegistryModel(LEASE, KEPT)
  readonly #names: string[] = []

  constructor(redis: Scripts) {
    this.#redis = redis
  }

  async do(command: Command): Promise<void> {
    const { does } = command
    if (does === 'join') return this.#renew(this.#newName(), true)
    if (does === 'pass') return this.#pass(command.by)
    if (does === 'empty') {
      for (const key of [nodes, dead, info, fence]) await this.#redis.command('DEL', key)
      return this.#model.empty()
    }
    const name = this.#names[command.which % this.#names.length]
    if (name === undefined) return
    if ('nth' in command) return this.#goOn(command.does, name, command.nth)
    if (does === 'renew') return this.#renew(name)
    return does === 'claim' ? this.#claim(name) : this.#done(name)
  }

  async #goOn(does: 'extend' | 'done', name: string, nth: number): Promise<void> {
    const claim = this.#model.fencesOf(name).at(-1 - nth)
    if (claim === undefined) return
    if (does === 'done') return this.#done(name, claim)
    assert.equal(await this.#redis.extend(name, claim), this.#model.extend(name, claim), name)
  }

  /** All leave, or are cleaned up. Then there are tombstones and the fence, and a day later nothing. */
  async finish(): Promise<void> {
    for (const name of this.#model.living) await this.#done(name)
    await this.#pass(LEASE + 10_100)
    for (const name of this.#model.orphaned) {
      await this.#claim(name)
      await this.#done(name, this.#model.fencesOf(name).at(-1))
    }
    await this.#expectNothing()
    const last = this.#newName()
    await this.#renew(last, true)
    await this.#pass(KEPT + 100)
    await this.#done(last)
    await this.#expectNothing()
    assert.deepEqual(await this.#redis.command('ZRANGE', dead, 0, -1), [last])
  }

  #newName(): string {
    const name = `node ${this.#names.length}`
    this.#names.push(name)
    return name
  }

  async #renew(name: string, isNew = false): Promise<void> {
    const expected = this.#model.renew(name)
    const [leaseEnd, given, , live, ...others] = await this.#redis.renew(name, isNew ? '1' : '')
    if (expected === 'claimed') return assert.equal(leaseEnd, 'claimed', name)
    if (isNew) this.#model.gives(given)
    else assert.equal(given, '')
    assert.equal(leaseEnd !== '', expected.isKnown, `${name} had a lease`)
    const found = [live.map(([other = '']) => other), ...others].map((each) => each.toSorted())
    assert.deepEqual(found, [expected.live, expected.expired, expected.orphaned])
  }

  async #claim(name: string): Promise<void> {
    const isFree = this.#model.isFree(name)
    const given = await this.#redis.claim(name)
    assert.equal(given !== '', isFree, `${name} is claimed`)
    if (isFree) this.#model.claim(name, given)
  }

  /** @param claim without one the node leaves by itself */
  async #done(name: string, claim = ''): Promise<void> {
    assert.equal(await this.#redis.done(name, claim), this.#model.done(name, claim), name)
  }

  async #pass(by: number): Promise<void> {
    this.#model.now += by
    for (const key of [nodes, dead]) {
      for (const name of (await this.#redis.command('ZRANGE', key, 0, -1)) as string[]) {
        const score = Number(await this.#redis.command('ZSCORE', key, name))
        // A tombstone has the negative time.
        await this.#redis.age(key, name, score < 0 ? -by : by)
      }
    }
  }

  /** Nothing but tombstones and the fence, and none of it for ever. */
  async #expectNothing(): Promise<void> {
    const left: unknown[] = []
    for (const key of [nodes, info]) left.push(await this.#redis.command('EXISTS', key))
    assert.deepEqual(left, [0, 0], 'nodes, info')
    const alive = (await this.#redis.command('ZCOUNT', dead, '(0', '+inf')) as number
    assert.equal(alive, 0, 'claims')
    for (const key of [dead, fence]) {
      const ttl = Number(await this.#redis.command('PTTL', key))
      assert.ok(ttl === -2 || (ttl > 0 && ttl <= KEPT), `${key}: ${ttl}`)
    }
  }
}

async function play(schedule: Schedule): Promise<void> {
  const ends: Array<() => Promise<void>> = []
  try {
    const run = new RegistryRun(await scripts({ after: (end) => void ends.unshift(end) }))
    for (const each of schedule) await run.do(each)
    await run.finish()
  } finally {
    for (const end of ends) await end()
  }
}

export const registry: Model<Schedule> = {
  name: 'registry',
  file: 'registry.ts',
  schedules: fc.array(commands, { maxLength: 60, size: 'max' }),
  play,
}
