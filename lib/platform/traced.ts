import type { TracingChannel } from 'node:diagnostics_channel'
import { follow, isThenable, toPromise } from './thenable.js'

/** Whether anybody listens. */
export function isTraced({ start, end, asyncStart, asyncEnd, error }: Channels): boolean {
  return (
    start.hasSubscribers ||
    end.hasSubscribers ||
    asyncStart.hasSubscribers ||
    asyncEnd.hasSubscribers ||
    error.hasSubscribers
  )
}

/** The channels of one kind of call. What is told is always the same object. */
export type Channels = TracingChannel<unknown, object>

/** Calls what it is given, in a context of its own. */
export type Runner = <Result>(go: () => Result) => Result

/**
 * Under this symbol a listener may leave a {@link Runner} in what it is told: all that follows is called by it.
 * A tracer needs that if its `AsyncLocalStorage` is private, as OpenTelemetry's is: then it cannot be bound to a
 * channel. (An object with the methods of one can, but Node 26 asks for other methods than Node 24.)
 */
export const RUNNER: unique symbol = Symbol.for('fastify-websocket-lifecycle.runner')

/** The runner that a listener has left in what it was told. */
export function runnerOf(told: object): Runner | undefined {
  return (told as { readonly [RUNNER]?: Runner })[RUNNER]
}

/** Calls a function by the runner that a listener has left, if there is one. */
export function runAs<Result>(told: object, go: () => Result): Result {
  const runner = runnerOf(told)
  return runner === undefined ? go() : runner(go)
}

/**
 * Calls a function, and tells of it as node's `tracePromise()` does: `start` and `end` around the call, and
 * `asyncStart` and `asyncEnd` when its promise has settled. But what is no promise is returned as it is.
 * @param call what is told. If the call fails, its `error` is set.
 */
export function traced(channels: Channels, call: object, run: () => unknown): unknown {
  const { start, end, asyncStart, asyncEnd, error } = channels
  const failed = (thrown: unknown): void => {
    error.publish(Object.assign(call, { error: thrown }))
  }
  const settled = (): void => {
    asyncStart.publish(call)
    asyncEnd.publish(call)
  }
  return start.runStores(call, () => {
    try {
      const result = runAs(call, run)
      if (!isThenable(result)) return result
      // A query may run each time that its `then` is called. So the caller gets the promise that we follow.
      const promise = toPromise(result)
      void follow(promise, settled, (reason) => {
        failed(reason)
        settled()
      })
      return promise
    } catch (thrown) {
      failed(thrown)
      throw thrown
    } finally {
      end.publish(call)
    }
  })
}
