// Whether the promises were kept, by what the server has counted and what its peers have seen.
import { CLOSE_CAUSES } from '../../../lib/core/close/policy.js'
import { Judgement } from '../judgement.js'
import type { OpensStory } from './opens.js'
import type { Part, Story } from './play.js'
import type { Counts, Measurement, ServerLedger, SessionRecord } from './server/config.js'
import { DRAIN_TIMEOUT, LONGEST_STALL, PLACES, SHARED_PLACES } from './timings.js'

/** How much the heap may have grown after a storm of any length, in bytes: maps that grew, and what V8 knows of types. */
const MOST_GROWTH = 4 * 1024 * 1024
/** How long after `drain.timeout` all is over, in ms. */
const DRAIN_SLACK = 1_000
/** The signal may come while the loop stands still, and what the app does late keeps the process, on a busy machine. */
const EXIT_SLACK = LONGEST_STALL + 4_000

/** The step of an end in which messages are handled that came before. */
const MESSAGES = 'messages'

/** Which ends, and which refusals, send a close frame of this code. (Apps and peers send others.) */
const CAUSES_OF_CODES: Readonly<Record<string, readonly string[]>> = {
  '1001': ['lifetime-expired'],
  '1002': ['protocol-error'],
  '1007': ['protocol-error'],
  '1008': ['rate-limited', 'protocol-error'],
  '1009': ['message-too-big'],
  '1011': ['handler-error'],
  '1012': ['shutdown'],
  '1013': ['slow-consumer', 'limit'],
  '3008': ['idle-timeout'],
  '4409': ['replaced', 'key'],
}

/** What peers have to do for an end of this cause: it is no more frequent than these. */
const ACTS_OF_CAUSES: Readonly<Record<string, readonly string[]>> = {
  'message-too-big': ['sends too much', 'sends garbage', 'sends what cannot be unpacked'],
  'rate-limited': ['floods', 'reads nothing of much', 'resets while it sends'],
}

export function judge(story: Story): Judgement {
  const judgement = new Judgement()
  const { calm, outcome, parts } = story
  const ledger = outcome.ledger ?? calm
  for (const part of parts) judgePeers(part, ledger, judgement)
  judgeCounts(calm, 'when all had left', judgement)
  judgeCounts(ledger, 'at the end', judgement)
  judgeSteps(calm, judgement)
  judgeCauses(ledger, parts, judgement)
  judgeSessions(ledger, parts, judgement)
  judgeRest(story, judgement)
  judgeOutcome(story, judgement)
  for (const fault of ledger.faults) judgement.violated('server', fault)
  return judgement
}

/** Below that what V8 learns of types is more than what connections could leave. */
const LEAST_OPENS = 500_000
/** How much a million connections may leave behind, in bytes. */
const MOST_PER_MILLION = 2 * 1024 * 1024

/** Whether nothing of very many connections has stayed. */
export function judgeOpens(story: OpensStory): Judgement {
  const judgement = new Judgement()
  const { after, calm, faults, fresh, opens, outcome } = story
  for (const fault of [...faults, ...calm.faults]) judgement.violated('opens', fault)
  judgeCounts(calm, 'when all had left', judgement)
  expect(judgement, 'opens', 'connections opened', opens, calm.stats.opened)
  judgeResources(fresh, after, 'at the end', judgement)
  const grown = growthOf(story)
  const most = (MOST_PER_MILLION * Math.max(opens, LEAST_OPENS)) / 1e6
  if (grown > most) {
    judgement.violated('heap', `bytes grown: expected ${most} at most, got ${grown}`)
  }
  expect(judgement, 'exit', 'exit code', 0, outcome.code ?? outcome.signal)
  return judgement
}

/** Bytes that heap and buffers have grown by, from the first look to the last. */
export function growthOf({ looks }: Pick<OpensStory, 'looks'>): number {
  return (looks.at(-1)?.bytes ?? 0) - (looks[0]?.bytes ?? 0)
}

/** One line: what was expected, and what came. */
function expect(
  judgement: Judgement,
  rule: string,
  what: string,
  expected: unknown,
  got: unknown,
): void {
  const [one, other] = [JSON.stringify(expected), JSON.stringify(got)]
  if (one !== other) judgement.violated(rule, `${what}: expected ${one}, got ${other}`)
}

export function sum(counts: Counts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}

function judgePeers({ name, log }: Part, { cuts }: ServerLedger, judgement: Judgement): void {
  for (const fault of log.faults) {
    const evidence = cuts.filter(({ who }) => fault.includes(who))
    judgement.violated('peers', `${name}: ${fault}`, evidence)
  }
  const unanswered = log.refused.of('no answer')
  expect(judgement, 'peers', `${name}: upgrades that were not answered`, 0, unanswered)
}

/** As many ends as opens, as many releases as acquisitions; and all who count say the same. */
function judgeCounts(ledger: ServerLedger, when: string, judgement: Judgement): void {
  const { acquired, causes, closes, events, metrics, opens, released, spans, stats } = ledger
  const same = (rule: string, what: string, expected: unknown, got: unknown): void =>
    expect(judgement, rule, `${what}, ${when}`, expected, got)
  for (const route of new Set([...Object.keys(opens), ...Object.keys(closes)])) {
    same('onClose', `calls of onClose of ${route}`, opens[route] ?? 0, closes[route] ?? 0)
    const { opened = 0 } = stats.byRoute[route] ?? {}
    same('stats', `opened of ${route}`, opens[route] ?? 0, opened)
  }
  same('onClose', 'connections without onClose', [], ledger.unclosed)
  same('releases', 'releases', acquired, released)
  same('stats', 'connections that are open', 0, stats.open)
  same('stats', 'ends by cause', stats.opened, sum(stats.closed))
  const { connected, suspended } = stats.sessions
  same('stats', 'sessions', { connected: 0, suspended: 0 }, { connected, suspended })
  const moments = ['opened', 'closing', 'closed', 'released'] as const
  for (const moment of moments) {
    same('events', `events of ${moment}`, stats.opened, events[`connection.${moment}`] ?? 0)
  }
  same('events', 'connections that have not told all', [], ledger.untold)
  for (const [reason, count] of Object.entries(stats.refused)) {
    same('events', `refusals by ${reason}`, count, ledger.refused[reason] ?? 0)
  }
  same('metrics', 'opened', stats.opened, metrics.opened)
  same('metrics', 'closed', stats.opened, metrics.closed)
  same('spans', 'ended', spans.started, spans.ended)
  // The page for operators has a handler and ends of its own.
  const { closed } = stats
  for (const cause of CLOSE_CAUSES) {
    const ofPage = stats.byRoute['/admin/live']?.closed[cause] ?? 0
    same('stats', `ends by ${cause}`, (causes[cause] ?? 0) + ofPage, closed[cause])
  }
}

/** Steps that hang are left behind, and no others; and each error of a hook is heard. */
function judgeSteps(calm: ServerLedger, judgement: Judgement): void {
  const { heard, hung, overran, stats, thrown } = calm
  expect(judgement, 'errors', 'errors of hooks that onHandlerError heard', thrown, heard)
  // Messages that wait may be many, and each may take its time.
  const { [MESSAGES]: _, ...others } = overran
  expect(judgement, 'steps', 'hooks and releases left behind', hung, sum(others))
  expect(judgement, 'steps', 'steps left behind', sum(overran), stats.abandoned)
}

/** Each close frame that a peer has seen is one of an end of that cause. */
function judgeCauses(ledger: ServerLedger, parts: readonly Part[], judgement: Judgement): void {
  const { closed, refused } = ledger.stats
  const known: Counts = { ...closed, limit: refused.limit, key: refused.key }
  for (const [code, causes] of Object.entries(CAUSES_OF_CODES)) {
    const seen = total(parts, ({ log }) => log.codes.of(code))
    const most = causes.reduce((sum, cause) => sum + (known[cause] ?? 0), 0)
    // Peers that say so themselves get it back.
    const echoed = code === '1001' || code === '1011' || code === '1012'
    const bound = echoed ? most + total(parts, acts('leaves with some code')) : most
    if (seen <= bound) continue
    judgement.violated('causes', `close frames ${code}: expected ${bound} at most, got ${seen}`)
  }
  for (const [cause, names] of Object.entries(ACTS_OF_CAUSES)) {
    const most = names.reduce((sum, name) => sum + total(parts, acts(name)), 0)
    const count = known[cause] ?? 0
    if (count <= most) continue
    judgement.violated('causes', `ends by ${cause}: expected ${most} at most, got ${count}`)
  }
}

const acts =
  (name: string) =>
  ({ log }: Part): number =>
    log.acts.of(name)

function total(parts: readonly Part[], of: (part: Part) => number): number {
  return parts.reduce((sum, part) => sum + of(part), 0)
}

/** Nothing lost, nothing twice, and each knows of the other what it has got. */
function judgeSessions(ledger: ServerLedger, parts: readonly Part[], judgement: Judgement): void {
  const same = (what: string, expected: unknown, got: unknown): void =>
    expect(judgement, 'sessions', what, expected, got)
  for (const log of parts.flatMap((part) => part.log.sessions)) {
    // The client never heard of a session that was lost at once, and the server handled nothing of it.
    const records = ledger.sessions.filter(({ name }) => name === log.name).filter(isReal)
    const [record, ...others] = records
    if (others.length > 0) same(`sessions of ${log.name}`, 1, records.length)
    if (record === undefined) continue
    const { cause, handled, sent } = record
    if (log.isDrained) same(`${log.name}: not delivered`, log.sent - handled, log.undelivered)
    else if (cause === 'client-close') {
      same(`${log.name}: handled`, log.sent, handled)
      same(`${log.name}: received`, sent, log.received)
      same(`${log.name}: not confirmed`, 0, record.unacknowledged)
    }
  }
}

function isReal({ cause, handled, resumes }: SessionRecord): boolean {
  const isLost = cause !== 'client-close' && cause !== 'shutdown'
  return !isLost || handled > 0 || resumes > 0
}

/** The heap is back, and whatever keeps a process alive. */
function judgeRest({ after, fresh, places, warm }: Story, judgement: Judgement): void {
  for (const [when, one] of [
    ['after the first crowd', warm],
    ['after the storm', after],
  ] as const) {
    judgeResources(fresh, one, when, judgement)
  }
  const grown = after.heap + after.buffers - warm.heap - warm.buffers
  if (grown > MOST_GROWTH) {
    const text = `bytes that the heap has grown by: expected ${MOST_GROWTH} at most, got ${grown}`
    judgement.violated('heap', text)
  }
  expect(judgement, 'places', 'places that are free', PLACES + SHARED_PLACES, places)
}

function judgeResources(
  fresh: Measurement,
  now: Measurement,
  when: string,
  judgement: Judgement,
): void {
  expect(judgement, 'left', `what is left, ${when}`, [], now.left)
  expect(judgement, 'left', `connections that are open, ${when}`, {}, now.open)
  expect(judgement, 'handles', `sockets of the server, ${when}`, 0, now.sockets)
  for (const [type, count] of Object.entries(now.resources)) {
    const before = fresh.resources[type] ?? 0
    if (count <= before) continue
    const text = `${type}, ${when}: expected ${before} at most, got ${count}`
    judgement.violated('handles', text)
  }
}

/** The server leaves in time, and by itself. */
function judgeOutcome({ outcome }: Story, judgement: Judgement): void {
  const { code, ledger, signal, took } = outcome
  expect(judgement, 'exit', 'exit code', 0, code ?? signal)
  if (ledger === undefined) judgement.violated('exit', 'expected a ledger, got none')
  const drain = ledger?.drain ?? Infinity
  const most = DRAIN_TIMEOUT + DRAIN_SLACK + (ledger?.stood ?? 0)
  if (drain > most) {
    judgement.violated('exit', `ms of app.close(): expected ${most} at most, got ${drain}`)
  }
  if (took > most + EXIT_SLACK) {
    const text = `ms from SIGTERM to the exit: expected ${most + EXIT_SLACK} at most, got ${took}`
    judgement.violated('exit', text)
  }
}
