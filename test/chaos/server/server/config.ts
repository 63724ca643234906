// What the runner and its server say to each other.
import type { LifecycleStats } from '../../../../lib/index.js'

/** What the runner tells the server at its start. */
export interface ServerConfig {
  readonly seed: number
}

/** What the runner asks of the server. */
export type Order =
  /** From now on its loop stands still at times, and hooks throw and hang; or not. */
  | { readonly order: 'storm'; readonly isOn: boolean }
  /** Waits until nothing of a connection is left, collects garbage, and looks. */
  | { readonly order: 'measure' }
  /** What the sessions that live have counted. */
  | { readonly order: 'sessions' }
  | { readonly order: 'ledger' }

/** What lives in the process. */
export interface Measurement {
  /** Bytes after a collection of garbage, without those of code. */
  readonly heap: number
  /** Bytes beside the heap: buffers. */
  readonly buffers: number
  /** Number of what keeps the process alive, by type. */
  readonly resources: Readonly<Record<string, number>>
  /** TCP connections of the server. */
  readonly sockets: number
  /** What is left of connections, a line for each. */
  readonly left: readonly string[]
  /** Connections that the plugin counts now, by route. */
  readonly open: Readonly<Record<string, number>>
  /** Connections that opened since the start. */
  readonly opened: number
}

/** What a session of the server has seen. */
export interface SessionRecord {
  readonly name: string
  /** Number of messages that it has sent, and that it has handled. */
  readonly sent: number
  readonly handled: number
  readonly resumes: number
  /** How it has ended, if it has. */
  readonly cause?: string
  readonly received?: number
  readonly unacknowledged?: number
}

/** How the connection of a healthy peer has ended, if that was not expected. */
export interface Cut {
  /** The name of the peer. */
  readonly who: string
  readonly route: string
  readonly cause: string
  readonly code: number
  readonly duration: number
  readonly history: unknown
}

/** Numbers by name: of a route, of a cause. */
export type Counts = Readonly<Record<string, number>>

/** All that the server has counted by itself, and what the plugin, its events and its metrics say of the same. */
export interface ServerLedger {
  /** Calls of the handler, and of `onClose`, by route. */
  readonly opens: Counts
  readonly closes: Counts
  /** By cause, of `onClose`. */
  readonly causes: Counts
  /** Connections that opened and had no `onClose`: their ids. */
  readonly unclosed: readonly string[]
  readonly acquired: number
  readonly released: number
  /** Errors that hooks and releases of ours have thrown, and of which `onHandlerError` was told. */
  readonly thrown: number
  readonly heard: number
  /** Hooks and releases that hang for ever. */
  readonly hung: number
  readonly stats: LifecycleStats
  /** How often each event was told. */
  readonly events: Counts
  /** Refusals that events have told, by reason. */
  readonly refused: Counts
  /** Steps of ends that were left behind, by name. */
  readonly overran: Counts
  /** Connections that have not told all of their four moments: their ids. */
  readonly untold: readonly string[]
  /** `websocket_connections_opened_total` and `websocket_connections_closed_total`, over all labels. */
  readonly metrics: { readonly opened: number; readonly closed: number }
  readonly spans: { readonly started: number; readonly ended: number }
  readonly sessions: readonly SessionRecord[]
  /** The last ones. */
  readonly cuts: readonly Cut[]
  /** For how long the loop was blocked on purpose, how often, in ms. */
  readonly stalls: { readonly count: number; readonly total: number }
  /** The longest stall that the plugin has told, in ms, and during what. */
  readonly worst: { readonly lateness: number; readonly during?: unknown }
  /** For how long no timer of the app has run, at most, in ms, and how many upgrades came meanwhile. */
  readonly beat: { readonly gap: number; readonly requests: number }
  /** What the app's log has, by its text. */
  readonly logged: Counts
  /** What must never happen, a line for each. */
  readonly faults: readonly string[]
  /** How long `app.close()` took, in ms. */
  readonly drain?: number
  /** For how long the process stood still meanwhile. */
  readonly stood?: number
  readonly terminated?: number
}

export type Answer =
  | { readonly answer: 'done' }
  | ({ readonly answer: 'measurement' } & Measurement)
  | { readonly answer: 'sessions'; readonly sessions: readonly SessionRecord[] }
  | { readonly answer: 'ledger'; readonly ledger: ServerLedger }

/** What the server tells. */
export type Report =
  | { readonly report: 'listening'; readonly port: number }
  | { readonly report: 'answer'; readonly to: number; readonly answer: Answer }

/** Begins the last line that the server prints: its ledger, as JSON. */
export const LEDGER = 'ledger: '
