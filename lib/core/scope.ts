/**
 * Holds the resources of a connection, from the upgrade request to the last release. It is `request.wsScope`
 * in every hook of an upgrade request, and `socket.scope` from the 101 on.
 */
export interface ConnectionScope {
  /**
   * Aborts once: when the socket leaves OPEN (a close frame was sent or received, a FIN came, or the
   * transport is gone), or when the request ends before the connection opened. `signal.reason` is a
   * `ConnectionClosedError`.
   */
  readonly signal: AbortSignal
  /**
   * Adds a function that runs once, after `onClose`. The last one added runs first, one at a time, each for
   * at most `cleanupTimeout`. If the last release of the connection has already run, `release` runs at once.
   * An error that it throws or rejects with goes to `onHandlerError`, and the other releases run all the
   * same.
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

/**
 * The owner of a scope: an upgrade, or a connection. It runs the functions that the scope gives it, and knows
 * why it ended.
 */
export interface ScopeOwner {
  /** Runs a release that was added when all others had run. */
  releaseLate(release: Release): void
  makeController(): AbortController
  /** Aborts the signal. Its listeners are functions of the app. */
  abortSignal(controller: AbortController, reason: Error): void
  /** Makes the `signal.reason`. Called only if somebody has asked for the signal, and at most once. */
  abortReason(): Error
}

/** A stack of releases, and a signal. It decides what runs when, and runs nothing itself. */
export class ReleaseScope implements ConnectionScope {
  #owner: ScopeOwner
  #releases: Release[] | undefined
  #controller: AbortController | undefined
  #aborted = false
  #over = false

  constructor(owner: ScopeOwner) {
    this.#owner = owner
  }

  /** The request became a connection: from now on the scope belongs to that one. */
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

  /** Adds a release that runs after all that have been added, before or later. */
  deferLast(release: Release): void {
    ;(this.#releases ??= []).unshift(release)
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

  /**
   * Whether `error` was thrown only because our signal had aborted: it is the reason of the signal, or has it
   * as its cause.
   */
  isAnswer(error: unknown): boolean {
    const reason: unknown = this.#controller?.signal.reason
    if (reason === undefined) return false
    if (error === reason) return true
    try {
      return error instanceof Error && error.cause === reason
    } catch {
      // An error that throws when it is looked at is none of ours.
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
   * Returns the release to run next. The end calls it in a loop, so a release that is added meanwhile runs
   * too. Once it has returned `undefined`, later releases are given to the owner.
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
