/** What the reports of the diagnosis tell: what no single connection shows. */
import type { CloseCause } from '../core/close/policy.js'
import type { Silent } from '../core/diagnosis/idle-cluster.js'
import type { StormPhase } from '../core/diagnosis/storm.js'
import type { Clock } from '../time/clock.js'
import { cut } from './cut.js'

/** Many connections end unexpectedly within a short time. */
export interface StormReport {
  /**
   * - `begun`: 100 connections have ended unexpectedly within 10 s.
   * - `lasting`: it goes on; told once a minute.
   * - `over`: fewer than 50 have ended in the last 10 s, or the server has shut down.
   */
  readonly phase: StormPhase
  /** How many have ended unexpectedly since it began, the first 100 included. */
  readonly count: number
  /** The same by cause. A cause that has not occurred is absent. */
  readonly causes: Readonly<Partial<Record<CloseCause, number>>>
  /** The same by the URL pattern of the route, the most frequent one first. */
  readonly routes: Readonly<Record<string, number>>
  /** When the first of them ended, in epoch ms. */
  readonly first: number
  /** When the last of them ended so far, in epoch ms. */
  readonly last: number
}

/** Connections are lost again and again after the same silence. Told once an hour. */
export interface IdleTimeoutReport {
  /**
   * Who had sent nothing for so long, also no ping and no pong. `both`: nobody had sent anything. `client` or
   * `server`: only this side was silent, and what is between counts each side for itself.
   */
  readonly silent: Silent
  /** After which silence they are lost, in ms. */
  readonly age: number
  /** A `keepalive.interval` that prevents it, in ms: three quarters of `age`. */
  readonly interval: number
  /** How many were lost so, at least 10. Of many that are lost in one second, only some count. */
  readonly count: number
  /** When the first of them was lost, in epoch ms, at most a day ago. */
  readonly since: number
  /** How many of them were on which route: its URL pattern. The most frequent one comes first. */
  readonly routes: Readonly<Record<string, number>>
}

/** Next to nobody on a route answers pings. Told once an hour. */
export interface MutePeersReport {
  /** The URL pattern of the route. */
  readonly route: string
  /** How many clients have ended with `heartbeat-timeout` and had never answered a ping, at least 20. */
  readonly count: number
  /** How many others have answered one, at most a ninth of `count`: of those that are gone, and of those that are there. */
  readonly answered: number
  /** When the first of `count` was taken for dead, in epoch ms, at most an hour ago. */
  readonly since: number
}

/** What has blocked the event loop. */
export interface BlockingStep {
  /** The URL pattern of the route. */
  readonly route: string
  /**
   * `handler`, a hook such as `onClose`, `release` and the name of the function, or `messages`: all that was
   * called for messages in one go. What an async function does after an `await` is not known.
   */
  readonly step: string
  /** How long it ran without giving the loop back, in ms. */
  readonly duration: number
}

/** A log line names so many routes at most, each in so many bytes. The event has all of them. */
const MOST_ROUTES = 3
const MOST_OF_ROUTE = 80

/** The counts as an object, the highest first. */
export function byFrequency<Name extends string>(
  counts: ReadonlyMap<Name, number>,
): Record<Name, number> {
  const sorted = [...counts].toSorted(([, a], [, b]) => b - a)
  return Object.fromEntries<number>(sorted) as Record<Name, number>
}

/** The first of the counts, with names that fit into a log line. */
export function namedInLine(counts: Readonly<Record<string, number>>): Record<string, number> {
  const named: Record<string, number> = {}
  for (const [name, count] of Object.entries(counts).slice(0, MOST_ROUTES)) {
    // Long names may be the same where they are cut.
    const short = cut(name, MOST_OF_ROUTE)
    named[short] = (named[short] ?? 0) + count
  }
  return named
}

/** A time of the clock in epoch ms. */
export function wallAt(clock: Clock, at: number): number {
  return Math.round(clock.wall() - (clock.now() - at))
}
