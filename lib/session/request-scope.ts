import type { FastifyBaseLogger } from 'fastify'
import { runReleases, type StepOwner } from '../callbacks/run-step.js'
import { ScopeKeeper, type ScopeKeeperOwner } from '../callbacks/scope-keeper.js'
import type { CloseCause } from '../core/close/policy.js'
import { ReleaseScope } from '../core/scope.js'
import { ConnectionClosedError } from '../errors.js'
import { RequestContext } from '../platform/context.js'
import { toError } from '../platform/thrown.js'

/** What `RequestScope` needs of its session. */
export interface RequestScopeOwner {
  readonly id: string
  readonly routeUrl: string
  readonly cleanupTimeout: number
  readonly shared: StepOwner['shared']
}

/**
 * The scope of a request that has resumed a session. The session has the scope of the request that began it;
 * this one ends with the connection that the request has opened.
 */
export class RequestScope implements ScopeKeeperOwner {
  readonly id: string
  readonly log: FastifyBaseLogger
  readonly routeUrl: string
  readonly cleanupTimeout: number
  readonly shared: StepOwner['shared']
  readonly context: RequestContext = new RequestContext()
  #used: ReleaseScope | undefined
  #cause: CloseCause | undefined

  /** @param used the scope, if a hook of the request has asked for it */
  constructor(owner: RequestScopeOwner, log: FastifyBaseLogger, used: ReleaseScope | undefined) {
    this.id = owner.id
    this.log = log
    this.routeUrl = owner.routeUrl
    this.cleanupTimeout = owner.cleanupTimeout
    this.shared = owner.shared
    this.#used = used
    used?.handTo(new ScopeKeeper(this))
  }

  get scope(): ReleaseScope {
    return (this.#used ??= new ReleaseScope(new ScopeKeeper(this)))
  }

  abortReason(): Error {
    return new ConnectionClosedError(this.#cause, true)
  }

  fail(error: unknown, step: string): void {
    this.shared.facts.callbackFailed(this, step, toError(error))
  }

  /** The connection ends. */
  abort(cause: CloseCause | undefined): void {
    this.#cause = cause
    this.scope.abort()
  }

  /** The connection is over, and the signal has aborted: runs the releases. */
  end(): Promise<void> {
    return runReleases(this, this.scope)
  }
}
