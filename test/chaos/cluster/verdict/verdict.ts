import { type Entry, only } from '../ledger.js'
import { judgeClaims } from './claims.js'
import { judgeLosses } from './losses.js'
import { judgeGroups } from './groups.js'
import { Judgement } from '../../judgement.js'
import { judgeReleases } from './releases.js'
import { Timeline } from './timeline.js'

/** Whether the promises were kept, by what all processes have written down: in order. */
export function judge(entries: readonly Entry[]): Judgement {
  const judgement = new Judgement()
  const timeline = new Timeline(entries)
  const durable = only(entries, 'opened').filter(({ kind }) => kind !== 'device')
  const resumed = only(entries, 'resumed')
  judgement.count('101s on durable routes, seen by clients', only(entries, 'admitted').length)
  judgement.count('opened, as nodes say', durable.length)
  judgement.count('ended, as nodes say', only(entries, 'closed').length)
  judgeReleases(entries, timeline, judgement)
  judgement.count('resumes', resumed.length)
  judgement.count('resumes through another node', resumed.filter((each) => each.forwarded).length)
  judgement.count('places replaced', only(entries, 'replaced').length)
  judgeClaims(entries, timeline, judgement)
  judgeGroups(entries, timeline, judgement)
  judgeDevices(entries, judgement)
  judgeLosses(entries, timeline, judgement)
  judgement.count('groups closed', only(entries, 'closed all').length)
  judgement.count('times Redis lost data', timeline.losses.length)
  for (const fault of only(entries, 'fault')) judgement.violated('fault', fault.text, [fault])
  return judgement
}

/** The newest stay. */
function judgeDevices(entries: readonly Entry[], judgement: Judgement): void {
  for (const replaced of only(entries, 'replaced')) {
    if (!replaced.isNewest) continue
    judgement.violated('replace', `the newest of ${replaced.device} had to go`, [replaced])
  }
}
