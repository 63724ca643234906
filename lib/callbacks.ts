import type { FastifyRequest } from 'fastify'
import type { LifecycleSocket } from './api.js'
import { bindCallback } from './context.js'
import type { CloseInfo } from './core/close-info.js'
import type { ReleaseScope } from './core/scope.js'
import { type Mortal, runStep, tell } from './ending.js'
import type { Hook } from './options.js'
import type { Handler, Route } from './route.js'
import { follow, isThenable } from './thenable.js'
import type { Budget } from './steps.js'
import { toError } from './thrown.js'

/** Whose callbacks they are. */
export interface Host extends Mortal {
  readonly socket: LifecycleSocket
  readonly request: FastifyRequest
  readonly scope: ReleaseScope
  readonly isOpen: boolean
  /** Whether its end is over: nothing more is called. */
  readonly isReleased: boolean
  /** Records why the connection is going to end, if it is open. */
  noteHandlerError(error: Error): void
  /** The route's handler has returned, or what it returned has settled. */
  handlerSettled(hasFailed: boolean): void
  /** Sends the close frame that says so, unless a hook has closed already. */
  endOfHandlerError(): void
}

/** The one hook whose own failure is told to the log alone. */
const ERROR_HOOK = 'onHandlerError'

/** Calls what the app gave for one connection, so that whatever it throws ends this one alone. */
export class Callbacks {
  readonly #host: Host
  readonly #route: Route
  #errorSteps: Array<Promise<void>> | undefined
  #isTelling = false
  /** A hook that provokes the next error for ever must not keep the end from its end. */
  #tellsUntil = Infinity

  constructor(host: Host, route: Route) {
    this.#host = host
    this.#route = route
  }

  /** Runs the route's handler. */
  run(handler: Handler): void {
    const host = this.#host
    const failed = (error: unknown): void => {
      this.fail(error, 'handler')
      host.handlerSettled(true)
    }
    try {
      const result = handler.call(this.#route.instance, host.socket, host.request)
      if (!isThenable(result)) host.handlerSettled(false)
      else void follow(result, () => host.handlerSettled(false), failed)
    } catch (error) {
      failed(error)
    }
  }

  /** Looks after what a callback returned: its rejection is this connection's, not the process's. */
  watch(result: unknown, step: string): void {
    if (!isThenable(result)) return
    void follow(result, undefined, (error) => this.fail(error, step))
  }

  /** Wraps a callback that would be called where a throw ends the process. */
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
   * A callback threw or rejected: only this connection ends of it. What gave up because our signal
   * had aborted did what it was asked to.
   */
  fail(thrown: unknown, step: string): void {
    const host = this.#host
    if (host.scope.isAnswer(thrown)) return
    const err = toError(thrown)
    const { id, log, routeUrl: route } = host
    tell(log, 'error', { err, id, route, step }, 'a callback of a WebSocket connection failed')
    if (host.isReleased || step === ERROR_HOOK) return
    host.noteHandlerError(err)
    this.#tellError(err)
    host.endOfHandlerError()
  }

  /** Calls `onShutdown`, as long as the socket is open and there is time for it. */
  async sayGoodbye(budget: Budget): Promise<void> {
    for (const hook of this.#route.settings.onShutdown) {
      if (!this.#host.isOpen) return
      await this.#step('onShutdown', hook, [], budget)
    }
  }

  /** Calls `onUnexpectedClose`, if it was, and `onClose`. */
  async tellClose(close: CloseInfo): Promise<void> {
    const { onClose, onUnexpectedClose } = this.#route.settings
    if (!close.expected) {
      for (const hook of onUnexpectedClose) await this.#step('onUnexpectedClose', hook, [close])
    }
    for (const hook of onClose) await this.#step('onClose', hook, [close])
  }

  /** Waits for what `onHandlerError` went on to do, also about errors that this provoked. */
  async settleErrors(): Promise<void> {
    const { clock } = this.#host.shell
    this.#tellsUntil = clock.now() + this.#host.cleanupTimeout
    while (this.#errorSteps !== undefined) {
      const steps = this.#errorSteps
      this.#errorSteps = undefined
      await Promise.all(steps)
    }
    this.#tellsUntil = Infinity
  }

  /** Calls `onHandlerError`; what it goes on to do is awaited at the end. */
  #tellError(error: Error): void {
    // A hook that provokes the next error while it runs is not told of it.
    if (this.#isTelling || this.#host.shell.clock.now() >= this.#tellsUntil) return
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
    const { socket, request } = this.#host
    const { instance } = this.#route
    return runStep(this.#host, name, () => hook.call(instance, socket, request, ...about), budget)
  }
}
