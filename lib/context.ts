import { AsyncResource } from 'node:async_hooks'

/** As tools that list async resources show it. */
const NAME = 'fastify-websocket-lifecycle'

/** Where we were loaded: no request is there, and no store of one. */
const NOBODYS = new AsyncResource(NAME)

/** Starts what serves all connections: it would keep, and show to others, the store of whoever is the first to need it. */
export function startForAll<T>(start: () => T): T {
  return NOBODYS.runInAsyncScope(start)
}

/**
 * The async context of an upgrade request, as it is where this is made. Timers, ticks and reads serve many connections, so
 * that what is called from there would see the `AsyncLocalStorage` of another request, or none.
 */
export class RequestContext extends AsyncResource {
  /** Whether we are called from within {@link enter}. */
  isEntered = false

  constructor() {
    super(NAME)
  }

  /** Calls what is the app's, or may call it. */
  enter<Self, Args extends unknown[], Result>(
    call: (this: Self, ...args: Args) => Result,
    self: Self,
    ...args: Args
  ): Result {
    if (this.isEntered) return call.apply(self, args)
    this.isEntered = true
    try {
      return this.runInAsyncScope(call, self, ...args)
    } finally {
      this.isEntered = false
    }
  }
}

/** Makes a callback see the context in which it was given to us. */
export function bindCallback<Args extends unknown[]>(
  callback: (...args: Args) => void,
): (...args: Args) => void {
  const here = new AsyncResource(NAME)
  return (...args) => here.runInAsyncScope(callback, undefined, ...args)
}
