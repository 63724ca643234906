// Who released a record that was released before, and whether that is allowed.
import type { Of } from '../ledger.js'
import { CONCURRENCY, LEASE } from '../timings.js'
import type { Judgement } from '../../judgement.js'
import type { Timeline } from './timeline.js'

type Run = Of<'released'>

/** How long after a release its removal may be under way, in ms: on a busy machine. */
const UNDER_WAY = 1_500

/** Why a record may be released once more. */
export const REASONS = {
  died: 'twice: its runner died before the removal',
  lostRedis: 'twice: its runner lost Redis before the removal',
  cutOff: 'twice: its node was cut off from Redis, and ended it by itself',
  removalLost: 'twice: Redis lost the removal',
  claimLost: 'twice: Redis lost that its node was claimed, and that node lived on',
  unexplained: 'twice, unexplained',
} as const

/** @param runs all that have succeeded for one record, in order */
export function judgeRepeats(runs: readonly Run[], timeline: Timeline, judgement: Judgement): void {
  for (const [index, next] of runs.entries()) {
    const before = runs.slice(0, index)
    if (before.length === 0) continue
    const reason = reasonOf(before.at(-1) as Run, next, timeline)
    judgement.count(REASONS[reason])
    if (reason !== 'unexplained') continue
    judgement.violated('R1', `${next.ticket} was released twice`, runs)
  }
}

function reasonOf(before: Run, next: Run, timeline: Timeline): keyof typeof REASONS {
  const { process, at } = before
  const exit = timeline.exitOf(process)
  const isAway = timeline.isTroubled(process, at - LEASE, at + UNDER_WAY)
  if (exit - at <= UNDER_WAY) return 'died'
  if (timeline.hasForgotten(at - UNDER_WAY, at)) return 'removalLost'
  const owner = [before, next].find(({ survivor }) => !survivor)
  // The survivor has claimed a node that lives.
  if (owner !== undefined && before.survivor !== next.survivor) {
    const wasAway = timeline.isTroubled(owner.process, owner.at - 3 * LEASE, owner.at + UNDER_WAY)
    if (wasAway && timeline.exitOf(owner.process) > Math.max(at, next.at)) return 'cutOff'
  }
  if (isAway) return 'lostRedis'
  return hasLostClaim(before, next, timeline) ? 'claimLost' : 'unexplained'
}

/** Whether Redis has lost that the node was claimed, and that node lived on. */
function hasLostClaim(before: Run, next: Run, timeline: Timeline): boolean {
  const livedUntil = timeline.exitOf(timeline.processOf(next.owner) ?? before.process)
  return before.survivor && timeline.hasLost(before.at, Math.min(next.at, livedUntil))
}

/**
 * At most so many are released twice for each death of a cleaner as run at once.
 * @param runs all that have succeeded
 */
export function judgeDeaths(runs: readonly Run[], timeline: Timeline, judgement: Judgement): void {
  const repeated = new Map<number, number>()
  const last = new Map<string, Run>()
  for (const run of runs) {
    const before = last.get(run.ticket)
    last.set(run.ticket, run)
    if (before === undefined || !before.survivor) continue
    if (reasonOf(before, run, timeline) !== 'died' || hasLostClaim(before, run, timeline)) continue
    repeated.set(before.process, (repeated.get(before.process) ?? 0) + 1)
  }
  judgement.max('most that were released twice for one death of a cleaner', 0)
  for (const [process, count] of repeated) {
    judgement.max('most that were released twice for one death of a cleaner', count)
    if (count > CONCURRENCY) {
      judgement.violated('R1', `${count} were released twice for the death of process ${process}`)
    }
  }
}
