import type { LifecycleEvents } from '../facts/events.js'
import type { Listening } from '../facts/listening.js'
import type { Clock } from '../time/clock.js'
import type { Report, Update } from './protocol.js'
import {
  type Stalls,
  type Words,
  wordsOfIdleTimeout,
  wordsOfMutePeers,
  wordsOfStall,
  wordsOfStorm,
} from './words.js'

/** How many reports are kept. */
const MOST_REPORTS = 20

/** Shorter stalls are not reported, in ms: they are in the chart. */
const STALLS_FROM = 200

/**
 * For how long a report holds unless it is renewed, in ms. The end of a storm is told, and what is told once an hour is
 * renewed after that.
 */
const HOLDS_FOR: Readonly<Record<Report['kind'], number>> = {
  storm: Infinity,
  'idle-timeout': 3_900_000,
  'mute-peers': 3_900_000,
  stall: 60_000,
}

interface Kept {
  report: Report
  /** What it is about, beside its kind. */
  readonly about: string
  /** By the clock. */
  until: number
}

const NO_STALLS: Stalls = { count: 0, total: 0, longest: 0, during: undefined }

/** What the diagnosis has reported. It is heard also while nobody looks: nothing is told unless something is wrong. */
export class Reports {
  readonly #clock: Clock
  /** The oldest first. */
  readonly #kept: Kept[] = []
  #fresh = new Set<Kept>()
  #lastId = 0
  #stalls = NO_STALLS

  constructor(listening: Listening, clock: Clock) {
    this.#clock = clock
    this.#listen(listening)
  }

  /** The oldest first. */
  get list(): Report[] {
    this.#endOld()
    return this.#kept.map(({ report }) => report)
  }

  /** Those that have changed since this was asked before. */
  take(): Pick<Update, 'reports'> {
    this.#endOld()
    if (this.#fresh.size === 0) return {}
    const reports = Array.from(this.#fresh, ({ report }) => report)
    this.#fresh = new Set()
    return { reports }
  }

  #listen(listening: Listening): void {
    listening.onEvent('diagnosis.storm', (storm) => {
      const kept = this.#tell('storm', '', wordsOfStorm(storm))
      if (storm.phase === 'over') this.#end(kept)
    })
    listening.onEvent('diagnosis.idle-timeout', (report) => {
      const [route = ''] = Object.keys(report.routes)
      this.#tell('idle-timeout', route, wordsOfIdleTimeout(report))
    })
    listening.onEvent('diagnosis.mute-peers', (report) => {
      this.#tell('mute-peers', report.route, wordsOfMutePeers(report))
    })
    listening.onEvent('loop.stalled', (stall) => this.#stalled(stall))
  }

  #stalled({ lateness, during }: LifecycleEvents['loop.stalled']): void {
    if (lateness < STALLS_FROM) return
    const before = this.#lasting('stall', '') === undefined ? NO_STALLS : this.#stalls
    this.#stalls = {
      count: before.count + 1,
      total: before.total + lateness,
      longest: Math.max(before.longest, lateness),
      during: during ?? before.during,
    }
    this.#tell('stall', '', wordsOfStall(this.#stalls))
  }

  /** Renews what is reported, or reports it. */
  #tell(kind: Report['kind'], about: string, words: Words): Kept {
    const lasting = this.#lasting(kind, about)
    const id = lasting?.report.id ?? ++this.#lastId
    const report = { id, at: this.#clock.wall(), kind, isOver: false, ...words }
    const until = this.#clock.now() + HOLDS_FOR[kind]
    const kept = Object.assign(lasting ?? { about }, { report, until })
    this.#fresh.add(kept)
    if (lasting === undefined && this.#kept.push(kept) > MOST_REPORTS) {
      this.#fresh.delete(this.#kept.shift() as Kept)
    }
    return kept
  }

  #lasting(kind: Report['kind'], about: string): Kept | undefined {
    this.#endOld()
    return this.#kept.find(
      (each) => !each.report.isOver && each.report.kind === kind && each.about === about,
    )
  }

  #endOld(): void {
    const now = this.#clock.now()
    for (const kept of this.#kept) if (!kept.report.isOver && now >= kept.until) this.#end(kept)
  }

  #end(kept: Kept): void {
    kept.report = { ...kept.report, isOver: true }
    this.#fresh.add(kept)
  }
}
