// What happened, written down outside of Redis: each process appends to a file of its own, and what is written stays,
// also if the process is killed in the next moment.
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import process from 'node:process'

/** Ms of the machine's monotonic clock: the same for all processes. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** The process that drives all others. Each node has a number of its own, from 1 up. */
export const DIRECTOR = 0

/** A route with `cluster.durable`: one with sessions and `continue`, one with sockets and `close`. */
export type DurableKind = 'session' | 'strict'

/** One run of the app's release. */
interface Run {
  readonly id: string
  readonly ticket: string
  /** The node that had the connection. */
  readonly owner: string
  readonly fence: number
  readonly survivor: boolean
}

/** One event of each name. */
type Each<What, Content> = What extends string ? { readonly what: What } & Content : never

/** What a node writes. */
type NodeEvent =
  /** It lives. Written all the time, so that a gap tells that it stood still. */
  | {
      readonly what: 'sign'
      readonly node: string
      readonly fence: number
      readonly connected: boolean
    }
  | {
      readonly what: 'opened'
      readonly id: string
      readonly ticket: string
      readonly node: string
      readonly kind: DurableKind | 'device'
      /** The group that it is in; of a device its name. */
      readonly key: string
    }
  /** It serves no more. */
  | { readonly what: 'ended'; readonly id: string }
  | { readonly what: 'closed'; readonly id: string; readonly cause: string }
  | Each<'releasing' | 'released' | 'failed', Run>
  | Each<'claimed' | 'cleaned' | 'lost claim', { readonly node: string }>
  | { readonly what: 'log'; readonly level: number; readonly text: string; readonly about: object }
  | { readonly what: 'left' }

/** Why a node, or all of them, did not reach Redis as usual. */
export type TroubleKind =
  | 'stopped'
  | 'cut'
  | 'held'
  | 'dropped'
  | 'slow'
  | 'clients killed'
  | 'redis paused'
  | 'redis down'

/** What the director writes. */
type DirectorEvent =
  | { readonly what: 'chaos'; readonly text: string }
  | {
      readonly what: 'trouble'
      readonly trouble: number
      readonly kind: TroubleKind
      readonly on: number | 'all'
    }
  | { readonly what: 'trouble over'; readonly trouble: number }
  /** What was written since then may be lost. */
  | { readonly what: 'data lost'; readonly since: number }
  | {
      readonly what: 'exited'
      readonly of: number
      readonly code: number | null
      readonly signal: string | null
    }
  /** A client has got its 101, for a connection or session of its own. */
  | { readonly what: 'admitted'; readonly ticket: string; readonly kind: DurableKind }
  | { readonly what: 'resumed'; readonly id: string; readonly forwarded: boolean }
  | { readonly what: 'replaced'; readonly device: string; readonly isNewest: boolean }
  /** All that a client has seen of a connection, or of a session. */
  | {
      readonly what: 'seen'
      readonly id: string
      readonly of: number
      readonly key: string
      readonly openedAt: number
      /** When the last message was sent that it got: whatever was sent before has come, or is lost. */
      readonly upTo: number
      readonly publishes: readonly string[]
    }
  | {
      readonly what: 'published'
      readonly by: number
      readonly key: string
      readonly publish: string
      readonly from: number
      readonly unreached: readonly string[]
      readonly error?: string
    }
  | {
      readonly what: 'found'
      readonly by: number
      readonly key: string
      readonly from: number
      readonly found: ReadonlyArray<{ readonly id: string; readonly node: string }>
      readonly unreached: readonly string[]
      readonly error?: string
    }
  | {
      readonly what: 'closed all'
      readonly by: number
      readonly key: string
      readonly from: number
      readonly closed: number
      readonly unreached: readonly string[]
      readonly error?: string
    }
  /** The records that Redis has, some time after it has lost data. */
  | { readonly what: 'records'; readonly lostAt: number; readonly ids: readonly string[] }
  /** What must never happen. */
  | { readonly what: 'fault'; readonly text: string }

export type Event = NodeEvent | DirectorEvent
/** What happened, when, and which process says so. */
export type Entry = Event & { readonly at: number; readonly process: number }
export type Of<What extends Event['what']> = Extract<Entry, { readonly what: What }>

export class LedgerFile {
  readonly #file: number
  readonly #process: number

  constructor(path: string, process: number) {
    this.#file = openSync(path, 'a')
    this.#process = process
  }

  /** When it returns, the kernel has it. */
  write(event: Event): void {
    const { what, ...others } = event
    const line = { at: Math.round(now() * 1e3) / 1e3, process: this.#process, what, ...others }
    writeSync(this.#file, `${JSON.stringify(line)}\n`)
  }

  close(): void {
    closeSync(this.#file)
  }
}

/** All that was written, in order. */
export function readLedgers(paths: readonly string[]): Entry[] {
  return paths
    .flatMap((path) => readFileSync(path, 'utf8').split('\n').slice(0, -1))
    .map((line) => JSON.parse(line) as Entry)
    .toSorted((a, b) => a.at - b.at)
}

export function only<What extends Event['what']>(
  entries: readonly Entry[],
  ...whats: What[]
): Array<Of<What>> {
  return entries.filter(({ what }) => (whats as readonly string[]).includes(what)) as Array<
    Of<What>
  >
}
