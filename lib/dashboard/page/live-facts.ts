import type { LiveDetails } from '../protocol.js'
import type { Entry } from './entry.js'
import type { Fact } from './facts.js'
import { age, bytesOf, dateOf, many, millis, NOTHING, plain } from './words.js'

/** What the table knows of a connection. */
export function factsOfEntry(entry: Entry, now: number): Fact[] {
  return [
    ['state', entry.state],
    ['route', entry.route],
    ['address', plain(entry.address)],
    ['agent', plain(entry.agent)],
    ['opened', dateOf(entry.openedAt)],
    ['open for', age(now - entry.openedAt)],
  ]
}

/** What the server tells of the one that is looked at. */
export function factsOfLive(live: LiveDetails, now: number): Fact[] {
  const { inbox, outbox, groups, resumes, heardAt } = live
  return [
    ['state', live.state],
    ['route', live.route],
    ['address', plain(live.address) || NOTHING],
    ['agent', plain(live.agent) || NOTHING],
    ['origin', plain(live.origin) || NOTHING],
    ['subprotocol', plain(live.protocol) || NOTHING],
    ['opened', dateOf(live.openedAt)],
    ['open for', age(now - live.openedAt)],
    ['last heard', heardAt === null ? NOTHING : `${age(now - heardAt)} ago`],
    ['latency', millis(live.latency)],
    ['not handled', `${many(inbox.messages, 'message')}, ${bytesOf(inbox.bytes)}`],
    ['not sent', bytesOf(outbox.bytes)],
    ['groups', groups.length === 0 ? 'none' : groups.map(plain).join(', ')],
    ['session', resumes === null ? 'none' : `came back ${many(resumes, 'time')}`],
  ].map(([name, value]): Fact => [name as string, value as string])
}
