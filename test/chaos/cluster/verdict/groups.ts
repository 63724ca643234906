// What is published reaches all who were there, or its node is named; and nobody finds who is not there.
import { type Entry, type Of, only } from '../ledger.js'
import { ANSWER, BEAT, LEASE, RECOVERY } from '../timings.js'
import type { Judgement } from '../../judgement.js'
import type { Timeline } from './timeline.js'

/** How long after its 101 a member is known to all, and how long a message takes on a busy machine. */
const SLACK = 1_000

export function judgeGroups(
  entries: readonly Entry[],
  timeline: Timeline,
  judgement: Judgement,
): void {
  const seen = only(entries, 'seen')
  const names = ['publishes', 'publishes that got to a member']
  for (const name of names) judgement.count(name, 0)
  for (const publish of only(entries, 'published')) {
    judgement.count('publishes')
    if (publish.error !== undefined) {
      judgement.count('publishes that were rejected')
      if (!isExcused(timeline, publish.by, publish)) {
        judgement.violated('publish', `rejected without a reason: ${publish.error}`, [publish])
      }
      continue
    }
    for (const member of seen) judgePublish(publish, member, timeline, judgement)
  }
  judgeOnce(seen, judgement)
  const lives = new Lives(entries)
  for (const found of only(entries, 'found')) judgeFound(found, lives, timeline, judgement)
}

function judgePublish(
  publish: Of<'published'>,
  member: Of<'seen'>,
  timeline: Timeline,
  judgement: Judgement,
): void {
  const { key, from, at, by, unreached } = publish
  const wasThere = member.openedAt + SLACK < from && member.upTo > at + SLACK
  if (member.key !== key || !wasThere) return
  if (member.publishes.includes(publish.publish)) {
    return judgement.count('publishes that got to a member')
  }
  const isNamed = unreached.some((node) => timeline.processOf(node) === member.of)
  if (isNamed) return judgement.count('publishes that did not, and its node was named')
  if (isExcused(timeline, member.of, publish) || isExcused(timeline, by, publish)) {
    return judgement.count('publishes that did not, and its node had lost Redis')
  }
  judgement.violated('publish', `${publish.publish} did not get to ${member.id}`, [publish, member])
}

/** While the lease of a node is over nobody knows of it. And after a loss it has to say once more what it has. */
function isExcused(
  timeline: Timeline,
  process: number,
  { from, at }: { readonly from: number; readonly at: number },
): boolean {
  return (
    timeline.isTroubled(process, from, at + SLACK) ||
    timeline.losses.some(({ to }) => to <= at && to + RECOVERY >= from)
  )
}

/** At most once to each, and in order for one publisher. */
function judgeOnce(seen: ReadonlyArray<Of<'seen'>>, judgement: Judgement): void {
  for (const member of seen) {
    if (new Set(member.publishes).size !== member.publishes.length) {
      judgement.violated('publish', `a message came twice to ${member.id}`, [member])
    }
    const newest = new Map<string, number>()
    for (const publish of member.publishes) {
      const [by = '', number] = publish.split('.')
      if (Number(number) < (newest.get(by) ?? 0)) {
        judgement.violated('publish', `${publish} came late to ${member.id}`, [member])
      }
      newest.set(by, Number(number))
    }
  }
}

/** Who was there, and when. */
class Lives {
  readonly #opened: Map<string, Of<'opened'>>
  readonly #ended: Map<string, number>
  readonly byKey = new Map<string, Array<Of<'opened'>>>()

  constructor(entries: readonly Entry[]) {
    const opened = only(entries, 'opened')
    this.#opened = new Map(opened.map((entry) => [entry.id, entry]))
    this.#ended = new Map(only(entries, 'ended').map(({ id, at }) => [id, at]))
    for (const entry of opened) {
      this.byKey.set(entry.key, [...(this.byKey.get(entry.key) ?? []), entry])
    }
  }

  /** Whether it was there all the time, or at least at a moment of it. */
  was(id: string, from: number, to: number): { always: boolean; once: boolean } {
    const openedAt = this.#opened.get(id)?.at ?? Infinity
    const endedAt = this.#ended.get(id) ?? Infinity
    return {
      always: openedAt < from && endedAt > to,
      once: openedAt - SLACK < to && endedAt + SLACK > from,
    }
  }
}

function judgeFound(
  found: Of<'found'>,
  lives: Lives,
  timeline: Timeline,
  judgement: Judgement,
): void {
  const { key, from, at, by } = found
  judgement.count('finds')
  if (found.error !== undefined) {
    judgement.count('finds that were rejected')
    if (isExcused(timeline, by, found)) return
    return judgement.violated('find', `rejected without a reason: ${found.error}`, [found])
  }
  if (at - from > ANSWER + SLACK && !isExcused(timeline, by, found)) {
    judgement.violated('find', `took ${Math.round(at - from)} ms`, [found])
  }
  for (const node of new Set([...found.found.map((each) => each.node), ...found.unreached])) {
    const process = timeline.processOf(node)
    if (process === undefined || !timeline.isSilent(process, from - LEASE - BEAT, at)) continue
    judgement.violated('find', `lists node ${node}, whose lease is over`, [found])
  }
  for (const { id } of found.found) {
    if (lives.was(id, from, at).once) continue
    judgement.violated('find', `lists ${id}, which was not there`, [found])
  }
  const ids = new Set(found.found.map(({ id }) => id))
  for (const opened of lives.byKey.get(key) ?? []) {
    const { id, node, process } = opened
    if (ids.has(id) || !lives.was(id, from - SLACK, at).always) continue
    if (timeline.exitOf(process) < at || found.unreached.includes(node)) continue
    if (isExcused(timeline, process, found) || isExcused(timeline, by, found)) {
      judgement.count('members that were not found, and their node had lost Redis')
      continue
    }
    judgement.violated('find', `misses ${id} of node ${node}`, [found, opened])
  }
}
