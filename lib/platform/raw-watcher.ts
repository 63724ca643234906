import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** Who is told of what happens to a raw stream; the stream itself knows its watcher. */
export interface RawWatcher {
  /** The peer sent a FIN. */
  rawEnded(): void
  /** The stream is gone. */
  rawClosed(): void
}

/** Who also wants to look at a socket before it is destroyed: after that node tells nothing of what the kernel took. */
export interface LastLooker extends RawWatcher {
  rawDestroying(): void
}

const kWatcher = Symbol('fastify-websocket-lifecycle.watcher')

interface Watched extends Duplex {
  [kWatcher]?: RawWatcher
}

interface LookedAt extends Duplex {
  [kWatcher]: LastLooker
}

/** Hoisted listeners and a property: no closure for each connection. */
export function watchRaw(raw: Duplex, watcher: RawWatcher): void {
  ;(raw as Watched)[kWatcher] = watcher
  raw.on('end', rawOnEnd)
  raw.on('close', rawOnClose)
}

/** The connection is open: its watcher takes over, and hears of the end after ws has. */
export function rewatchRaw(raw: Duplex, watcher: LastLooker): void {
  ;(raw as Watched)[kWatcher] = watcher
  if (raw instanceof Socket) raw._destroy = rawDestroy
  raw.removeListener('close', rawOnClose)
  raw.on('close', rawOnClose)
}

/** In the place of its class's own, which it calls: whoever destroys a socket comes by here. */
function rawDestroy(this: Duplex, error: Error | null, done: (error?: Error | null) => void): void {
  ;(this as LookedAt)[kWatcher].rawDestroying()
  const ofClass = Object.getPrototypeOf(this) as Duplex
  ofClass._destroy.call(this, error, done)
}

function rawOnEnd(this: Watched): void {
  this[kWatcher]?.rawEnded()
}

function rawOnClose(this: Watched): void {
  this[kWatcher]?.rawClosed()
}
