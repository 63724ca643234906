import type { FastifyRequest } from 'fastify'
import type { LifecycleSession } from '../api/session.js'
import type { LifecycleSocket } from '../api/socket.js'
import type { CloseInfo } from '../core/close/info.js'
import type { ReleaseScope } from '../core/scope.js'
import type { Hook } from '../options/settings.js'
import { bindCallback } from '../platform/context.js'
import { follow, isThenable } from '../platform/thenable.js'
import { toError } from '../platform/thrown.js'
import type { Handler, Route } from '../routes/route.js'
import type { Clock } from '../time/clock.js'
import { type StepOwner, runStep } from './run-step.js'
import type { Budget } from './steps.js'

/** What `Callbacks` needs of its connection. */
export interface CallbacksOwner extends StepOwner {
  readonly shared: StepOwner['shared'] & { readonly clock: Clock }
  /** What the app gets. */
  readonly face: LifecycleSocket | LifecycleSession
  readonly request: FastifyRequest
  readonly scope: ReleaseScope
  readonly isOpen: boolean
  /** Whether the connection is released: no callback runs any more. */
  readonly isReleased: boolean
  /** Records the cause of the end, if the connection is open. */
  noteHandlerError(error: Error): void
  /** The route's handler has returned, or the promise that it returned has settled. */
  handlerSettled(hasFailed: boolean): void
  /** Sends the close frame for `handler-error`, unless a hook has closed the connection already. */
  endOfHandlerError(): void
}

/** The only hook whose own failure is logged and nothing more. */
const ERROR_HOOK = 'onHandlerError'

/** Calls the functions that the app gave for one connection. If one throws, only this connection ends. */
export class Callbacks {
  readonly #owner: CallbacksOwner
  readonly #route: Route
  #errorSteps: Array<Promise<void>> | undefined
  #isTelling = false
  /**
   * Until when `onHandlerError` is called, by the clock. A hook that provokes one error after the other must
   * not keep the end from finishing.
   */
  #tellsUntil = Infinity

  constructor(owner: CallbacksOwner, route: Route) {
    this.#owner = owner
    this.#route = route
  }

  /** Runs the route's handler. */
  run(handler: Handler): void {
    const owner = this.#owner
    const failed = (error: unknown): void => {
      this.fail(error, 'handler')
      owner.handlerSettled(true)
    }
    const call = (): unknown => handler.call(this.#route.instance, owner.face, owner.request)
    try {
      const result = owner.shared.facts.loop.time(owner, 'handler', call)
      if (!isThenable(result)) owner.handlerSettled(false)
      else void follow(result, () => owner.handlerSettled(false), failed)
    } catch (error) {
      failed(error)
    }
  }

  /**
   * Watches what a callback returned. If it is a promise that rejects, this connection ends, and not the
   * process.
   */
  watch(result: unknown, step: string): void {
    if (!isThenable(result)) return
    void follow(result, undefined, (error) => this.fail(error, step))
  }

  /** Wraps a callback that is called at a place where a throw would end the process. */
  guard(callback: (error?: Error) => unknown): (error?: Error) => void {
    return bindCallback((error) => {
      try {
        this.watch(callback(error), 'callback')
      } catch (thrown) {
        this.fail(thrown, 'callback')
      }
    })
  }

  /**
   * A callback threw or rejected: only this connection ends. An error that only says that our signal has
   * aborted is no failure: the callback did what it was asked to do.
   */
  fail(thrown: unknown, step: string): void {
    const owner = this.#owner
    if (owner.scope.isAnswer(thrown)) return
    const err = toError(thrown)
    owner.shared.facts.callbackFailed(owner, step, err)
    if (owner.isReleased || step === ERROR_HOOK) return
    owner.noteHandlerError(err)
    this.#tellError(err)
    owner.endOfHandlerError()
  }

  /** Calls the `onShutdown` hooks, as long as the socket is open and `budget` has time. */
  async sayGoodbye(budget: Budget): Promise<void> {
    for (const hook of this.#route.settings.onShutdown) {
      if (!this.#owner.isOpen) return
      await this.#step('onShutdown', hook, [], budget)
    }
  }

  /** Calls `onUnexpectedClose` if the end was not expected, and then `onClose`. */
  async tellClose(close: CloseInfo): Promise<void> {
    const { onClose, onUnexpectedClose } = this.#route.settings
    if (!close.expected) {
      for (const hook of onUnexpectedClose) await this.#step('onUnexpectedClose', hook, [close])
    }
    for (const hook of onClose) await this.#step('onClose', hook, [close])
  }

  /** Waits for the promises that `onHandlerError` has returned, also for errors that come meanwhile. */
  async settleErrors(): Promise<void> {
    const { clock } = this.#owner.shared
    this.#tellsUntil = clock.now() + this.#owner.cleanupTimeout
    while (this.#errorSteps !== undefined) {
      const steps = this.#errorSteps
      this.#errorSteps = undefined
      await Promise.all(steps)
    }
    this.#tellsUntil = Infinity
  }

  /** Calls `onHandlerError`. The promise that it returns is awaited at the end. */
  #tellError(error: Error): void {
    // An error that comes while the hook is being called is not given to it.
    if (this.#isTelling || this.#owner.shared.clock.now() >= this.#tellsUntil) return
    this.#isTelling = true
    for (const hook of this.#route.settings.onHandlerError) {
      const waiting = this.#step(ERROR_HOOK, hook, [error])
      if (waiting !== undefined) (this.#errorSteps ??= []).push(waiting)
    }
    this.#isTelling = false
  }

  #step<About extends unknown[]>(
    name: string,
    hook: Hook<About>,
    about: About,
    budget?: Budget,
  ): Promise<void> | undefined {
    const { face, request } = this.#owner
    const { instance } = this.#route
    return runStep(this.#owner, name, () => hook.call(instance, face, request, ...about), budget)
  }
}
