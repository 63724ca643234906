import { AsyncResource } from 'node:async_hooks'
import { hasStore } from './node-internals.js'
import type { Runner } from './traced.js'
import type { Receiver, Write, Written } from './ws-receiver.js'

/** The name under which tools list our async resources. */
const NAME = 'fastify-websocket-lifecycle'

/** The async context in which this package was loaded: it has no request, and no store of one. */
const NOBODYS = new AsyncResource(NAME)

/**
 * What a tracer wants to be current in contexts of connections that end. They are not in a field, which all
 * connections would have.
 */
const runners = new WeakMap<RequestContext, Runner>()
let areThereRunners = false

/**
 * Starts a timer or a tick that serves all connections. Otherwise it would keep the store of the request that
 * was the first to need it, and show it to others.
 */
export function startForAll<T>(start: () => T): T {
  return NOBODYS.runInAsyncScope(start)
}

/**
 * The async context of an upgrade request, taken at the moment when this is made. Timers, ticks and reads
 * serve many connections. So without it a callback would see the `AsyncLocalStorage` of another request, or
 * none.
 */
export class RequestContext extends AsyncResource {
  /** Whether we are called from within {@link enter}. */
  isEntered = false
  #entersReads: boolean

  /**
   * @param inflates whether reads may wait for zlib: that goes on in the context of the connection before it
   * in zlib's queue
   */
  constructor(inflates = false) {
    super(NAME)
    this.#entersReads = inflates || hasStore(this, NOBODYS)
  }

  /** From now on all that is entered is called by this: the end has begun. */
  runBy(runner: Runner | undefined): void {
    if (runner === undefined) return
    runners.set(this, runner)
    areThereRunners = true
  }

  /** Calls by what {@link runBy} has got since this was entered. */
  run<Self, Args extends unknown[], Result>(
    call: (this: Self, ...args: Args) => Result,
    self: Self,
    ...args: Args
  ): Result {
    const runner = this.#runner
    return runner === undefined ? call.apply(self, args) : runner(() => call.apply(self, args))
  }

  /** Reads may wait for zlib. */
  inflates(): void {
    this.#entersReads = true
  }

  /**
   * Lets ws parse a read. If the request has no store, nobody could see a difference. The read then stays in
   * the context of the raw socket, which belongs to no request: entering one costs as much as a few messages.
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

  /** Calls a function of the app, or one that may call the app. */
  enter<Self, Args extends unknown[], Result>(
    call: (this: Self, ...args: Args) => Result,
    self: Self,
    ...args: Args
  ): Result {
    if (this.isEntered) return call.apply(self, args)
    this.isEntered = true
    try {
      const runner = this.#runner
      if (runner === undefined) return this.runInAsyncScope(call, self, ...args)
      return this.runInAsyncScope(() => runner(() => call.apply(self, args)))
    } finally {
      this.isEntered = false
    }
  }

  get #runner(): Runner | undefined {
    return areThereRunners ? runners.get(this) : undefined
  }
}

/** Makes a callback see the context in which it was given to us. */
export function bindCallback<Args extends unknown[]>(
  callback: (...args: Args) => void,
): (...args: Args) => void {
  const here = new AsyncResource(NAME)
  return (...args) => here.runInAsyncScope(callback, undefined, ...args)
}
