import { AsyncResource } from 'node:async_hooks'
import { hasStore } from './node-internals.js'
import type { Receiver, Write, Written } from './ws-receiver.js'

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
  readonly #entersReads: boolean

  /** @param inflates whether reads may wait for zlib, which goes on in the context of whoever was before in its queue */
  constructor(inflates = false) {
    super(NAME)
    this.#entersReads = inflates || hasStore(this, NOBODYS)
  }

  /**
   * Lets ws parse a read. Without a store there is nothing to see, so that it stays in the context of the raw socket,
   * which is no request's: entering costs as much as a few messages.
   */
  enterRead(
    write: Write,
    receiver: Receiver,
    chunk: unknown,
    encoding: BufferEncoding,
    done: Written,
  ): void {
    this.isEntered = true
    try {
      if (this.#entersReads) this.runInAsyncScope(write, receiver, chunk, encoding, done)
      else write.call(receiver, chunk, encoding, done)
    } finally {
      this.isEntered = false
    }
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
