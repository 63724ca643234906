import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Lease, type Renewal } from '../../../lib/core/cluster/lease.js'
import { SEED } from '../../support/models/runs.js'
import { type Fault, LEASE, LeaseModel } from '../../support/models/lease-model.js'

const LIFE = 20 * LEASE

const faults = (
  kinds: ReadonlyArray<Fault['kind']>,
  min: number,
  max: number,
): fc.Arbitrary<Fault> =>
  fc.record({
    kind: fc.constantFrom(...kinds),
    node: fc.nat(5),
    at: fc.integer({ min: LEASE, max: LIFE }),
    length: fc.integer({ min, max }),
  })

const many = fc.array(
  faults(
    ['node stands still', 'node is cut off', 'Redis stands still', 'all stand still', 'failover'],
    0,
    5 * LEASE,
  ),
  { maxLength: 8 },
)

/** One at most: whoever's clock jumps all the time has no clock. */
const one = fc.array(
  fc.oneof(
    faults(['jump'], -10 * LEASE, 10 * LEASE),
    // No node hears of it, but what it has lost says so.
    faults(['silent failover'], LEASE, 5 * LEASE),
  ),
  { maxLength: 1 },
)

const worlds = fc.record({
  count: fc.integer({ min: 2, max: 5 }),
  faults: fc.tuple(many, one).map((each) => each.flat()),
  slowness: fc.integer({ min: 0, max: 1_500 }),
  seed: fc.integer(),
})

function check(runs: number, LeaseClass = Lease): void {
  fc.assert(
    fc.property(worlds, ({ count, faults, slowness, seed }) => {
      const model = new LeaseModel(count, faults, slowness, seed, LeaseClass)
      while (model.now < LIFE) model.step()
      assert.deepEqual(model.wrong, [])
    }),
    { numRuns: runs, seed: SEED, endOnFailure: true },
  )
}

test('whoever has renewed within a lease, or could not because nobody could, is never claimed', () => {
  check(2_000)
})

class Hasty extends Lease {
  override get mayClaim(): boolean {
    return true
  }
}

class Trusting extends Lease {
  override reconnected(): void {}
}

class Forgiving extends Lease {
  override renewed(renewal: Renewal): boolean {
    return super.renewed({ ...renewal, leaseEnd: Infinity })
  }
}

class Timeless extends Lease {
  override renewed(renewal: Renewal): boolean {
    return super.renewed({ ...renewal, redisNow: renewal.sentAt })
  }
}

for (const Wrong of [Hasty, Trusting, Forgiving, Timeless]) {
  test(`the model sees that a ${Wrong.name.toLowerCase()} lease is wrong`, () => {
    assert.throws(() => check(4_000, Wrong), /Property failed/)
  })
}

test('a node that dies is claimed in time, if nothing else goes wrong', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 5 }),
      fc.integer({ min: 2 * LEASE, max: 4 * LEASE }),
      fc.integer({ min: 0, max: 300 }),
      fc.integer(),
      (count, at, slowness, seed) => {
        const death: Fault = { kind: 'node stands still', node: 0, at, length: 1_000_000 }
        const model = new LeaseModel(count, [death], slowness, seed)
        while (model.now < at + (2 + 2 / 3) * LEASE + 1_000) model.step()
        assert.deepEqual([...model.claimed.keys()], [0])
      },
    ),
    { numRuns: 500, seed: SEED },
  )
})
