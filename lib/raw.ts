import type { Duplex } from 'node:stream'

/** Who is told of what happens to a raw stream; the stream itself knows its watcher. */
export interface RawWatcher {
  /** The peer sent a FIN. */
  rawEnded(): void
  /** The stream is gone. */
  rawClosed(): void
}

const kWatcher = Symbol('fastify-websocket-lifecycle.watcher')

interface Watched extends Duplex {
  [kWatcher]?: RawWatcher
}

/** Hoisted listeners and a property: no closure for each connection. */
export function watchRaw(raw: Duplex, watcher: RawWatcher): void {
  ;(raw as Watched)[kWatcher] = watcher
  raw.on('end', rawOnEnd)
  raw.on('close', rawOnClose)
}

/** The connection is open: its watcher takes over, and hears of the end after ws has. */
export function rewatchRaw(raw: Duplex, watcher: RawWatcher): void {
  ;(raw as Watched)[kWatcher] = watcher
  raw.removeListener('close', rawOnClose)
  raw.on('close', rawOnClose)
}

function rawOnEnd(this: Watched): void {
  this[kWatcher]?.rawEnded()
}

function rawOnClose(this: Watched): void {
  this[kWatcher]?.rawClosed()
}
