import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** Is told what happens to a raw stream. The stream itself has a reference to its watcher. */
export interface RawWatcher {
  /** The peer sent a FIN. */
  rawEnded(): void
  /** The stream is gone. */
  rawClosed(): void
}

/**
 * A watcher that also looks at a socket before it is destroyed. After that node no longer tells what the
 * kernel took.
 */
export interface LastLooker extends RawWatcher {
  rawDestroying(): void
}

const kWatcher = Symbol('fastify-websocket-lifecycle.watcher')

interface Watched extends Duplex {
  [kWatcher]?: RawWatcher | undefined
}

interface LookedAt extends Duplex {
  [kWatcher]: LastLooker
}

/**
 * Watches a raw stream. The listeners are shared functions, and a property holds the watcher, so no
 * connection needs a closure.
 */
export function watchRaw(raw: Duplex, watcher: RawWatcher): void {
  ;(raw as Watched)[kWatcher] = watcher
  raw.on('end', rawOnEnd)
  raw.on('close', rawOnClose)
}

/** The connection is open: `watcher` takes over. Its listener for `'close'` now comes after ws's own. */
export function rewatchRaw(raw: Duplex, watcher: LastLooker): void {
  ;(raw as Watched)[kWatcher] = watcher
  if (raw instanceof Socket) raw._destroy = rawDestroy
  raw.removeListener('close', rawOnClose)
  raw.on('close', rawOnClose)
}

/**
 * Replaces the `_destroy` of the socket's class, and calls it. Every way to destroy a socket goes through
 * here.
 */
function rawDestroy(this: Duplex, error: Error | null, done: (error?: Error | null) => void): void {
  ;(this as LookedAt)[kWatcher].rawDestroying()
  const ofClass = Object.getPrototypeOf(this) as Duplex
  ofClass._destroy.call(this, error, done)
}

function rawOnEnd(this: Watched): void {
  this[kWatcher]?.rawEnded()
}

/** The stream lets go of its watcher: a request keeps its stream, and a session keeps its request. */
function rawOnClose(this: Watched): void {
  const watcher = this[kWatcher]
  this[kWatcher] = undefined
  watcher?.rawClosed()
}
