import type { Release, ScopeOwner } from '../core/scope.js'
import { makeController } from '../platform/abort-controller.js'
import { runRelease, type StepOwner } from './run-step.js'

/** What `ScopeKeeper` needs of the upgrade, or the connection, whose scope it is. */
export interface ScopeKeeperOwner extends StepOwner {
  /** Makes the `signal.reason`. */
  abortReason(): Error
}

/** Does for a scope whatever calls functions of the app. */
export class ScopeKeeper implements ScopeOwner {
  readonly #owner: ScopeKeeperOwner

  constructor(owner: ScopeKeeperOwner) {
    this.#owner = owner
  }

  makeController(): AbortController {
    return makeController()
  }

  abortSignal(controller: AbortController, reason: Error): void {
    this.#owner.context.enter(() => controller.abort(reason), undefined)
  }

  abortReason(): Error {
    return this.#owner.abortReason()
  }

  releaseLate(release: Release): void {
    void runRelease(this.#owner, release)
  }
}
