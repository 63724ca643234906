// What is to happen, and when: the same for the same seed.
import { randomFrom } from '../../support/models/random.js'
import { LEASE } from './timings.js'

/** How many nodes there are at a time. A slot is a place of one: a node that is gone gets a successor. */
export const SLOTS = 5

/** Something happens to the line between one node and Redis. */
export interface Spoil {
  readonly act: 'cut' | 'held' | 'dropped' | 'slow'
  readonly slot: number
  readonly for: number
  /** How late bytes come on a slow one. */
  readonly by: number
}

/** Something that happens to one node, or to Redis. Times in ms. */
export type Act =
  | { readonly act: 'kill'; readonly slot: number; readonly for: number }
  /** And then whoever cleans up after it, in the middle of that. */
  | {
      readonly act: 'kill, and its cleaner'
      readonly slot: number
      readonly for: number
      readonly after: number
    }
  /** A successor comes, and then it is told to leave. */
  | { readonly act: 'replace'; readonly slot: number }
  | { readonly act: 'stop'; readonly slot: number; readonly for: number }
  | Spoil
  | {
      readonly act: 'restart redis'
      readonly signal: 'SIGKILL' | 'SIGTERM'
      readonly keeps: boolean
      readonly for: number
    }
  | { readonly act: 'flush' }
  | { readonly act: 'kill clients'; readonly type: 'normal' | 'pubsub' }
  | { readonly act: 'pause redis'; readonly for: number }
  /** The replica takes over, without what was written in the last so many ms. */
  | { readonly act: 'failover'; readonly loses: number; readonly for: number }

export interface Scheduled {
  /** In ms after the act before it. */
  readonly after: number
  readonly act: Act
}

/** How often each is in a schedule. */
const WEIGHTS: ReadonlyArray<readonly [Act['act'], number]> = [
  ['kill', 14],
  ['kill, and its cleaner', 8],
  ['replace', 10],
  ['stop', 14],
  ['cut', 8],
  ['held', 8],
  ['dropped', 6],
  ['slow', 6],
  ['restart redis', 4],
  ['flush', 2],
  ['kill clients', 6],
  ['pause redis', 3],
]

const WITH_FAILOVERS: ReadonlyArray<readonly [Act['act'], number]> = [
  ['failover', 8],
  ['kill', 6],
  ['kill, and its cleaner', 2],
  ['replace', 4],
  ['stop', 3],
  ['cut', 2],
]

export function scheduleOf(seed: number, minutes: number, hasFailovers: boolean): Scheduled[] {
  const random = randomFrom(seed)
  const weighted = (hasFailovers ? WITH_FAILOVERS : WEIGHTS).flatMap(([act, weight]) =>
    Array<Act['act']>(weight).fill(act),
  )
  const schedule: Scheduled[] = []
  for (let left = minutes * 60_000; left > 0;) {
    const after = Math.round(500 + random() * 3_500)
    const act = weighted[Math.floor(random() * weighted.length)] as Act['act']
    schedule.push({ after, act: actOf(act, random) })
    left -= after
  }
  return schedule
}

function actOf(act: Act['act'], random: () => number): Act {
  const between = (from: number, to: number): number => Math.round(from + random() * (to - from))
  const slot = Math.floor(random() * SLOTS)
  switch (act) {
    case 'kill':
      return { act, slot, for: between(0, 3_000) }
    case 'kill, and its cleaner':
      return { act, slot, for: between(0, 3_000), after: between(0, 400) }
    case 'replace':
      return { act, slot }
    case 'stop':
      return { act, slot, for: between(0.5 * LEASE, 4 * LEASE) }
    case 'cut':
    case 'held':
    case 'dropped':
    case 'slow':
      return { act, slot, for: between(0.1 * LEASE, 3 * LEASE), by: between(50, 1_500) }
    case 'restart redis': {
      const signal = random() < 0.5 ? 'SIGKILL' : 'SIGTERM'
      return { act, signal, keeps: random() < 0.6, for: between(0, 2 * LEASE) }
    }
    case 'flush':
      return { act }
    case 'kill clients':
      return { act, type: random() < 0.5 ? 'normal' : 'pubsub' }
    case 'pause redis':
      return { act, for: between(500, 1.5 * LEASE) }
    case 'failover':
    default:
      return { act, loses: between(300, 3_000), for: between(0, LEASE) }
  }
}
