import type { Judgement } from '../judgement.js'
import type { OpensStory } from './opens.js'
import type { Story } from './play.js'
import { growthOf, sum } from './verdict.js'

/** What happened, in numbers: for the table. */
export function countStorm(
  { after, outcome, calm, parts, warm }: Story,
  judgement: Judgement,
): void {
  const ledger = outcome.ledger ?? calm
  const { events, logged, stats, stalls } = ledger
  const ofAll = (of: (part: (typeof parts)[number]) => number): number =>
    parts.reduce((sum, part) => sum + of(part), 0)
  const sessions = ledger.sessions
  judgement.count('connections and sessions opened', stats.opened)
  judgement.count(
    'of healthy peers',
    ofAll(({ log }) => log.healthyOpened),
  )
  judgement.count(
    'answers that healthy peers checked',
    ofAll(({ log }) => log.answers),
  )
  judgement.count('calls of onClose', sum(ledger.closes))
  judgement.count('acquisitions', ledger.acquired)
  judgement.count('releases', ledger.released)
  judgement.count(
    'misbehaviours of peers',
    ofAll(({ log }) => sum(log.acts.all)),
  )
  judgement.count(
    'lines of sessions broken',
    ofAll(({ brokenLines }) => brokenLines),
  )
  judgement.count('sessions resumed', stats.sessions.resumed)
  judgement.count(
    'messages that sessions handled',
    sessions.reduce((n, s) => n + s.handled, 0),
  )
  judgement.count(
    'messages that sessions sent',
    sessions.reduce((n, s) => n + s.sent, 0),
  )
  judgement.count('times the loop stood still', stalls.count)
  judgement.count('ms in all', stalls.total)
  judgement.count('longest stall that the plugin told, ms', ledger.worst.lateness)
  judgement.count('longest time without a timer, ms', ledger.beat.gap)
  judgement.count('upgrades in that time', ledger.beat.requests)
  judgement.count('verdicts averted', events['verdict.averted'] ?? 0)
  judgement.count('errors thrown by hooks and releases', ledger.thrown)
  judgement.count('steps left behind', stats.abandoned)
  for (const [cause, n] of Object.entries(stats.closed))
    if (n > 0) judgement.count(`ended: ${cause}`, n)
  for (const [reason, n] of Object.entries(stats.refused)) judgement.count(`refused: ${reason}`, n)
  judgement.count(
    'healthy peers excused, as the runner stood still',
    ofAll(({ log }) => log.excused),
  )
  judgement.count(
    'most that the runner was late, ms',
    Math.max(...parts.map((part) => part.latest)),
  )
  judgement.count('lines logged', sum(logged))
  judgement.count('KiB of heap without code, and buffers after the first crowd', kib(warm))
  judgement.count('KiB of heap without code, and buffers after the storm', kib(after))
  judgement.count('ms of the drain', ledger.drain ?? 0)
  judgement.count('connections cut off by the drain', ledger.terminated ?? 0)
  judgement.count('ms from SIGTERM to the exit', outcome.took)
}

export function countOpens(story: OpensStory, judgement: Judgement): void {
  const { calm, looks, opens, took } = story
  const grown = growthOf(story)
  const since = opens - (looks[0]?.opened ?? 0)
  judgement.count('connections opened', opens)
  judgement.count('calls of onClose', sum(calm.closes))
  judgement.count('acquisitions', calm.acquired)
  judgement.count('releases', calm.released)
  for (const [cause, n] of Object.entries(calm.stats.closed)) {
    if (n > 0) judgement.count(`ended: ${cause}`, n)
  }
  judgement.count('in a second', Math.round(since / took))
  for (const { bytes, opened } of looks) {
    const name = `KiB of heap without code, and buffers after ${opened.toLocaleString('en')}`
    judgement.count(name, Math.round(bytes / 1024))
  }
  judgement.count('KiB that heap and buffers grew by', Math.round(grown / 1024))
  judgement.count('bytes of growth for each connection', Math.round((grown / since) * 100) / 100)
}

function kib({ buffers, heap }: { readonly buffers: number; readonly heap: number }): number {
  return Math.round((heap + buffers) / 1024)
}
