import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Model, type World } from '../../support/models/line-model.js'
import { runsOr, SEED } from '../../support/models/runs.js'

const share = fc.double({ min: 0, max: 1, noNaN: true })

const worlds: fc.Arbitrary<World> = fc
  .tuple(fc.integer({ min: 50, max: 30_000 }), fc.double({ min: 0.2, max: 5, noNaN: true }))
  .map(([interval, share]) => ({ interval, timeout: Math.max(50, interval * share) }))
  .chain((policy) =>
    fc.record({
      policy: fc.constant(policy),
      rate: fc.double({ min: 65.536, max: 13_000, noNaN: true }),
      capacity: fc.integer({ min: 16 * 1024, max: 6 * 1024 * 1024 }),
      // What a look sees can be as old as the look before: that much the answer must be early.
      roundTrip: fc.double({ min: 0, max: 0.8 * policy.timeout, noNaN: true }),
      burst: fc.oneof(fc.constant(100), fc.integer({ min: 1, max: 4 * 1024 * 1024 })),
      chatter: fc.oneof(fc.constant(0), share),
      peerChatter: fc.oneof(fc.constant(0), fc.constant(0.01), share),
      pauses: fc.oneof(fc.constant(0), share),
      stalls: fc.oneof(fc.constant(0), share),
      seed: fc.integer(),
    }),
  )

function lifeOf(world: World): number {
  return 12 * (world.policy.interval + world.policy.timeout)
}

test('a peer that answers is never declared dead, whatever we, our loop and the line do', () => {
  fc.assert(
    fc.property(worlds, (world) => {
      const model = new Model(world)
      while (model.forgivingNow < lifeOf(world)) {
        model.step()
        assert.ok(!model.isCondemned, `declared dead at ${model.forgivingNow}`)
      }
    }),
    { numRuns: runsOr(500), seed: SEED },
  )
})

test('a peer that dies is declared dead within the bound, however much we go on writing to it', () => {
  fc.assert(
    fc.property(worlds, share, (world, when) => {
      const { interval, timeout } = world.policy
      const model = new Model(world)
      while (model.forgivingNow < when * lifeOf(world)) model.step()
      model.die()
      while (!model.isCondemned) {
        model.step()
        const bound = interval * 1.1 + timeout + 2 * model.tick + model.allowance
        const silence = model.forgivingNow - model.receivedAt
        assert.ok(model.isCondemned || silence <= bound, `${silence} ms, not ${bound}`)
      }
    }),
    { numRuns: runsOr(500), seed: SEED },
  )
})
