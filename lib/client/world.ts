/**
 * All that the client gets from the page, the worker or the Node process in which it runs: parts of `globalThis`. Tests
 * give it a world that they move themselves.
 */
import type { WebSocketConstructor } from './api.js'

export interface World {
  /** Epoch ms. A monotonic clock may stand still while a machine sleeps, and this has to be noticed. */
  readonly Date: { now(): number }
  readonly Math: { random(): number }
  setTimeout(callback: () => void, delay: number): Timer
  setInterval(callback: () => void, delay: number): Timer
  /** Stops both kinds of timers. */
  clearTimeout(timer: Timer): void
  /** Where there is one. */
  readonly WebSocket?: WebSocketConstructor
  /** Node has neither this nor a document, and a worker has no document. */
  addEventListener?(type: string, listener: () => void, options: { signal: AbortSignal }): void
  readonly document?: { readonly visibilityState: string }
}

export const here: World = globalThis

/** What it is, only the platform knows. */
export type Timer = unknown
