import type { Release, ReleaseScope } from '../core/scope.js'
import { TRACES } from '../facts/events.js'
import type { Facts } from '../facts/facts.js'
import type { Subject } from '../facts/subjects.js'
import type { RequestContext } from '../platform/context.js'
import { peek, toError } from '../platform/thrown.js'
import { isTraced, traced } from '../platform/traced.js'
import type { Budget, StepOutcome, Steps } from './steps.js'

/** What `runStep` needs of the connection, or of the upgrade, that ends. */
export interface StepOwner extends Subject {
  readonly shared: { readonly steps: Steps; readonly facts: Facts }
  /** The async context in which steps run. */
  readonly context: RequestContext
  /** How long each step may take, in ms. */
  readonly cleanupTimeout: number
  /** A step threw or rejected. */
  fail(error: unknown, step: string): void
}

/**
 * Runs one step of an end. Its errors do not stop the other steps, and it is left behind when it takes too
 * long.
 * @param budget the time that it shares with other steps; without one it has `cleanupTimeout`
 * @returns what to await, `undefined` if the step was synchronous
 */
export function runStep(
  owner: StepOwner,
  name: string,
  step: () => unknown,
  budget?: Budget,
): Promise<void> | undefined {
  const { facts, steps } = owner.shared
  const began = facts.steps.began()
  const toRun = isTraced(TRACES.step) ? () => traceStep(owner, name, step) : step
  const run = (): unknown => owner.context.enter(toRun, undefined)
  const timed = (): unknown => facts.loop.time(owner, name, run)
  const outcome =
    budget === undefined ? steps.run(timed, owner.cleanupTimeout) : steps.runWithin(timed, budget)
  if (outcome instanceof Promise) {
    return outcome.then((settled) => stepOver(owner, name, began, settled))
  }
  stepOver(owner, name, began, outcome)
  return undefined
}

/** Runs one release of a scope, or one that was added too late for the loop of the end. */
export function runRelease(owner: StepOwner, release: Release): Promise<void> | undefined {
  const name = peek(release, 'name')
  const step = typeof name === 'string' && name !== '' ? `release ${name}` : 'release'
  return runStep(owner, step, release)
}

/** Runs all releases of a scope, last in first out, one at a time. */
export async function runReleases(owner: StepOwner, scope: ReleaseScope): Promise<void> {
  for (let release = scope.next(); release !== undefined; release = scope.next()) {
    const waiting = runRelease(owner, release)
    if (waiting !== undefined) await waiting
  }
}

function traceStep(owner: StepOwner, name: string, step: () => unknown): unknown {
  return traced(TRACES.step, { ...owner.shared.facts.about(owner), name }, step)
}

function stepOver(owner: StepOwner, name: string, began: number, outcome: StepOutcome): void {
  owner.shared.facts.steps.ended(owner, name, began, outcome.status === 'overran')
  noteStep(owner, name, outcome)
}

function noteStep(owner: StepOwner, step: string, outcome: StepOutcome): void {
  if (outcome.status === 'failed') owner.fail(outcome.error, step)
  if (outcome.status === 'needless') void outcome.late.then((late) => noteStep(owner, step, late))
  if (outcome.status !== 'overran') return
  owner.shared.facts.stepOverran(owner, step)
  // The end goes on without this step. If it fails later, that is only logged.
  void outcome.late.then((late) => {
    if (late.status === 'failed') {
      owner.shared.facts.leftStepFailed(owner, step, toError(late.error))
    }
  })
}
