// After Redis lost data, by a failover too, nodes write again what they hold: within a renewal.
import { type Entry, type Of, only } from '../ledger.js'
import { BEAT, RECOVERY } from '../timings.js'
import { groupBy, type Judgement } from '../../judgement.js'
import type { Timeline } from './timeline.js'

/** A client waits for up to 2 s before it connects again; and the machine is busy. */
const SLACK = 2_500

export function judgeLosses(
  entries: readonly Entry[],
  timeline: Timeline,
  judgement: Judgement,
): void {
  const ended = new Map(only(entries, 'ended').map(({ id, at }) => [id, at]))
  const durable = only(entries, 'opened').filter(({ kind }) => kind !== 'device')
  for (const [lostAt, looks] of groupBy(only(entries, 'records'), (look) => look.lostAt)) {
    const last = looks.at(-1) as Of<'records'>
    // Those that were there all the time, on nodes to which nothing else has happened.
    const expected = durable.filter(
      ({ at, id, process, node }) =>
        at < lostAt &&
        (ended.get(id) ?? Infinity) > last.at &&
        timeline.exitOf(process) > last.at &&
        timeline.nodeOf(process, last.at) === node &&
        timeline
          .troublesOf(process, lostAt - RECOVERY, last.at)
          .every(({ on, kind }) => on === 'all' && kind === 'redis down'),
    )
    judgement.count('records that were held when Redis lost data', expected.length)
    const missing = (look: Of<'records'>): number => {
      const ids = new Set(look.ids)
      return expected.filter(({ id }) => !ids.has(id)).length
    }
    judgement.max('most of them that were not there at first', missing(looks[0] as Of<'records'>))
    const whole = looks.find((look) => missing(look) === 0)
    if (whole !== undefined) {
      judgement.max('longest until all were there again, ms', whole.at - lostAt)
      if (whole.at - lostAt <= BEAT + SLACK) continue
    }
    const text = `${missing(last)} of ${expected.length} records are not there ${Math.round((whole ?? last).at - lostAt)} ms after Redis lost data`
    judgement.violated(
      'loss',
      text,
      expected.filter(({ id }) => !last.ids.includes(id)),
    )
  }
}
