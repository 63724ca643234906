import { toError } from './thrown.js'

/** Functions of the app may return promises, or objects that look like promises. */

/**
 * Whether a value has to be awaited. If that cannot be seen because looking throws, it has to be: {@link
 * follow} then tells what is wrong.
 */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return false
  try {
    return typeof (value as { then?: unknown }).then === 'function'
  } catch {
    return true
  }
}

/** Goes on as after an `await`, and never throws: anything wrong with the promise goes to `failed`. */
export function follow<Next>(
  value: unknown,
  done: ((result: unknown) => Next) | undefined,
  failed?: (error: unknown) => Next,
): Promise<Next> {
  // Like `await`, it does not use a `then` that the promise itself has.
  return Promise.prototype.then.call(toPromise(value), done, failed) as Promise<Next>
}

/**
 * For a value where no promise is expected. If it is one that rejects, nobody would handle that, and the
 * process would end.
 */
export function ignoreRejection(value: unknown): void {
  if (isThenable(value)) void follow(value, undefined, () => {})
}

/** Makes a promise that can be awaited safely: all that can happen is that it rejects. */
export function toPromise(value: unknown): Promise<unknown> {
  try {
    return Promise.resolve(value)
  } catch (error) {
    // The `constructor` of this promise cannot be read. So nobody could follow it, and its rejection would be
    // unhandled. That is why it gets one.
    const isMended = Reflect.defineProperty(value as object, 'constructor', { value: Promise })
    return isMended ? Promise.resolve(value) : Promise.reject(toError(error))
  }
}
