import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Retries, type Tried } from '../../../lib/core/cluster/retries.js'

interface Item extends Tried {
  readonly name: string
}

const DAY = 86_400_000

function item(name = ''): Item {
  return { name, failures: 0, failedAt: 0 }
}

/** All that are due at a time, in their order. */
function due(retries: Retries<Item>, now: number): string[] {
  const names: string[] = []
  for (let next = retries.take(now); next !== undefined; next = retries.take(now)) {
    names.push(next.name)
  }
  return names
}

test('nothing is due where nothing is', () => {
  const retries = new Retries<Item>()
  assert.equal(retries.dueAt, Infinity)
  assert.equal(retries.take(1e9), undefined)
  assert.equal(retries.fresh, 0)
})

test('it waits for 5, 10, 20 and at most 300 s, for a day', () => {
  const retries = new Retries<Item>()
  const one = item()
  let now = 1_000
  retries.add(one, now)
  const waits: number[] = []
  for (;;) {
    const waited = retries.dueAt - now
    waits.push(waited)
    now = retries.dueAt
    assert.equal(retries.take(now - 1), undefined)
    assert.equal(retries.take(now), one)
    // Each try takes a second.
    now += 1_000
    if (!retries.failed(one, now)) break
  }
  assert.deepEqual(
    waits.slice(0, 10),
    [0, 5, 10, 20, 40, 80, 160, 300, 300, 300].map((seconds) => seconds * 1_000),
  )
  assert.equal(retries.dueAt, Infinity)
  const lasted = now - one.failedAt
  assert.ok(lasted >= DAY && lasted < DAY + 301_000, String(lasted))
})

test('what was due first comes first, whether it has failed or not', () => {
  const retries = new Retries<Item>()
  const [failed, fresh, later] = [item('failed'), item('fresh'), item('later')]
  retries.failed(failed, 0)
  retries.add(fresh, 4_999)
  retries.add(later, 5_001)
  assert.equal(retries.fresh, 2)
  assert.deepEqual(due(retries, 5_001), ['fresh', 'failed', 'later'])
  assert.equal(retries.fresh, 0)
})

test('what nobody wants is forgotten', () => {
  const retries = new Retries<Item>()
  for (const name of ['a', 'b']) {
    retries.add(item(name), 0)
    retries.failed(item(`${name} failed`), 0)
  }
  retries.keep(({ name }) => name.startsWith('b'))
  assert.deepEqual(due(retries, DAY), ['b', 'b failed'])
})

test('whatever fails when: nothing is lost, nothing comes early, and all in order', () => {
  const steps = fc.array(
    fc.record({ wait: fc.nat({ max: 40_000 }), adds: fc.nat({ max: 3 }), fails: fc.boolean() }),
    { maxLength: 60 },
  )
  fc.assert(
    fc.property(steps, (steps) => {
      const retries = new Retries<Item>()
      const dueAt = new Map<Item, number>()
      let now = 0
      for (const { wait, adds, fails } of steps) {
        now += wait
        for (let added = 0; added < adds; added++) {
          const one = item()
          retries.add(one, now)
          dueAt.set(one, now)
        }
        const earliest = Math.min(...dueAt.values())
        assert.equal(retries.dueAt, earliest)
        const taken = retries.take(now)
        if (earliest > now) assert.equal(taken, undefined)
        if (taken === undefined) continue
        assert.equal(dueAt.get(taken), earliest)
        dueAt.delete(taken)
        if (fails && retries.failed(taken, now)) {
          dueAt.set(taken, now + Math.min(5_000 * 2 ** (taken.failures - 1), 300_000))
        }
      }
    }),
  )
})
