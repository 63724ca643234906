// R1: every upgrade that got its 101 on a durable route is released at least once; twice only where that is allowed.
import { type Entry, type Of, only } from '../ledger.js'
import { BEAT, LEASE, RATE, RECOVERY } from '../timings.js'
import { groupBy, type Judgement } from '../../judgement.js'
import { judgeDeaths, judgeRepeats } from './repeats.js'
import type { Timeline } from './timeline.js'

/** What is allowed on top of the promised time: releases take some ms, and the machine is busy. */
const SLACK = 3_000

export function judgeReleases(
  entries: readonly Entry[],
  timeline: Timeline,
  judgement: Judgement,
): void {
  const opened = new Map(only(entries, 'opened').map((entry) => [entry.ticket, entry]))
  const releases = groupBy(only(entries, 'released'), ({ ticket }) => ticket)
  const failed = new Set(only(entries, 'failed').map(({ ticket }) => ticket))
  const ownersOf = new Map(
    only(entries, 'releasing', 'failed').map(({ ticket, owner }) => [ticket, owner]),
  )
  for (const name of ['released by its node', 'released by a survivor']) judgement.count(name, 0)
  for (const admitted of only(entries, 'admitted')) {
    const { ticket } = admitted
    const owner = opened.get(ticket)?.node ?? ownersOf.get(ticket)
    const [first] = releases.get(ticket) ?? []
    if (first === undefined) judgeMissing(admitted, owner, opened.get(ticket), timeline, judgement)
    else if (first.survivor) judgement.count('released by a survivor')
    else judgement.count('released by its node')
  }
  judgement.count('tries of a release that failed', only(entries, 'failed').length)
  for (const runs of releases.values()) judgeRepeats(runs, timeline, judgement)
  judgeDeaths(only(entries, 'released'), timeline, judgement)
  judgeFences(entries, timeline, judgement)
  judgeDelays(entries, failed, timeline, judgement)
}

/** Nobody has released it. That is allowed only if Redis lost the record, and its node could not write it again. */
function judgeMissing(
  admitted: Of<'admitted'>,
  owner: string | undefined,
  opened: Of<'opened'> | undefined,
  timeline: Timeline,
  judgement: Judgement,
): void {
  // It is written before the 101, and the client hears of that a little later.
  const writtenAt = admitted.at - SLACK
  const isLost = timeline.losses.some(
    ({ from, to }) =>
      from <= admitted.at && to >= writtenAt && !(owner && timeline.couldWriteAgain(owner, to)),
  )
  if (isLost) return judgement.count('not released: Redis lost the record, and its node was gone')
  judgement.count('not released, unexplained')
  judgement.violated(
    'R1',
    `${admitted.ticket} of node ${owner ?? '(unknown)'} was never released`,
    [admitted, ...(opened === undefined ? [] : [opened])],
  )
}

/** The fence of a survivor is greater than that of who had it before. */
function judgeFences(entries: readonly Entry[], timeline: Timeline, judgement: Judgement): void {
  judgement.count('runs that came too late, and that a fence refuses', 0)
  for (const [ticket, runs] of groupBy(only(entries, 'releasing'), (run) => run.ticket)) {
    const newest = new Map<number, Of<'releasing'>>()
    let largest: Of<'releasing'> | undefined
    for (const run of runs) {
      const other = newest.get(run.fence)
      if (other !== undefined && other.process !== run.process) {
        judgement.violated('fence', `${ticket} has one fence for two runners`, [other, run])
      }
      newest.set(run.fence, run)
      if (largest === undefined || run.fence > largest.fence) largest = run
      else if (run.fence < largest.fence) {
        // Whoever has lost it without knowing may still run. The resource refuses him by his fence.
        const wasAway = timeline.isTroubled(run.process, largest.at - 3 * LEASE, run.at)
        if (wasAway) judgement.count('runs that came too late, and that a fence refuses')
        else judgement.violated('fence', `the fence of ${ticket} went down`, [largest, run])
      }
    }
  }
}

/** How long after the death of a node its cleanups run. */
function judgeDelays(
  entries: readonly Entry[],
  failed: ReadonlySet<string>,
  timeline: Timeline,
  judgement: Judgement,
): void {
  const claims = groupBy(only(entries, 'claimed'), ({ node }) => node)
  const runs = only(entries, 'released').filter(({ survivor }) => survivor)
  judgement.max('longest from a kill to a release, ms', 0)
  judgement.max('longest of those with a survivor that was well, ms', 0)
  for (const [owner, ofOwner] of groupBy(runs, (run) => run.owner)) {
    const process = timeline.processOf(owner)
    if (process === undefined || !timeline.wasKilled(process)) continue
    const diedAt = timeline.exitOf(process)
    const bound = 2 * LEASE + BEAT + (ofOwner.length / RATE) * 1_000 + SLACK
    const [claim, ...others] = claims.get(owner) ?? []
    const mayTake =
      claim !== undefined &&
      others.length === 0 &&
      !isHeldUp(claim, timeline, diedAt, diedAt + bound) &&
      hasHealthySurvivor(timeline, diedAt, diedAt + bound)
    for (const run of ofOwner) {
      const took = run.at - diedAt
      judgement.max('longest from a kill to a release, ms', took)
      if (!mayTake || failed.has(run.ticket)) continue
      judgement.max('longest of those with a survivor that was well, ms', took)
      if (took > bound) {
        const text = `${run.ticket} was released ${Math.round(took)} ms after the death of ${owner}, not within ${bound}`
        judgement.violated('R1', text, [run])
      }
    }
  }
}

/** Whether who has claimed a node in time may have been kept from it for less than a lease: nobody else takes it then. */
function isHeldUp(claim: Of<'claimed'>, timeline: Timeline, diedAt: number, to: number): boolean {
  const isInTime = claim.at <= diedAt + 2 * LEASE + BEAT + SLACK
  return isInTime && timeline.isTroubled(claim.process, diedAt - LEASE - BEAT, to)
}

function hasHealthySurvivor(timeline: Timeline, from: number, to: number): boolean {
  return timeline.spells.some(
    ({ process, node, connected }) =>
      connected &&
      timeline.wasConnected(node, from - LEASE - BEAT, to) &&
      !timeline.isTroubled(process, from - LEASE - BEAT, to, RECOVERY),
  )
}
