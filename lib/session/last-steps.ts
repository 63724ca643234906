import type { Callbacks } from '../callbacks/callbacks.js'
import { runReleases, runStep, type StepOwner } from '../callbacks/run-step.js'
import type { CloseInfo } from '../core/close/info.js'
import type { ReleaseScope } from '../core/scope.js'
import type { Reader } from '../messages/reader.js'

/** What `runLastSteps` needs of a connection, or of a session, whose transport is gone. */
export interface LastStepsOwner extends StepOwner {
  readonly scope: ReleaseScope
  readonly callbacks: Callbacks
  readonly usedReader: Reader | undefined
}

/** Runs the rest of an end, in its order: messages, hooks, and then the releases. */
export async function runLastSteps(owner: LastStepsOwner, close: CloseInfo): Promise<void> {
  const { callbacks, scope } = owner
  scope.abort()
  if (owner.usedReader !== undefined) await finishMessages(owner, owner.usedReader)
  await callbacks.settleErrors()
  await callbacks.tellClose(close)
  await runReleases(owner, scope)
  await callbacks.settleErrors()
}

/**
 * Handles the messages that came before the end, as one step. Messages that are left after it are dropped.
 */
async function finishMessages(owner: LastStepsOwner, reader: Reader): Promise<void> {
  await runStep(owner, 'messages', () => reader.finish())
  reader.abandon()
}
