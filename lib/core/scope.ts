/**
 * What holds a connection's resources, from the upgrade request to the last release. It is there
 * as `request.wsScope` in every hook of an upgrade request, and as `socket.scope` from then on.
 */
export interface ConnectionScope {
  /**
   * Aborts once, when the socket leaves OPEN (a close frame sent or received, a FIN, the transport
   * gone), or when the request ends before it opened. `signal.reason` is a `ConnectionClosedError`.
   */
  readonly signal: AbortSignal
  /**
   * Runs `release` once, after `onClose`: last in, first out, one at a time, each given
   * `cleanupTimeout`. Where the connection is over already, `release` runs at once. What it throws
   * or rejects with goes to `onHandlerError` and keeps no other release from running.
   * @throws TypeError if `release` is not a function
   */
  defer(release: () => unknown): void
  /**
   * Defers the disposal of `resource` (its `Symbol.asyncDispose`, else its `Symbol.dispose`).
   * @returns `resource`
   * @throws TypeError if `resource` has neither
   */
  use<T extends Disposable | AsyncDisposable>(resource: T): T
}

export type Release = () => unknown

/** Whom a scope belongs to: it runs what the scope hands out, and knows why it ended. */
export interface ScopeOwner {
  /** Runs a release that was added after the scope was over. */
  releaseLate(release: Release): void
  makeController(): AbortController
  /** Aborts the signal: its listeners are the app's. */
  abortSignal(controller: AbortController, reason: Error): void
  /** Makes the `signal.reason`; called at most once, and only if somebody looks. */
  abortReason(): Error
}

/** A stack of releases and a signal: decides what runs when, and runs nothing itself. */
export class ReleaseScope implements ConnectionScope {
  #owner: ScopeOwner
  #releases: Release[] | undefined
  #controller: AbortController | undefined
  #aborted = false
  #over = false

  constructor(owner: ScopeOwner) {
    this.#owner = owner
  }

  /** The request became a connection: from now on the scope is that one's. */
  handTo(owner: ScopeOwner): void {
    this.#owner = owner
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = this.#owner.makeController()
      if (this.#aborted) this.#controller.abort(this.#owner.abortReason())
    }
    return this.#controller.signal
  }

  defer(release: Release): void {
    if (typeof release !== 'function') {
      throw new TypeError(`Expected \`release\` to be a function, got ${describe(release)}`)
    }
    if (this.#over) this.#owner.releaseLate(release)
    else (this.#releases ??= []).push(release)
  }

  use<T extends Disposable | AsyncDisposable>(resource: T): T {
    const disposable: Partial<Disposable & AsyncDisposable> | null | undefined = resource
    const release = disposable?.[Symbol.asyncDispose] ?? disposable?.[Symbol.dispose]
    if (typeof release !== 'function') {
      throw new TypeError(
        `Expected \`resource\` to have a Symbol.asyncDispose or Symbol.dispose method, got ${describe(resource)}`,
      )
    }
    this.defer(() => release.call(resource))
    return resource
  }

  /** Whether `error` is what something threw because our signal had aborted: no error of its own. */
  isAnswer(error: unknown): boolean {
    const reason: unknown = this.#controller?.signal.reason
    if (reason === undefined) return false
    if (error === reason) return true
    try {
      return error instanceof Error && error.cause === reason
    } catch {
      // One that cannot be looked at is none of ours.
      return false
    }
  }

  /** Aborts the signal; a second call does nothing. */
  abort(): void {
    if (this.#aborted) return
    this.#aborted = true
    const owner = this.#owner
    if (this.#controller !== undefined) owner.abortSignal(this.#controller, owner.abortReason())
  }

  /**
   * The release to run next. The end is a loop over it, so that one that is added during the end
   * has its turn too; once it has answered `undefined`, later ones are handed to the owner.
   */
  next(): Release | undefined {
    const release = this.#releases?.pop()
    if (release === undefined) this.#over = true
    return release
  }
}

function describe(value: unknown): string {
  return value === null ? 'null' : typeof value
}
