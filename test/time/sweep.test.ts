import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { afterNextPoll, Sweep, type Swept } from '../../lib/time/sweep.js'
import { stallEventLoop } from '../../lib/testing/stall.js'
import { OFF } from '../../lib/time/wheel.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { surviveUncaught } from '../support/time/uncaught.js'

/** A member that is always due, and notes when it was looked at. */
class Member implements Swept {
  dueAt = 0
  place = OFF
  readonly looks: Array<{ now: number; forgivingNow: number }> = []

  onSweep(now: number, forgivingNow: number): void {
    this.looks.push({ now, forgivingNow })
  }
}

interface OneMember {
  readonly clock: FakeClock
  readonly sweep: Sweep
  readonly member: Member
  /** The forgiving time of each look. */
  readonly forgivingNow: () => number[]
}

/** A sweep with one member, and ticks of 100 ms. */
function sweepOne(): OneMember {
  const clock = new FakeClock()
  const sweep = new Sweep(clock)
  sweep.serve(1_000)
  const member = new Member()
  sweep.add(member)
  return {
    clock,
    sweep,
    member,
    forgivingNow: () => member.looks.map(({ forgivingNow }) => forgivingNow),
  }
}

for (const [served, tick] of [
  [[], 1_000],
  [[60_000], 1_000],
  [[3_000], 300],
  [[3_000, 500, 25_000], 50],
  [[50], 10],
] as const) {
  test(`a tick is ${tick} ms where timeouts of ${served.join(', ') || 'nothing'} ms are served`, async () => {
    const clock = new FakeClock()
    const sweep = new Sweep(clock)
    for (const timeout of served) sweep.serve(timeout)
    const member = new Member()
    sweep.add(member)
    const start = clock.now()
    await clock.advance(tick * 2)
    assert.deepEqual(
      member.looks.map(({ now }) => now - start),
      [tick, tick * 2],
    )
  })
}

test('a member is looked at when it is due, at the next tick', async () => {
  const { clock, sweep } = sweepOne()
  const late = new Member()
  const start = clock.now()
  late.dueAt = start + 150
  sweep.add(late)
  await clock.advance(250)
  assert.deepEqual(
    late.looks.map(({ now }) => now - start),
    [200],
  )
})

test('there is a timer as long as there is a member, it is one, and it does not hold the loop', async () => {
  const clock = new FakeClock()
  let unrefs = 0
  const setInterval = clock.setInterval.bind(clock)
  clock.setInterval = (callback, delay) =>
    Object.assign(setInterval(callback, delay), { unref: () => unrefs++ })
  const sweep = new Sweep(clock)
  const [one, other] = [new Member(), new Member()]
  sweep.delete(one)
  assert.equal(clock.pending, 0)
  sweep.add(one)
  sweep.add(other)
  assert.deepEqual([clock.pending, unrefs], [1, 1])
  sweep.delete(one)
  assert.equal(clock.pending, 1)
  sweep.delete(other)
  assert.equal(clock.pending, 0)
  sweep.add(one)
  assert.deepEqual([clock.pending, unrefs], [1, 2])
  await clock.advance(1_000)
  assert.deepEqual([one.looks.length, other.looks.length], [1, 0])
})

test('a member that leaves while it is looked at is looked at no more', async () => {
  const clock = new FakeClock()
  const sweep = new Sweep(clock)
  let looks = 0
  const leaving: Swept = {
    dueAt: 0,
    place: OFF,
    onSweep: () => {
      looks++
      sweep.delete(leaving)
    },
  }
  sweep.add(leaving)
  await clock.advance(5_000)
  assert.deepEqual([looks, clock.pending], [1, 0])
})

test('the forgiving time goes on with the ticks', async () => {
  const { clock, sweep, forgivingNow } = sweepOne()
  await clock.advance(350)
  assert.deepEqual(forgivingNow(), [100, 200, 300])
  assert.equal(sweep.forgivingNow, 350)
})

test('a tick that comes late by a little counts', async () => {
  const { clock, forgivingNow } = sweepOne()
  clock.stall(180)
  await clock.advance(0)
  assert.deepEqual(forgivingNow(), [180])
})

test('a loop that stood still for longer counts as one tick', async () => {
  const { clock, sweep, forgivingNow } = sweepOne()
  clock.stall(60_000)
  assert.equal(sweep.forgivingNow, 100)
  await clock.advance(0)
  assert.deepEqual(forgivingNow(), [100])
  await clock.advance(100)
  assert.deepEqual(forgivingNow(), [100, 200])
})

test('the forgiving time never runs back, and never ahead of time', async () => {
  const { clock, sweep } = sweepOne()
  const start = clock.now()
  let before = sweep.forgivingNow
  for (const delay of [30, 90, 250, 10, 199, 201, 5_000, 1, 100, 350]) {
    clock.stall(delay)
    const between = sweep.forgivingNow
    await clock.advance(0)
    const after = sweep.forgivingNow
    assert.ok(before <= between && between <= after && after <= clock.now() - start)
    before = after
  }
})

test('the forgiving time stands still while there is nobody to look at', async () => {
  const { clock, sweep, member } = sweepOne()
  await clock.advance(200)
  sweep.delete(member)
  await clock.advance(60_000)
  sweep.add(member)
  assert.equal(sweep.forgivingNow, 200)
})

/** A crowd that is due at each tick of 100 ms. */
function sweepCrowd(): { clock: FakeClock; sweep: Sweep; members: Member[]; looks: () => number } {
  const clock = new FakeClock()
  const sweep = new Sweep(clock)
  sweep.serve(1_000)
  const members = Array.from({ length: 150 }, () => new Member())
  for (const member of members) sweep.add(member)
  const looks = (): number => members.reduce((sum, each) => sum + each.looks.length, 0)
  return { clock, sweep, members, looks }
}

test('who is due is looked at in order, and at most 64 in a turn of the loop', async () => {
  const { clock, members, looks } = sweepCrowd()
  const advanced = clock.advance(100)
  while (looks() === 0) await turn()
  for (const expected of [64, 128, 150]) {
    assert.equal(looks(), expected)
    assert.ok(members.slice(0, expected).every((member) => member.looks.length === 1))
    await turn()
  }
  await advanced
  assert.equal(looks(), 150)
})

test('who leaves, or is due later, before its turn has come is not looked at', async () => {
  const { clock, sweep, members, looks } = sweepCrowd()
  const advanced = clock.advance(100)
  while (looks() === 0) await turn()
  for (const member of members.slice(64, 100)) sweep.delete(member)
  for (const member of members.slice(100)) sweep.move(member, Infinity)
  await advanced
  assert.equal(looks(), 64)
})

test('a look that throws keeps nobody from a look, and is repeated at the next tick', async (t) => {
  const uncaught = surviveUncaught(t)
  const { clock, members, looks } = sweepCrowd()
  // One of the first batch, and one that is looked at in a later turn of the loop.
  const errors = [3, 100].map((index) => {
    const member = members[index] as Member
    const error = new Error(`of member ${index}`)
    member.onSweep = (now, forgivingNow) => {
      Member.prototype.onSweep.call(member, now, forgivingNow)
      if (member.looks.length === 1) throw error
    }
    return error
  })
  await clock.advance(100)
  assert.equal(looks(), 150)
  assert.deepEqual(uncaught, errors)
  await clock.advance(100)
  assert.equal(looks(), 300)
  assert.deepEqual(uncaught, errors)
})

/** Two ends of one TCP connection. */
async function connected(t: TestContext): Promise<{ near: Socket; far: Socket }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [far] = await accepted
  t.after(() => {
    near.destroy()
    far.destroy()
    server.close()
  })
  return { near, far }
}

/** Keeps the loop from turning until what was written to loopback has certainly arrived. */
function standStill(): void {
  stallEventLoop(20)
}

test('what is in the kernel already is read before afterNextPoll calls back', async (t) => {
  const { near, far } = await connected(t)
  // From each phase of the loop: after a timer, in the poll phase (where data is read), in the check phase.
  const phases: Record<string, () => Promise<unknown>> = {
    timers: () => new Promise((resolve) => setTimeout(resolve, 1)),
    poll: () => {
      near.write('wake')
      return once(far, 'data')
    },
    check: () => turn(),
  }
  far.resume()
  for (const [phase, enter] of Object.entries(phases)) {
    await enter()
    const before = far.bytesRead
    near.write('x')
    standStill()
    assert.equal(far.bytesRead, before, 'not yet')
    const after = await new Promise<number>((resolve) =>
      afterNextPoll(() => resolve(far.bytesRead)),
    )
    assert.equal(after - before, 1, `from the ${phase} phase`)
  }
})

test('afterNextPoll calls back after two turns at most', async () => {
  const order: string[] = []
  afterNextPoll(() => order.push('called'))
  await turn()
  order.push('one turn')
  await turn()
  order.push('two turns')
  assert.deepEqual(order, ['one turn', 'called', 'two turns'])
})

test('the forgiving time goes on where it was', async () => {
  const { clock, sweep, member } = sweepOne()
  await clock.advance(150)
  sweep.delete(member)
  clock.stall(5_000)
  assert.equal(sweep.forgivingNow, 150)
  sweep.add(member)
  assert.equal(sweep.forgivingNow, 150)
})

test('a member whose end another one brings about in the same tick is not looked at', async () => {
  const clock = new FakeClock()
  const sweep = new Sweep(clock)
  const other = new Member()
  const first: Swept = {
    dueAt: 0,
    place: OFF,
    onSweep: () => sweep.delete(other),
  }
  sweep.add(first)
  sweep.add(other)
  await clock.advance(3_000)
  assert.deepEqual(other.looks, [])
})
