import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify, { type FastifyBaseLogger } from 'fastify'
import * as fc from 'fast-check'
import { RequestContext } from '../../lib/platform/context.js'
import { ReleaseScope, type Release, type ScopeOwner } from '../../lib/core/scope.js'
import { type StepOwner, runRelease, runReleases } from '../../lib/callbacks/run-step.js'
import { Facts } from '../../lib/facts/facts.js'
import { Steps } from '../../lib/callbacks/steps.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { ODD_VALUES } from '../support/models/odd-values.js'

const reason = new Error('over')
const nothing = (): void => {}

/** An owner that runs late releases at once, and counts the reasons that it made. */
class Owner implements ScopeOwner {
  reasons = 0
  readonly late: Release[] = []

  makeController(): AbortController {
    return new AbortController()
  }

  abortSignal(controller: AbortController, why: Error): void {
    controller.abort(why)
  }

  abortReason(): Error {
    this.reasons++
    return reason
  }

  releaseLate(release: Release): void {
    this.late.push(release)
  }
}

/** All that a scope hands out until it is over. */
function drainOf(scope: ReleaseScope): Release[] {
  const releases: Release[] = []
  for (let release = scope.next(); release !== undefined; release = scope.next()) {
    releases.push(release)
  }
  return releases
}

test('releases are handed out last in first out, each once', () => {
  const scope = new ReleaseScope(new Owner())
  const [first, second] = [() => 1, () => 2]
  scope.defer(first)
  scope.defer(second)
  scope.defer(first)
  assert.deepEqual(drainOf(scope), [first, second, first])
  assert.deepEqual(drainOf(scope), [])
})

test('a release that is added while the end runs has its turn too', () => {
  const owner = new Owner()
  const scope = new ReleaseScope(owner)
  const [early, late] = [() => 1, () => 2]
  scope.defer(early)
  assert.equal(scope.next(), early)
  scope.defer(late)
  assert.equal(scope.next(), late)
  assert.equal(scope.next(), undefined)
  assert.deepEqual(owner.late, [])
})

test('a release that is added after the end goes to the owner at once', () => {
  const owner = new Owner()
  const scope = new ReleaseScope(owner)
  assert.equal(scope.next(), undefined)
  scope.defer(nothing)
  assert.deepEqual(owner.late, [nothing])
  assert.equal(scope.next(), undefined)
})

test('an aborted scope still takes releases: abort is not the end', () => {
  const owner = new Owner()
  const scope = new ReleaseScope(owner)
  scope.abort()
  scope.defer(nothing)
  assert.deepEqual(owner.late, [])
  assert.deepEqual(drainOf(scope), [nothing])
})

test('what is no function cannot be deferred', () => {
  const scope = new ReleaseScope(new Owner())
  for (const [wrong, named] of [
    [undefined, 'undefined'],
    [null, 'null'],
    ['close', 'string'],
    [{}, 'object'],
  ] as const) {
    assert.throws(() => scope.defer(wrong as never), {
      name: 'TypeError',
      message: `Expected \`release\` to be a function, got ${named}`,
    })
  }
})

test('use() disposes with the resource as this, asynchronously where it can, and hands it back', () => {
  const scope = new ReleaseScope(new Owner())
  class Both {
    async [Symbol.asyncDispose](): Promise<void> {
      this.calls.push('async')
    }
    [Symbol.dispose](): void {
      this.calls.push('sync')
    }
    readonly calls: string[] = []
  }
  class OnlySync {
    [Symbol.dispose](): void {
      this.isDisposed = true
    }
    isDisposed = false
  }
  const both = scope.use(new Both())
  const onlySync = scope.use(new OnlySync())
  for (const release of drainOf(scope)) void release()
  assert.deepEqual(both.calls, ['async'])
  assert.equal(onlySync.isDisposed, true)
})

test('use() refuses what cannot be disposed of', () => {
  const scope = new ReleaseScope(new Owner())
  for (const [wrong, named] of [
    [{}, 'object'],
    [{ [Symbol.dispose]: 'soon' }, 'object'],
    [() => {}, 'function'],
    [null, 'null'],
    [undefined, 'undefined'],
  ] as const) {
    assert.throws(() => scope.use(wrong as never), {
      name: 'TypeError',
      message: `Expected \`resource\` to have a Symbol.asyncDispose or Symbol.dispose method, got ${named}`,
    })
  }
})

test('the signal aborts once, with the reason, which is made once', () => {
  const owner = new Owner()
  const scope = new ReleaseScope(owner)
  let aborts = 0
  scope.signal.addEventListener('abort', () => aborts++)
  assert.equal(scope.signal.aborted, false)
  scope.abort()
  scope.abort()
  assert.equal(scope.signal.reason, reason)
  assert.deepEqual([aborts, owner.reasons], [1, 1])
})

test('a signal that nobody looked at costs nothing, and is born aborted', () => {
  const owner = new Owner()
  const scope = new ReleaseScope(owner)
  scope.abort()
  assert.equal(owner.reasons, 0)
  assert.equal(scope.signal.aborted, true)
  assert.equal(scope.signal, scope.signal)
  assert.deepEqual([scope.signal.reason, owner.reasons], [reason, 1])
})

test('a scope that was handed over asks its new owner', () => {
  const [request, connection] = [new Owner(), new Owner()]
  const scope = new ReleaseScope(request)
  scope.handTo(connection)
  scope.next()
  scope.defer(() => {})
  scope.abort()
  assert.equal(scope.signal.aborted, true)
  assert.deepEqual([request.late.length, request.reasons], [0, 0])
  assert.deepEqual([connection.late.length, connection.reasons], [1, 1])
})

test('what is thrown because the signal aborted is an answer to it, by itself or as a cause', () => {
  const scope = new ReleaseScope(new Owner())
  const wrapped = new Error('aborted', { cause: reason })
  assert.equal(scope.isAnswer(undefined), false, 'nobody looked at the signal')
  assert.equal(scope.signal.aborted, false)
  assert.equal(scope.isAnswer(wrapped), false, 'it has not aborted')
  scope.abort()
  assert.equal(scope.isAnswer(reason), true)
  assert.equal(scope.isAnswer(wrapped), true)
  for (const other of [undefined, 'over', { cause: reason }, new Error('over')]) {
    assert.equal(scope.isAnswer(other), false)
  }
  for (const [what, make] of Object.entries(ODD_VALUES)) {
    assert.equal(scope.isAnswer(make()), false, what)
  }
})

// The property: whatever the releases do, with the runner that connections have.

const LIMIT = 1_000

type Behaviour = 'returns' | 'throws' | 'rejects' | 'hangs' | 'takes its time' | 'defers another'

interface Planned {
  readonly behaviour: Behaviour
  readonly asResource: boolean
}

const planned: fc.Arbitrary<Planned> = fc.record({
  behaviour: fc.constantFrom<Behaviour[]>(
    'returns',
    'throws',
    'rejects',
    'hangs',
    'takes its time',
    'defers another',
  ),
  asResource: fc.boolean(),
})

/** A scope with its runner, and a note of all that ran and failed. */
class World implements StepOwner, ScopeOwner {
  readonly id = 'id'
  readonly context = new RequestContext()
  readonly routeUrl = '/'
  readonly cleanupTimeout = LIMIT
  readonly clock = new FakeClock()
  readonly shared = { steps: new Steps(this.clock), facts: new Facts(Fastify(), this.clock) }
  readonly log = { warn: () => {}, error: () => {} } as unknown as FastifyBaseLogger
  readonly scope = new ReleaseScope(this)
  readonly ran: string[] = []
  readonly failed: string[] = []

  makeController(): AbortController {
    return new AbortController()
  }

  abortSignal(controller: AbortController, why: Error): void {
    controller.abort(why)
  }

  fail(error: unknown): void {
    this.failed.push((error as Error).message)
  }

  releaseLate(release: Release): void {
    void runRelease(this, release)
  }

  abortReason(): Error {
    return reason
  }

  add({ behaviour, asResource }: Planned, name: string): void {
    const release = (): unknown => this.#release(behaviour, name)
    if (!asResource) this.scope.defer(release)
    else if (behaviour === 'rejects')
      this.scope.use({ [Symbol.asyncDispose]: release as () => PromiseLike<void> })
    else this.scope.use({ [Symbol.dispose]: release })
  }

  #release(behaviour: Behaviour, name: string): unknown {
    this.ran.push(name)
    if (behaviour === 'throws') throw new Error(name)
    if (behaviour === 'rejects') return Promise.reject(new Error(name))
    if (behaviour === 'defers another')
      this.add({ behaviour: 'returns', asResource: false }, `${name}+`)
    if (behaviour === 'hangs') return new Promise(() => {})
    if (behaviour !== 'takes its time') return undefined
    return new Promise((resolve) => this.clock.setTimeout(() => resolve(undefined), LIMIT / 2))
  }
}

/** In which order they have to run. */
function orderOf(plans: readonly Planned[]): string[] {
  return plans
    .map(({ behaviour }, index) =>
      behaviour === 'defers another' ? [`${index}`, `${index}+`] : [`${index}`],
    )
    .toReversed()
    .flat()
}

test('each release runs exactly once, last in first out, whatever the others do', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(planned, { maxLength: 8 }),
      fc.array(planned, { maxLength: 4 }),
      async (before, after) => {
        const world = new World()
        for (const [index, plan] of before.entries()) world.add(plan, `${index}`)
        world.scope.abort()
        const ended = runReleases(world, world.scope)
        await turns()
        await world.clock.advance(LIMIT * (before.length + 1))
        await ended
        assert.deepEqual(world.ran, orderOf(before))

        for (const [index, plan] of after.entries()) {
          const count = world.ran.length
          world.add(plan, `late ${index}`)
          assert.equal(world.ran[count], `late ${index}`, 'at once')
        }
        await turns()
        await world.clock.advance(LIMIT * 2)

        const all = [...before, ...after]
        const counted = (...behaviours: Behaviour[]): number =>
          all.filter(({ behaviour }) => behaviours.includes(behaviour)).length
        assert.equal(world.ran.length, all.length + counted('defers another'))
        assert.equal(new Set(world.ran).size, world.ran.length)
        assert.equal(world.failed.length, counted('throws', 'rejects'))
        assert.equal(world.shared.facts.stats().abandoned, counted('hangs'))
      },
    ),
    { numRuns: 60 },
  )
})

test('the end runs one release at a time', async () => {
  const slow: Planned = { behaviour: 'takes its time', asResource: false }
  const hanging: Planned = { behaviour: 'hangs', asResource: false }
  const world = new World()
  for (const [index, plan] of [slow, hanging, slow, hanging].entries()) world.add(plan, `${index}`)
  const ended = runReleases(world, world.scope)
  await world.clock.advance(LIMIT - 1)
  assert.deepEqual(world.ran, ['3'])
  await world.clock.advance(1)
  assert.deepEqual(world.ran, ['3', '2'])
  await world.clock.advance(LIMIT / 2)
  assert.deepEqual(world.ran, ['3', '2', '1'])
  await world.clock.advance(LIMIT)
  assert.deepEqual(world.ran, ['3', '2', '1', '0'])
  await world.clock.advance(LIMIT / 2)
  await ended
})
