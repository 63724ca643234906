// R2: a node is never claimed while its renewals reach Redis in time. R3: what was claimed is not served for long.
import { type Entry, only } from '../ledger.js'
import { BEAT, LEASE, RECOVERY } from '../timings.js'
import { groupBy, type Judgement } from '../../judgement.js'
import type { Timeline } from './timeline.js'

/** A close frame and its answer, on a busy machine. */
const SLACK = 1_000

export function judgeClaims(
  entries: readonly Entry[],
  timeline: Timeline,
  judgement: Judgement,
): void {
  const claims = groupBy(only(entries, 'claimed'), ({ node }) => node)
  const nodes = new Set(only(entries, 'sign').map(({ node }) => node))
  nodes.delete('')
  judgement.count('nodes that ever lived', nodes.size)
  judgement.count('claims', 0)
  judgement.count('nodes that were fenced, and lived on', 0)
  const durable = only(entries, 'opened').filter(({ kind }) => kind !== 'device')
  const openedBy = groupBy(durable, ({ node }) => node)
  const endedAt = new Map(only(entries, 'ended').map(({ id, at }) => [id, at]))
  for (const [node, [first, ...others]] of claims) {
    if (first === undefined) continue
    judgement.count('claims')
    judgement.count('claims of a node whose cleaner was gone', others.length)
    const process = timeline.processOf(node)
    if (timeline.wasConnected(node, first.at - LEASE, first.at)) {
      const text = `node ${node} was claimed while it was connected for a whole lease`
      judgement.violated('R2', text, [first])
    } else if (process !== undefined && !wasInTrouble(timeline, process, first.at)) {
      const text = `node ${node} was claimed, and nothing but Redis had been away`
      judgement.violated('R2', text, [first])
    }
    const lived = timeline.spells.find(
      (spell) => spell.process === process && spell.node !== node && spell.from > first.at,
    )
    if (process === undefined || lived === undefined) continue
    judgement.count('nodes that were fenced, and lived on')
    const until = freeAt(timeline, process, first.at) + BEAT + SLACK
    for (const opened of openedBy.get(node) ?? []) {
      const end = endedAt.get(opened.id) ?? timeline.exitOf(process)
      if (end <= until) continue
      const text = `${opened.id} was served for ${Math.round(end - until)} ms too long after node ${node} was claimed`
      judgement.violated('R3', text, [first, opened])
    }
  }
}

/** Whether something has happened to a node alone, and not to Redis: when that was away, it was so for all. */
function wasInTrouble(timeline: Timeline, process: number, claimedAt: number): boolean {
  return (
    timeline.exitOf(process) < claimedAt ||
    timeline.troublesOf(process, claimedAt - 3 * LEASE, claimedAt).some(({ on }) => on === process)
  )
}

/** When a process could run, and reach Redis as usual, after a time. */
function freeAt(timeline: Timeline, process: number, from: number): number {
  let at = from
  for (;;) {
    const [trouble] = timeline.troublesOf(process, at, at)
    if (trouble === undefined) return at
    // Just after its recovery.
    at = trouble.to + RECOVERY + 1
  }
}
