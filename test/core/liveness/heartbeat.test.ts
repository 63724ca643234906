// When pings go, and how often a connection is looked at.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Heartbeat, type Pulse } from '../../../lib/core/liveness/heartbeat.js'
import { POLICY, pinged, pulse, start } from '../../support/models/pulse.js'

test('a quiet connection is pinged after the interval, and not before', () => {
  const heart = start()
  assert.equal(heart.nextDueAt(), 1_000)
  assert.equal(heart.look(pulse(999)), 'rest')
  assert.equal(heart.look(pulse(1_000)), 'ping')
})

test('the first pings of connections that open together are spread over half an interval', () => {
  for (const [phase, due] of [
    [0, 520],
    [0.5, 760],
    [1, 1_000],
  ] as const) {
    assert.equal(new Heartbeat(POLICY, pulse(0), phase).nextDueAt(), due)
  }
})

test('later pings keep the interval, give or take a tenth', () => {
  const time = fc.integer({ min: 0, max: 100_000 })
  fc.assert(
    fc.property(time, fc.double({ min: 0, max: 1, noNaN: true }), (now, jitter) => {
      const heart = start({ interval: 1_000, timeout: false })
      heart.pinged(now, jitter)
      const pause = heart.nextDueAt() - now
      assert.ok(pause >= 900 && pause <= 1_020, `${pause}`)
    }),
  )
})

test('the pings of all connections leave together, 25 times an interval', () => {
  const jitter = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 100_000 }), jitter, (now, roll) => {
      const heart = start({ interval: 1_000, timeout: false })
      heart.pinged(now, roll)
      assert.equal(heart.nextDueAt() % 40, 0)
    }),
  )
})

test('traffic in one direction alone does not spare the ping', () => {
  for (const direction of ['received', 'taken'] as const) {
    const heart = start()
    for (let now = 100; now < 1_000; now += 100) {
      assert.equal(heart.look(pulse(now, { [direction]: now })), 'rest')
    }
    assert.equal(heart.look(pulse(1_000, { [direction]: 1_000 })), 'ping')
  }
})

test('traffic in both directions, closer than 0.4 intervals, is never pinged', () => {
  const gaps = fc.array(fc.double({ min: 0, max: 0.39, noNaN: true }), { minLength: 60 })
  const looks = fc.array(fc.double({ min: 0.01, max: 0.1, noNaN: true }), { minLength: 200 })
  const phase = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(gaps, gaps, looks, phase, (ins, outs, gapsOfLooks, first) => {
      const heart = new Heartbeat(POLICY, pulse(0), first)
      const arrivals = moments(ins)
      const departures = moments(outs)
      const end = Math.min(arrivals.at(-1) ?? 0, departures.at(-1) ?? 0)
      for (const now of moments(gapsOfLooks)) {
        if (now > end) return
        const received = arrivals.filter((at) => at <= now).length
        const taken = departures.filter((at) => at <= now).length
        assert.equal(heart.look(pulse(now, { received, taken })), 'rest')
      }
    }),
  )
})

/** What came and went by now, of a connection whose frames are told to the tick before. */
function frames(now: number, arrivals: readonly number[], departures: readonly number[]): Pulse {
  const came = arrivals.filter((at) => at <= now)
  const went = departures.filter((at) => at <= now)
  return pulse(now, {
    received: came.length,
    receivedAt: tickBefore(came.at(-1) ?? 0),
    taken: went.length,
    sentAt: tickBefore(went.at(-1) ?? 0),
  })
}

const TICK = POLICY.interval / 20

function tickBefore(time: number): number {
  return Math.floor(time / TICK) * TICK
}

function tickAfter(time: number): number {
  return Math.ceil(time / TICK) * TICK
}

test('so it is where frames flow both ways and we look no more often than we have to', () => {
  const gaps = fc.array(fc.double({ min: 0, max: 0.39, noNaN: true }), { minLength: 60 })
  const phase = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(gaps, gaps, phase, (ins, outs, first) => {
      const heart = new Heartbeat(POLICY, pulse(0), first)
      const arrivals = moments(ins)
      const departures = moments(outs)
      const end = Math.min(arrivals.at(-1) ?? 0, departures.at(-1) ?? 0)
      for (let now = tickAfter(heart.nextLookAt()); now < end;) {
        assert.equal(heart.look(frames(now, arrivals, departures)), 'rest')
        now = tickAfter(Math.max(now + 1, heart.nextLookAt()))
      }
    }),
  )
})

test('a quiet peer that answers costs two looks an interval', () => {
  const heart = start()
  let received = 0
  let receivedAt = 0
  let looks = 0
  for (let now = heart.nextLookAt(); now < 20_000; now = heart.nextLookAt()) {
    looks++
    if (heart.look(pulse(now, { received, receivedAt, taken: received })) !== 'ping') continue
    heart.pinged(now, 0.5)
    received += 6
    receivedAt = now
  }
  assert.equal(received, 6 * 20)
  assert.equal(looks, 2 * 20)
})

test('while both sides talk no look is needed, until one is silent for as long as before a ping', () => {
  const heart = start()
  assert.equal(heart.restsFor, 980)
  heart.look(pulse(1_000))
  heart.pinged(1_000, 0.5)
  assert.equal(heart.restsFor, 0, 'a ping is unanswered')
  heart.look(pulse(1_020, { received: 6, receivedAt: 1_020, taken: 6 }))
  assert.equal(heart.restsFor, 940)
  heart.look(pulse(1_200, { received: 6, taken: 100, sentAt: 1_200 }))
  assert.equal(heart.restsFor, 0, 'only we talk')
  heart.look(pulse(1_300, { received: 9, receivedAt: 1_300, taken: 200, sentAt: 1_300 }))
  assert.equal(heart.restsFor, 940)
})

test('a stream to a silent peer is looked at closely: it says how long silence is excused', () => {
  const heart = start()
  assert.equal(heart.look(pulse(100, { taken: 100 })), 'rest')
  assert.equal(heart.nextLookAt(), 150)
  assert.equal(heart.look(pulse(150, { taken: 100 })), 'rest')
  assert.equal(heart.nextLookAt(), 1_000)
})

test('pings go on every interval while one is unanswered', () => {
  const heart = pinged({ interval: 1_000, timeout: false })
  const pings = [1_000]
  for (let now = 1_010; now < 10_000; now += 10) {
    if (heart.look(pulse(now)) !== 'ping') continue
    heart.pinged(now, 0)
    pings.push(now)
  }
  assert.deepEqual(pings, [1_000, 1_960, 2_880, 3_800, 4_720, 5_640, 6_560, 7_480, 8_400, 9_320])
})

test('no ping goes while the one before is still in our process', () => {
  for (const ping of ['queued', 'unwritten'] as const) {
    const heart = pinged({ interval: 1_000, timeout: false })
    for (let now = 1_100; now < 9_000; now += 100) {
      assert.equal(heart.look(pulse(now, { ping })), 'rest')
    }
    assert.equal(heart.look(pulse(9_000)), 'ping')
  }
})

test('later pings do not prolong the wait for the first, also if they are the only traffic', () => {
  const heart = pinged({ interval: 1_000, timeout: 5_000 })
  const advices: string[] = []
  let taken = 6
  for (let now = 1_100; now <= 6_100; now += 100) {
    const advice = heart.look(pulse(now, { taken }))
    if (advice !== 'rest') advices.push(`${advice} at ${now}`)
    if (advice !== 'ping') continue
    heart.pinged(now, 0.5)
    taken += 6
  }
  assert.deepEqual(advices, [
    'ping at 2000',
    'ping at 3000',
    'ping at 4000',
    'ping at 5000',
    'ping at 6000',
    'suspect at 6100',
  ])
})

test('nothing comes of a look before it is due, if nothing moves', () => {
  const time = fc.integer({ min: 0, max: 3_000 })
  const moves = fc.record({
    now: time,
    received: fc.boolean(),
    taken: fc.boolean(),
    backlogged: fc.boolean(),
    paused: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(moves), fc.double({ min: 0, max: 1, noNaN: true }), (steps, early) => {
      const heart = start()
      const seen = pulse(0)
      for (const step of steps) {
        Object.assign(seen, step, {
          now: seen.now + step.now,
          received: seen.received + Number(step.received),
          taken: seen.taken + 100 * Number(step.taken),
        })
        if (heart.look(seen) === 'ping') heart.pinged(seen.now, 0.5)
      }
      // Once more: what was seen for the first time moved the due time.
      seen.paused = false
      heart.look(seen)
      const due = heart.nextDueAt()
      if (due <= seen.now) return
      seen.now += (due - seen.now) * early * 0.999
      assert.equal(heart.look(seen), 'rest')
      seen.now = due
      assert.notEqual(heart.look(seen), 'rest')
    }),
  )
})

/** Gaps, in intervals, as moments. */
function moments(gaps: readonly number[]): number[] {
  let now = 0
  return gaps.map((gap) => (now += gap * POLICY.interval))
}
