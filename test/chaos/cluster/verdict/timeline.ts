import { DIRECTOR, type Entry, only, type TroubleKind } from '../ledger.js'
import { BEAT, RECOVERY } from '../timings.js'

/** A process writes a sign five times a second. After such a gap it has stood still, or the machine was busy. */
export const LONGEST_GAP = 700

/** After so long a node that is connected has written again what it holds, in ms: a client waits up to 2 s. */
const WRITES_AGAIN = 2_000 + BEAT

/** With these nothing gets to Redis. */
const SILENT: ReadonlySet<string> = new Set<TroubleKind>(['stopped', 'cut', 'held', 'dropped'])

/** With these it gets there late. */
const LATE: ReadonlySet<string> = new Set<Trouble['kind']>([
  'held',
  'slow',
  'redis paused',
  'stood still',
])

/** For how long after such a time something may still be on its way, in ms: a slow line holds each read back. */
const LATEST = 1_500

export interface Trouble {
  readonly kind: TroubleKind | 'stood still'
  readonly on: number | 'all'
  readonly from: number
  /** Infinity if it was not over. */
  readonly to: number
}

/** A time in which Redis lost what was written to it. */
export interface Loss {
  readonly from: number
  readonly to: number
}

/** While a node said the same of itself. */
export interface Spell {
  readonly process: number
  readonly node: string
  readonly connected: boolean
  readonly from: number
  to: number
}

/** What the processes went through, and when. */
export class Timeline {
  readonly troubles: readonly Trouble[]
  readonly losses: readonly Loss[]
  readonly spells: readonly Spell[]
  readonly #exits: ReadonlyMap<number, number>
  readonly #killed: ReadonlySet<number>
  readonly #processes: ReadonlyMap<string, number>

  constructor(entries: readonly Entry[]) {
    this.troubles = [...troublesIn(entries), ...gapsIn(entries)]
    this.losses = only(entries, 'data lost').map(({ at, since }) => ({ from: since, to: at }))
    this.spells = spellsIn(entries)
    const exits = only(entries, 'exited')
    this.#exits = new Map(exits.map(({ of, at }) => [of, at]))
    this.#killed = new Set(exits.filter(({ signal }) => signal === 'SIGKILL').map(({ of }) => of))
    this.#processes = new Map(
      only(entries, 'sign', 'opened').map(({ node, process }) => [node, process]),
    )
  }

  /** @returns `undefined` if no node of this name has written anything */
  processOf(node: string): number | undefined {
    return this.#processes.get(node)
  }

  /** The name that a process has said last before a time. */
  nodeOf(process: number, at: number): string | undefined {
    return this.spells.findLast((spell) => spell.process === process && spell.from <= at)?.node
  }

  /** Infinity if it lives. */
  exitOf(process: number): number {
    return this.#exits.get(process) ?? Infinity
  }

  wasKilled(process: number): boolean {
    return this.#killed.has(process)
  }

  /**
   * What kept a process from Redis, at any moment of a time.
   * @param recovery how long a trouble that is over still counts
   */
  troublesOf(process: number, from: number, to: number, recovery: number = RECOVERY): Trouble[] {
    return this.troubles.filter(
      (trouble) =>
        (trouble.on === 'all' || trouble.on === process) &&
        trouble.from <= to &&
        trouble.to + recovery >= from,
    )
  }

  isTroubled(process: number, from: number, to: number, recovery?: number): boolean {
    return this.troublesOf(process, from, to, recovery).length > 0
  }

  /** Whether nothing that a process says, or has said, could get to Redis, all the time. */
  isSilent(process: number, from: number, to: number): boolean {
    const silences = this.troubles.filter(
      (trouble) => trouble.on === process && SILENT.has(trouble.kind) && trouble.to >= to,
    )
    const begins = [this.exitOf(process), ...silences.map((trouble) => trouble.from)]
    return begins.some((begin) => this.#arrival(process, begin) <= from)
  }

  /** When all that a process has said before a time had come to Redis. */
  #arrival(process: number, said: number): number {
    const delays = this.troubles.filter(
      ({ kind, on, from, to }) =>
        from < said &&
        to + LATEST >= said &&
        LATE.has(kind) &&
        // What it has sent before it stood still itself is on its way.
        (on === 'all' || (on === process && kind !== 'stood still')),
    )
    return Math.max(said, ...delays.map(({ to }) => to + LATEST))
  }

  /** Whether Redis is as it was before this time. One that was emptied is not: it has no record either. */
  hasForgotten(from: number, to: number): boolean {
    return this.losses.some((loss) => loss.from > 0 && loss.from <= to && loss.to >= from)
  }

  /** Whether Redis lost anything within this time. */
  hasLost(from: number, to: number): boolean {
    return this.losses.some((loss) => loss.to >= from && loss.to <= to)
  }

  /** Whether a node could write again what Redis lost at a time: it was connected for long enough after that. */
  couldWriteAgain(node: string, lostAt: number): boolean {
    return this.spells.some(
      (spell) =>
        spell.node === node &&
        spell.connected &&
        spell.to - Math.max(spell.from, lostAt) > WRITES_AGAIN,
    )
  }

  /** Whether a node said all the time that it is connected, without a gap. */
  wasConnected(node: string, from: number, to: number): boolean {
    return this.spells.some(
      (spell) =>
        spell.node === node &&
        spell.connected &&
        spell.from <= from &&
        spell.to + LONGEST_GAP >= to,
    )
  }
}

function troublesIn(entries: readonly Entry[]): Trouble[] {
  const ends = new Map(only(entries, 'trouble over').map(({ trouble, at }) => [trouble, at]))
  return only(entries, 'trouble').map(({ trouble, kind, on, at }) => ({
    kind,
    on,
    from: at,
    to: ends.get(trouble) ?? Infinity,
  }))
}

/** The director carries the bytes of all of them: when it stands still, all do. */
function gapsIn(entries: readonly Entry[]): Trouble[] {
  const last = new Map<number, number>()
  const gaps: Trouble[] = []
  for (const { process, at } of only(entries, 'sign')) {
    const from = last.get(process)
    last.set(process, at)
    if (from === undefined || at - from <= LONGEST_GAP) continue
    gaps.push({ kind: 'stood still', on: process === DIRECTOR ? 'all' : process, from, to: at })
  }
  return gaps
}

function spellsIn(entries: readonly Entry[]): Spell[] {
  const current = new Map<number, Spell>()
  const spells: Spell[] = []
  for (const { process, at, node, connected } of only(entries, 'sign')) {
    const spell = current.get(process)
    const goesOn =
      spell?.node === node && spell.connected === connected && at - spell.to <= LONGEST_GAP
    if (spell !== undefined && goesOn) {
      spell.to = at
      continue
    }
    const next = { process, node, connected, from: at, to: at }
    current.set(process, next)
    spells.push(next)
  }
  return spells
}
