import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Lease } from '../../../lib/core/cluster/lease.js'

const LENGTH = 15_000
const BEAT = 5_000
/** How far Redis's clock is from ours. */
const AHEAD = 1_000_000

/** A node that renews; each answer takes 10 ms. */
class Renewing {
  readonly lease = new Lease(LENGTH, 0)
  now = 0
  #leaseEnd: number | undefined

  renew({ after = BEAT, took = 10, ahead = AHEAD } = {}): boolean {
    this.now += after
    const sentAt = this.now
    this.lease.tries(sentAt)
    this.now += took
    const redisNow = sentAt + took / 2 + ahead
    const leaseEnd = this.#leaseEnd
    this.#leaseEnd = redisNow + LENGTH
    return this.lease.renewed({ sentAt, answeredAt: this.now, redisNow, leaseEnd })
  }

  loseWrites(): void {
    this.#leaseEnd = (this.#leaseEnd ?? 0) - 1
  }
}

/** A node that may claim others. */
function wellEstablished(): Renewing {
  const node = new Renewing()
  for (let i = 0; i < 5; i++) node.renew()
  assert.ok(node.lease.mayClaim)
  return node
}

test('is renewed at once, and then three times in each lease', () => {
  const node = new Renewing()
  assert.ok(node.lease.dueAt < 0)
  assert.ok(!node.lease.mayClaim)
  node.renew()
  assert.equal(node.lease.dueAt, 2 * BEAT)
})

test('is connected from the first renewal on, while renewals come through in time', () => {
  const node = new Renewing()
  const { lease } = node
  assert.ok(!lease.isConnected(0))
  node.renew()
  assert.ok(lease.isConnected(node.now))
  lease.failed()
  assert.ok(!lease.isConnected(node.now))
  node.renew()
  assert.ok(lease.isConnected(node.now))
})

test('is cut off a lease after the last renewal was sent that came through, or after the start', () => {
  const node = new Renewing()
  const { lease } = node
  assert.equal(lease.cutOffAt, LENGTH)
  node.renew({ took: 1_900 })
  assert.equal(lease.cutOffAt, BEAT + LENGTH)
  assert.ok(lease.isConnected(BEAT + LENGTH - 1))
  assert.ok(!lease.isConnected(BEAT + LENGTH))
})

test('knows when Redis has lost writes', () => {
  const node = new Renewing()
  assert.equal(node.renew(), false, 'never written before')
  assert.equal(node.renew(), true)
  node.loseWrites()
  assert.equal(node.renew(), false)
  assert.equal(node.renew(), true)
})

test('may claim after a lease of its own renewals', () => {
  const node = new Renewing()
  const may = Array.from({ length: 5 }, () => {
    node.renew()
    return node.lease.mayClaim
  })
  assert.deepEqual(may, [false, false, false, true, true])
})

const BREAKS: Readonly<Record<string, (node: Renewing) => void>> = {
  'the process stood still': (node) => node.renew({ after: LENGTH }),
  'Redis stood still': (node) => node.renew({ took: LENGTH }),
  "Redis's clock jumped": (node) => node.renew({ ahead: AHEAD + LENGTH }),
  'Redis lost writes': (node) => {
    node.loseWrites()
    node.renew()
  },
  'the connection was lost': (node) => {
    node.lease.reconnected()
    node.renew()
  },
}

for (const [what, happens] of Object.entries(BREAKS)) {
  test(`may claim only a lease later if ${what}`, () => {
    const node = wellEstablished()
    happens(node)
    const from = node.now
    assert.ok(!node.lease.mayClaim)
    const ahead = what.includes('jumped') ? AHEAD + LENGTH : AHEAD
    while (!node.lease.mayClaim) node.renew({ ahead })
    assert.ok(node.now - from >= LENGTH)
    assert.ok(node.now - from <= LENGTH + BEAT + 100)
  })
}

test('a failure, and a clock that runs a little differently, take nothing away', () => {
  const node = wellEstablished()
  node.lease.failed()
  node.renew({ after: 1_000 })
  assert.ok(node.lease.mayClaim)
  node.renew({ ahead: AHEAD + BEAT })
  assert.ok(node.lease.mayClaim)
})
