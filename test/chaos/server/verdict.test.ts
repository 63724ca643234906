import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SessionLog } from './peers/world.js'
import type { Story } from './play.js'
import type { ServerLedger, SessionRecord } from './server/config.js'
import { ledger, measured, seen, story } from './story.js'
import { judge, judgeOpens } from './verdict.js'

/** The violations of a story, a line for each. */
function violationsOf(others: Partial<Story>): string[] {
  return judge(story(others)).violations.map(({ rule, text }) => `${rule}: ${text}`)
}

/** Those of a story that ends with another ledger. */
function violationsWith(others: Partial<ServerLedger>): string[] {
  return violationsOf({
    outcome: { code: 0, signal: null, took: 3_000, ledger: ledger(others) },
  })
}

test('a story in which all is well has no violation', () => {
  assert.deepEqual(violationsOf({}), [])
})

test('an onClose that is missing, or comes twice, is a violation', () => {
  const [line] = violationsWith({ closes: { '/echo': 1 } })
  assert.equal(line, 'onClose: calls of onClose of /echo, at the end: expected 2, got 1')
  assert.equal(violationsWith({ closes: { '/echo': 3 } }).length, 1)
  assert.equal(violationsWith({ closes: { '/echo': 2, '/lines': 1 } }).length, 1)
  assert.equal(violationsWith({ unclosed: ['x'] }).length, 1)
})

test('a release that is missing is a violation', () => {
  const [line] = violationsWith({ released: 3 })
  assert.equal(line, 'releases: releases, at the end: expected 4, got 3')
})

test('a count of the plugin, an event, a metric or a span that differs is a violation', () => {
  const { events, stats } = ledger()
  const differing: ReadonlyArray<Partial<ServerLedger>> = [
    { stats: { ...stats, open: 1 } },
    { stats: { ...stats, sessions: { ...stats.sessions, suspended: 1 } } },
    { stats: { ...stats, refused: { ...stats.refused, origin: 1 } } },
    { events: { ...events, 'connection.released': 1 } },
    { untold: ['x'] },
    { metrics: { opened: 2, closed: 1 } },
    { spans: { started: 8, ended: 7 } },
    { causes: { 'client-close': 2 } },
    { faults: ['what came late was released twice'] },
  ]
  for (const one of differing) assert.ok(violationsWith(one).length > 0, JSON.stringify(one))
})

test('what a hook throws has to be heard, and only what hangs may be left behind', () => {
  assert.equal(violationsOf({ calm: ledger({ heard: 0 }) }).length, 1)
  assert.equal(violationsOf({ calm: ledger({ hung: 1 }) }).length, 1)
  const { stats } = ledger()
  const abandoned = { ...stats, abandoned: 1 }
  assert.deepEqual(
    violationsOf({ calm: ledger({ hung: 1, overran: { onClose: 1 }, stats: abandoned }) }),
    [],
  )
  assert.deepEqual(
    violationsOf({ calm: ledger({ overran: { messages: 1 }, stats: abandoned }) }),
    [],
  )
  assert.equal(
    violationsOf({ calm: ledger({ overran: { onClose: 1 }, stats: abandoned }) }).length,
    1,
  )
})

test('what a peer tells is a violation, and an upgrade without an answer', () => {
  const cut = 'echo-1, a healthy peer, was cut off: 1006'
  const [line] = violationsOf(seen((log) => log.fault(cut)))
  assert.equal(line, `peers: storm: ${cut}`)
  assert.equal(violationsOf(seen((log) => log.refused.add('no answer'))).length, 1)
})

test('a close frame without an end of that cause is a violation', () => {
  const [line] = violationsOf(seen((log) => log.codes.add('3008')))
  assert.equal(line, 'causes: close frames 3008: expected 0 at most, got 1')
  // It was said by the peer.
  const echoed = seen((log) => {
    log.acts.add('leaves with some code')
    log.codes.add('1001')
  })
  assert.deepEqual(violationsOf(echoed), [])
})

test('an end for which no peer has given a reason is a violation', () => {
  const { causes, stats } = ledger()
  const byRoute = stats.closed
  const closed = { ...byRoute, 'client-close': 0, 'rate-limited': 1 }
  const others = {
    causes: { 'connection-lost': causes['connection-lost'] ?? 0, 'rate-limited': 1 },
    stats: { ...stats, closed },
  }
  assert.deepEqual(violationsWith(others), [
    'causes: ends by rate-limited: expected 0 at most, got 1',
  ])
})

test('what is left is a violation: connections, sockets, handles, heap, places', () => {
  assert.equal(violationsOf({ after: measured({ left: ['the connection x'] }) }).length, 1)
  assert.equal(violationsOf({ after: measured({ sockets: 1 }) }).length, 1)
  assert.equal(violationsOf({ after: measured({ open: { '/echo': 1 } }) }).length, 1)
  const resources = { TCPServerWrap: 1, Timeout: 1 }
  assert.deepEqual(violationsOf({ after: measured({ resources }) }), [
    'handles: Timeout, after the storm: expected 0 at most, got 1',
  ])
  assert.equal(violationsOf({ after: measured({ heap: 2.5e7 }) }).length, 1)
  assert.equal(violationsOf({ places: 1 }).length, 1)
})

test('the server has to leave in time, by itself, with a ledger', () => {
  const well = story().outcome
  assert.equal(violationsOf({ outcome: { ...well, code: 1 } }).length, 1)
  assert.equal(violationsOf({ outcome: { ...well, code: null, signal: 'SIGKILL' } }).length, 1)
  assert.equal(violationsOf({ outcome: { ...well, took: 20_000 } }).length, 1)
  assert.equal(violationsOf({ outcome: { ...well, ledger: ledger({ drain: 6_500 }) } }).length, 1)
  const stood = { ...well, ledger: ledger({ drain: 6_500, stood: 600 }) }
  assert.deepEqual(violationsOf({ outcome: stood }), [])
  assert.ok(violationsOf({ outcome: { ...well, ledger: undefined } }).length > 0)
})

const CLIENT: SessionLog = {
  name: 's',
  sent: 5,
  received: 3,
  resumes: 1,
  undelivered: 0,
  isDrained: false,
}
const RECORD = { name: 's', sent: 3, handled: 5, resumes: 1, unacknowledged: 0 } as const

function sessionViolations(client: SessionLog, ...sessions: SessionRecord[]): string[] {
  const parts = seen((log) => log.sessions.push(client))
  const outcome = { ...story().outcome, ledger: ledger({ sessions }) }
  return violationsOf({ ...parts, outcome })
}

test('a session has lost nothing, got nothing twice, and knows what was not delivered', () => {
  const well = { ...RECORD, cause: 'client-close' }
  assert.deepEqual(sessionViolations(CLIENT, well), [])
  assert.equal(sessionViolations(CLIENT, { ...well, handled: 4 }).length, 1)
  assert.equal(sessionViolations(CLIENT, { ...well, sent: 4 }).length, 1)
  assert.equal(sessionViolations(CLIENT, { ...well, unacknowledged: 1 }).length, 1)
  assert.equal(sessionViolations(CLIENT, well, well).length, 1)
  const drained = { ...CLIENT, isDrained: true, undelivered: 2 }
  assert.deepEqual(sessionViolations(drained, { ...RECORD, handled: 3, cause: 'shutdown' }), [])
  assert.equal(sessionViolations(drained, { ...RECORD, handled: 4, cause: 'shutdown' }).length, 1)
})

test('a session that was lost before its client knew of it is none', () => {
  const orphan = { name: 's', sent: 1, handled: 0, resumes: 0, cause: 'connection-lost' }
  assert.deepEqual(sessionViolations(CLIENT, orphan, { ...RECORD, cause: 'client-close' }), [])
})

test('of very many connections the heap must not grow', () => {
  const looks = [
    { opened: 1, bytes: 2e7 },
    { opened: 2, bytes: 2e7 + 1e5 },
  ]
  const { after, calm, fresh, outcome } = story()
  const well = { opens: 2, looks, after, calm, fresh, outcome, faults: [], took: 1 }
  assert.deepEqual(judgeOpens(well).violations, [])
  const grown = [...looks, { opened: 2, bytes: 2.5e7 }]
  assert.equal(judgeOpens({ ...well, looks: grown }).violations.length, 1)
  assert.equal(judgeOpens({ ...well, faults: ['connection 1 did not open'] }).violations.length, 1)
  assert.equal(judgeOpens({ ...well, opens: 3 }).violations.length, 1)
})
