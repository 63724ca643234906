import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { systemClock, type Clock, type Timer } from '../../lib/time/clock.js'
import { Budget, type StepOutcome, Steps } from '../../lib/callbacks/steps.js'
import { delivered } from '../support/time/delivered.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { gate, never } from '../support/time/gate.js'

const LIMIT = 1_000
const error = new Error('mine')

/** What people return instead of promises. */
function thenable(then: unknown, target: object = {}): object {
  Reflect.set(target, 'then', then)
  return target
}

/** A fake clock that tells which of its timers hold the loop. */
class HoldingClock extends FakeClock {
  readonly holding = new Set<Timer>()

  override setTimeout(callback: () => void, delay: number): Timer {
    const timer = super.setTimeout(callback, delay)
    this.holding.add(timer)
    timer.ref = () => this.holding.add(timer)
    timer.unref = () => this.holding.delete(timer)
    return timer
  }

  override clearTimeout(timer: Timer): void {
    this.holding.delete(timer)
    super.clearTimeout(timer)
  }
}

test('a synchronous step is over at once, and costs no timer', () => {
  const clock = new FakeClock()
  const steps = new Steps(clock)
  assert.deepEqual(
    steps.run(() => 'whatever', LIMIT),
    { status: 'done' },
  )
  assert.equal(clock.pending, 0)
})

test('so is one that throws', () => {
  const outcome = new Steps(new FakeClock()).run(() => {
    throw error
  }, LIMIT)
  assert.deepEqual(outcome, { status: 'failed', error })
})

test('an asynchronous step is waited for, and leaves no timer behind', async () => {
  const clock = new FakeClock()
  const steps = new Steps(clock)
  assert.deepEqual(await steps.run(async () => 'whatever', LIMIT), { status: 'done' })
  assert.deepEqual(await steps.run(() => Promise.reject(error), LIMIT), { status: 'failed', error })
  assert.equal(clock.pending, 0)
})

test('a step that overruns its limit is left behind, and not before', async () => {
  const clock = new FakeClock()
  const outcomes: StepOutcome[] = []
  const run = Promise.resolve(new Steps(clock).run(() => never, LIMIT))
  void run.then((outcome) => outcomes.push(outcome))
  await clock.advance(LIMIT - 1)
  assert.equal(outcomes.length, 0)
  await clock.advance(1)
  assert.equal(outcomes[0]?.status, 'overran')
  assert.equal(clock.pending, 0)
})

/** Steps with one that settles when it is told to. */
function runOne(start: 'run' | 'runWithin' = 'run'): {
  clock: FakeClock
  settle: () => void
  outcome: () => StepOutcome['status'] | undefined
} {
  const clock = new FakeClock()
  const steps = new Steps(clock)
  const { opened, open } = gate()
  const step = (): Promise<void> => opened
  const run =
    start === 'run'
      ? steps.run(step, LIMIT)
      : steps.runWithin(step, new Budget(clock.now() + LIMIT))
  let outcome: StepOutcome | undefined
  void Promise.resolve(run).then((settled) => (outcome = settled))
  return { clock, settle: open, outcome: () => outcome?.status }
}

describe('a step whose time has passed while our loop stood still', () => {
  test('has what it was late by, and no longer', async () => {
    const { clock, outcome } = runOne()
    clock.stall(LIMIT + 300)
    await clock.advance(299)
    assert.equal(outcome(), undefined)
    await clock.advance(1)
    assert.equal(outcome(), 'overran')
    assert.equal(clock.pending, 0)
  })

  test('has its limit once more at most', async () => {
    const { clock, outcome } = runOne()
    clock.stall(60 * LIMIT)
    await clock.advance(LIMIT - 1)
    assert.equal(outcome(), undefined)
    await clock.advance(1)
    assert.equal(outcome(), 'overran')
  })

  test('is heard if it settles then', async () => {
    const { clock, settle, outcome } = runOne()
    clock.stall(LIMIT + 300)
    await clock.advance(299)
    settle()
    await delivered()
    assert.equal(outcome(), 'done')
    assert.equal(clock.pending, 0)
  })

  test('has nothing more where it has to be over by a time', async () => {
    const { clock, outcome } = runOne('runWithin')
    clock.stall(LIMIT + 300)
    await clock.advance(0)
    assert.equal(outcome(), 'overran')
    assert.equal(clock.pending, 0)
  })

  for (const start of ['run', 'runWithin'] as const) {
    test(`is heard if a poll brings what it waits for (${start})`, async () => {
      const { clock, settle, outcome } = runOne(start)
      await clock.advance(LIMIT - 1)
      setImmediate(settle)
      await clock.advance(1)
      assert.equal(outcome(), 'done')
    })
  }

  test('is left behind in a hurry all the same', async () => {
    const clock = new FakeClock()
    const steps = new Steps(clock)
    const running = steps.run(() => never, LIMIT)
    clock.stall(LIMIT + 300)
    await clock.advance(0)
    assert.equal(clock.pending, 1)
    steps.hurry()
    assert.equal((await running).status, 'overran')
    assert.equal(clock.pending, 0)
  })
})

test('how a step that was left behind comes out in the end can be learned', async () => {
  for (const late of [{ status: 'done' }, { status: 'failed', error }] as const) {
    const clock = new FakeClock()
    const run = new Steps(clock).run(async () => {
      await new Promise<void>((resolve) => clock.setTimeout(resolve, 2 * LIMIT))
      if (late.status === 'failed') throw late.error
    }, LIMIT)
    await clock.advance(LIMIT)
    const outcome = await run
    assert.ok(outcome.status === 'overran')
    await clock.advance(LIMIT)
    assert.deepEqual(await outcome.late, late)
  }
})

test('a thenable is waited for as a promise is, also if it throws or calls back twice', async () => {
  const steps = new Steps(new FakeClock())
  const fulfilled = thenable((resolve: (value: unknown) => void) => {
    resolve(1)
    resolve(2)
  })
  const throwing = thenable(() => {
    throw error
  })
  assert.deepEqual(await steps.run(() => fulfilled, LIMIT), { status: 'done' })
  assert.deepEqual(await steps.run(() => throwing, LIMIT), { status: 'failed', error })
})

test('a `then` that throws when it is read fails the step', async () => {
  const trap = new Proxy(
    {},
    {
      get: () => {
        throw error
      },
    },
  )
  assert.deepEqual(await new Steps(new FakeClock()).run(() => trap, LIMIT), {
    status: 'failed',
    error,
  })
})

test('steps do not keep the process alive', async () => {
  const clock = new HoldingClock()
  const steps = new Steps(clock)
  const running = steps.run(() => never, LIMIT)
  assert.equal(clock.holding.size, 0)
  await clock.advance(LIMIT)
  await running
})

test('with real timers, too', async () => {
  const timers: NodeJS.Timeout[] = []
  const clock: Clock = {
    ...systemClock,
    setTimeout: (callback, delay) => {
      const timer = setTimeout(callback, delay)
      timers.push(timer)
      return timer
    },
  }
  const steps = new Steps(clock)
  const running = steps.run(() => never, 60_000)
  assert.deepEqual(
    timers.map((timer) => timer.hasRef()),
    [false],
  )
  steps.hurry()
  await running
})

test('in a hurry every running step is left behind, and every later one at once', async () => {
  const clock = new FakeClock()
  const steps = new Steps(clock)
  const running = [steps.run(() => never, LIMIT), steps.run(() => never, LIMIT)]
  steps.hurry()
  const outcomes = await Promise.all(running.map((outcome) => Promise.resolve(outcome)))
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['overran', 'overran'],
  )
  const later = await steps.run(() => Promise.reject(error), LIMIT)
  assert.ok(later.status === 'overran')
  assert.deepEqual(await later.late, { status: 'failed', error })
  assert.equal(clock.pending, 0)
})

describe('time that steps share', () => {
  for (const why of ['overran', 'needless'] as const) {
    test(`may end before its moment: who runs is left, and every later one at once (${why})`, async () => {
      const clock = new FakeClock()
      const steps = new Steps(clock)
      const budget = new Budget(clock.now() + LIMIT)
      assert.deepEqual(await steps.runWithin(async () => {}, budget), { status: 'done' })
      const running = steps.runWithin(() => never, budget)
      const other = Promise.resolve(steps.run(() => never, LIMIT))
      budget.end(why)
      assert.equal((await running).status, why)
      assert.equal(clock.pending, 1)
      const later = await steps.runWithin(() => Promise.reject(error), budget)
      assert.ok(later.status === why)
      assert.deepEqual(await later.late, { status: 'failed', error })
      assert.equal(clock.pending, 1)
      await clock.advance(LIMIT)
      assert.equal((await other).status, 'overran')
    })
  }

  test('ends once', async () => {
    const budget = new Budget(0)
    budget.end('overran')
    budget.end('needless')
    assert.equal(budget.ended, 'overran')
  })
})

test('when all ends are over nobody waits for a step: for none that runs, and for no later one', async () => {
  const clock = new FakeClock()
  const steps = new Steps(clock)
  const running = steps.run(() => never, LIMIT)
  steps.rest()
  assert.equal((await running).status, 'needless')
  const later = await steps.run(() => Promise.reject(error), LIMIT)
  assert.ok(later.status === 'needless')
  assert.deepEqual(await later.late, { status: 'failed', error })
  assert.equal(clock.pending, 0)
})

test('in a hurry a synchronous step still runs', () => {
  const steps = new Steps(new FakeClock())
  steps.hurry()
  assert.deepEqual(
    steps.run(() => 1, LIMIT),
    { status: 'done' },
  )
})
