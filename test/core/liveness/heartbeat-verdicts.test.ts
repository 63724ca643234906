// When a peer is suspect, and what excuses it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PER_MS, pinged, pulse, start } from '../../support/models/pulse.js'

test('a ping is unanswered from when the kernel has it, until a byte comes', () => {
  const heart = start()
  assert.equal(heart.isUnanswered, false)
  heart.look(pulse(1_000))
  heart.pinged(1_000, 0.5)
  heart.look(pulse(1_001, { ping: 'unwritten' }))
  assert.equal(heart.isUnanswered, false)
  heart.look(pulse(1_002))
  assert.equal(heart.isUnanswered, true)
  heart.look(pulse(1_003, { received: 1 }))
  assert.equal(heart.isUnanswered, false)
})

test('where no verdict is wanted, nothing is said of an unanswered ping', () => {
  const heart = pinged({ interval: 1_000, timeout: false })
  heart.look(pulse(1_001))
  assert.equal(heart.isUnanswered, false)
})

test('what shows after a long time without a look may have left just now', () => {
  const heart = start()
  assert.equal(heart.look(pulse(1_000, { taken: 2_000 * PER_MS, sentAt: 990 })), 'ping')
  heart.pinged(1_000, 0.5)
  assert.equal(heart.look(pulse(3_449, { taken: 2_000 * PER_MS })), 'ping')
  assert.equal(heart.look(pulse(3_450, { taken: 2_000 * PER_MS })), 'suspect')
})

test('a peer is suspect when no byte came for the timeout after a ping', () => {
  const heart = pinged()
  assert.equal(heart.nextDueAt(), 1_500)
  assert.equal(heart.look(pulse(1_499)), 'rest')
  assert.equal(heart.look(pulse(1_500)), 'suspect')
  assert.equal(heart.look(pulse(1_510)), 'suspect')
})

test('with a timeout of false nobody is ever suspect', () => {
  const heart = pinged({ interval: 1_000, timeout: false })
  assert.equal(heart.nextDueAt(), 1_960)
  assert.equal(heart.look(pulse(1_000_000)), 'ping')
})

test('any byte ends the suspicion, whether a pong or not', () => {
  const heart = pinged()
  assert.equal(heart.look(pulse(1_500)), 'suspect')
  assert.equal(heart.look(pulse(1_500, { received: 1 })), 'rest')
  assert.equal(heart.look(pulse(1_900, { received: 1 })), 'rest')
})

test('while we do not read nobody is suspect, and the clock starts anew when we do', () => {
  const heart = pinged()
  assert.equal(heart.look(pulse(5_000, { paused: true })), 'ping')
  assert.equal(heart.nextDueAt(), 1_960)
  assert.equal(heart.look(pulse(5_499, { ping: 'unwritten' })), 'rest')
  assert.equal(heart.look(pulse(5_500, { ping: 'unwritten' })), 'suspect')
})

test('the clock stands still while the ping waits with ws', () => {
  const heart = pinged()
  assert.equal(heart.look(pulse(5_000, { ping: 'queued' })), 'rest')
  assert.equal(heart.look(pulse(5_499, { ping: 'unwritten' })), 'rest')
  assert.equal(heart.look(pulse(5_500, { ping: 'unwritten' })), 'suspect')
})

test('with a backlog the clock runs from the last progress', () => {
  const heart = pinged()
  const waiting = { backlogged: true, ping: 'unwritten' } as const
  assert.equal(heart.look(pulse(1_100, waiting)), 'rest')
  assert.equal(heart.look(pulse(3_000, { ...waiting, taken: 1 })), 'rest')
  assert.equal(heart.look(pulse(3_499, { ...waiting, taken: 1 })), 'rest')
  assert.equal(heart.look(pulse(3_500, { ...waiting, taken: 1 })), 'suspect')
})

test('what the kernel takes without a backlog is no sign of life', () => {
  const heart = pinged()
  for (let now = 1_100; now <= 1_500; now += 100) {
    // What the first look sees may have stood before the ping: it excuses 17 ms.
    assert.equal(heart.look(pulse(now, { taken: now })), 'rest')
  }
  assert.equal(heart.look(pulse(1_600, { taken: 1_600 })), 'suspect')
})

test('a peer that talks, reads nothing of a full backlog, and dies, is suspect', () => {
  const heart = pinged()
  const stuck = { backlogged: true, ping: 'unwritten' } as const
  assert.equal(heart.look(pulse(1_400, stuck)), 'rest')
  assert.equal(heart.look(pulse(1_800, { ...stuck, received: 1 })), 'rest')
  assert.equal(heart.look(pulse(2_299, { ...stuck, received: 1 })), 'rest')
  assert.equal(heart.look(pulse(2_300, { ...stuck, received: 1 })), 'suspect')
})

test('so it is if an earlier ping had left', () => {
  const heart = pinged({ interval: 1_000, timeout: 5_000 })
  const stuck = { backlogged: true, ping: 'unwritten' } as const
  assert.equal(heart.look(pulse(2_000)), 'ping')
  heart.pinged(2_000, 0.5)
  assert.equal(heart.look(pulse(2_100, { ...stuck, received: 1 })), 'rest')
  assert.equal(heart.look(pulse(7_099, { ...stuck, received: 1 })), 'rest')
  assert.equal(heart.look(pulse(7_100, { ...stuck, received: 1 })), 'suspect')
})

test('what the kernel took before a ping excuses the peer for as long as a slow line takes', () => {
  const heart = start()
  assert.equal(heart.look(pulse(950)), 'rest')
  assert.equal(heart.look(pulse(1_000, { taken: 2_000 * PER_MS })), 'ping')
  heart.pinged(1_000, 0.5)
  assert.equal(heart.look(pulse(3_449, { taken: 2_000 * PER_MS })), 'ping')
  assert.equal(heart.look(pulse(3_450, { taken: 2_000 * PER_MS })), 'suspect')
})

test('no kernel holds more than 8 MiB, so that nothing is an excuse for more than 128 s', () => {
  const heart = start()
  const taken = 1_000_000_000
  assert.equal(heart.look(pulse(1_000, { taken })), 'ping')
  heart.pinged(1_000, 0.5)
  const due = 1_000 + 128_000 + 500
  assert.equal(heart.look(pulse(due - 1, { taken, ping: 'unwritten' })), 'rest')
  assert.equal(heart.look(pulse(due, { taken, ping: 'unwritten' })), 'suspect')
})

test('an answered ping says that all that stood before it has arrived', () => {
  const heart = start()
  const taken = 1_000_000
  assert.equal(heart.look(pulse(1_000, { taken })), 'ping')
  heart.pinged(1_000, 0.5)
  heart.ponged(1_200)
  assert.equal(heart.look(pulse(2_000, { taken, received: 6 })), 'ping')
  heart.pinged(2_000, 0.5)
  assert.equal(heart.look(pulse(2_499, { taken, received: 6 })), 'rest')
  assert.equal(heart.look(pulse(2_500, { taken, received: 6 })), 'suspect')
})

test('but what came after it may still be on the line', () => {
  const heart = start()
  assert.equal(heart.look(pulse(1_000)), 'ping')
  heart.pinged(1_000, 0.5)
  const taken = 3_000 * PER_MS
  assert.equal(heart.look(pulse(1_050, { taken })), 'rest')
  heart.ponged(1_200)
  assert.equal(heart.look(pulse(2_000, { taken, received: 6 })), 'ping')
  heart.pinged(2_000, 0.5)
  assert.equal(heart.look(pulse(4_499, { taken, received: 6, ping: 'unwritten' })), 'rest')
  assert.equal(heart.look(pulse(4_500, { taken, received: 6, ping: 'unwritten' })), 'suspect')
})

test('a ping that leaves after its peer spoke must be answered from then on', () => {
  const heart = pinged()
  // It is being handed over while a byte comes that cannot be its answer.
  assert.equal(heart.look(pulse(1_300, { received: 1, ping: 'unwritten' })), 'rest')
  heart.pinged(1_350, 0.5)
  assert.equal(heart.look(pulse(1_849, { received: 1 })), 'rest')
  assert.equal(heart.look(pulse(1_850, { received: 1 })), 'suspect')
})
