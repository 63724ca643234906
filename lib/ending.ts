import type { FastifyBaseLogger } from 'fastify'
import type { RequestContext } from './context.js'
import type { Release, ReleaseScope } from './core/scope.js'
import { toLine } from './log-line.js'
import type { Shell } from './shell.js'
import type { Budget, StepOutcome } from './steps.js'
import { peek, toError } from './thrown.js'

/** Whose end it is. */
export interface Mortal {
  readonly id: string
  readonly shell: Shell
  readonly log: FastifyBaseLogger
  readonly routeUrl: string
  /** What its steps are run in. */
  readonly context: RequestContext
  /** How long each step may take, in ms. */
  readonly cleanupTimeout: number
  /** A step threw or rejected. */
  fail(error: unknown, step: string): void
}

/**
 * Runs one step of an end: isolated from the others, and left behind when it overruns.
 * @param budget without one it has `cleanupTimeout`
 * @returns what to await, `undefined` if the step was synchronous
 */
export function runStep(
  mortal: Mortal,
  name: string,
  step: () => unknown,
  budget?: Budget,
): Promise<void> | undefined {
  const { steps } = mortal.shell
  const run = (): unknown => mortal.context.enter(step, undefined)
  const outcome =
    budget === undefined ? steps.run(run, mortal.cleanupTimeout) : steps.runWithin(run, budget)
  if (outcome instanceof Promise) return outcome.then((settled) => noteStep(mortal, name, settled))
  noteStep(mortal, name, outcome)
  return undefined
}

/** Runs one release of a scope, or one that came too late for it. */
export function runRelease(mortal: Mortal, release: Release): Promise<void> | undefined {
  const name = peek(release, 'name')
  const step = typeof name === 'string' && name !== '' ? `release ${name}` : 'release'
  return runStep(mortal, step, release)
}

/** Runs what a scope holds, last in first out, one at a time. */
export async function runReleases(mortal: Mortal, scope: ReleaseScope): Promise<void> {
  for (let release = scope.next(); release !== undefined; release = scope.next()) {
    const waiting = runRelease(mortal, release)
    if (waiting !== undefined) await waiting
  }
}

function noteStep(mortal: Mortal, step: string, outcome: StepOutcome): void {
  if (outcome.status === 'failed') mortal.fail(outcome.error, step)
  if (outcome.status === 'needless') void outcome.late.then((late) => noteStep(mortal, step, late))
  if (outcome.status !== 'overran') return
  const abandoned = { id: mortal.id, route: mortal.routeUrl, step }
  mortal.shell.registry.abandon(abandoned)
  tell(
    mortal.log,
    'warn',
    abandoned,
    'a step of the end of a WebSocket connection overran and was left behind',
  )
  // What it does from now on touches nothing: a failure is told to the log alone.
  void outcome.late.then((late) => {
    if (late.status === 'failed') tellLateFailure(mortal, step, late.error)
  })
}

/** What was left behind has failed: only the log is told. */
export function tellLateFailure(
  { id, log, routeUrl: route }: Pick<Mortal, 'id' | 'log' | 'routeUrl'>,
  step: string,
  thrown: unknown,
): void {
  const err = toError(thrown)
  tell(log, 'error', { id, route, step, err }, 'a step that was left behind has failed')
}

/** Logs, in bounds; where that fails, in the app's own logger, nothing must end differently. */
export function tell(
  log: FastifyBaseLogger,
  level: 'debug' | 'info' | 'warn' | 'error',
  fields: object,
  text: string,
): void {
  try {
    log[level](toLine(fields, text), text)
  } catch {
    // There is nobody left to tell.
  }
}
