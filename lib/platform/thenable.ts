import { toError } from './thrown.js'

/** What a function of the app returns may be a promise, or look like one. */

/** Whether it has to be waited for. Where that cannot be seen it has: {@link follow} tells what is wrong. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return false
  try {
    return typeof (value as { then?: unknown }).then === 'function'
  } catch {
    return true
  }
}

/** Goes on as after an `await`, and never throws: what is wrong with a promise is how it `failed`. */
export function follow<Next>(
  value: unknown,
  done: ((result: unknown) => Next) | undefined,
  failed?: (error: unknown) => Next,
): Promise<Next> {
  // As in an `await` a `then` of the promise's own is not asked.
  return Promise.prototype.then.call(toPromise(value), done, failed) as Promise<Next>
}

/** What can be awaited, and never throws otherwise than by that. */
export function toPromise(value: unknown): Promise<unknown> {
  try {
    return Promise.resolve(value)
  } catch (error) {
    // A promise whose `constructor` cannot be read. Nobody could follow it, and what it rejects with would be
    // nobody's: so it gets one.
    const isMended = Reflect.defineProperty(value as object, 'constructor', { value: Promise })
    return isMended ? Promise.resolve(value) : Promise.reject(toError(error))
  }
}
