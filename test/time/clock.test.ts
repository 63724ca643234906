import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock, type Timer } from '../../lib/time/clock.js'

test('the time of durations is monotonic, that of people is the epoch', () => {
  const before = { now: performance.now(), wall: Date.now() }
  const [now, wall] = [systemClock.now(), systemClock.wall()]
  assert.ok(before.now <= now && now <= performance.now())
  assert.ok(before.wall <= wall && wall <= Date.now())
})

test('a timeout calls back once, unless it is cleared', async () => {
  const calls: string[] = []
  const cleared = systemClock.setTimeout(() => calls.push('cleared'), 1)
  systemClock.clearTimeout(cleared)
  await new Promise<void>((resolve) => {
    systemClock.setTimeout(() => {
      calls.push('called')
      systemClock.setTimeout(resolve, 2)
    }, 1)
  })
  assert.deepEqual(calls, ['called'])
})

test('an interval calls back until it is cleared', async () => {
  let calls = 0
  await new Promise<void>((resolve) => {
    const interval: Timer = systemClock.setInterval(() => {
      if (++calls < 3) return
      systemClock.clearInterval(interval)
      resolve()
    }, 1)
  })
  assert.equal(calls, 3)
})
