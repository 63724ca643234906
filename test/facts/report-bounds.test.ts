// However long the routes of an app are, and however much has happened: no report takes more than 1 kB.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import { deriveCloseInfo } from '../../lib/core/close/info.js'
import { CLOSE_CAUSES, type CloseCause, POLICY } from '../../lib/core/close/policy.js'
import { noteIn, readRing, type Ring } from '../../lib/core/diagnosis/history.js'
import type { CloseInfo } from '../../lib/index.js'
import { Facts } from '../../lib/facts/facts.js'
import { RequestContext } from '../../lib/platform/context.js'
import { FakeClock } from '../support/time/fake-clock.js'

/** As long as what pino adds by itself can be. */
const base = { pid: 4_194_304, hostname: 'h'.repeat(64) }

const ROUTES = ['"', 'ü', 'b', 'c'].map((letter, i) => `/${letter.repeat(600)}/${i}/:token`)

interface Reporting {
  readonly facts: Facts
  readonly clock: FakeClock
  readonly lines: string[]
  readonly app: FastifyInstance
}

function reporting(t: TestContext): Reporting {
  const lines: string[] = []
  const stream = { write: (line: string) => lines.push(line) }
  const app = Fastify({ logger: { level: 'trace', base, stream } })
  t.after(async () => app.close())
  const clock = new FakeClock()
  return { facts: new Facts(app, clock), clock, lines, app }
}

function closeOf(cause: CloseCause, history?: CloseInfo['history']): CloseInfo {
  const facts = {
    transportError: undefined,
    received: undefined,
    isSentHandedOver: false,
    openedAt: 1_700_000_000_000,
    duration: 1e9 + 0.123_456,
    messagesReceived: 0,
    messagesSent: 0,
    bytesReceived: 0,
    bytesSent: 0,
    latency: undefined,
    history,
  }
  return deriveCloseInfo({ cause, error: undefined, finished: false, sent: undefined }, facts, [])
}

const subject = ({ app }: Reporting, routeUrl: string) => ({
  id: '7fe07d58-21cc-4b0e-83f9-3a4eb7bda1d1',
  log: app.log,
  routeUrl,
  context: new RequestContext(),
  face: {} as never,
  settings: { keepalive: false } as const,
  silence: { received: 123_456.789, sent: 123_456.789, pinged: Infinity },
})

function assertBounded(lines: readonly string[], text: RegExp): void {
  const found = lines.filter((line) => text.test(line))
  assert.notEqual(found.length, 0, String(text))
  for (const line of found) assert.ok(Buffer.byteLength(line) <= 1_024, line)
}

test('the lines of a storm', async (t) => {
  const served = reporting(t)
  // All that may be logged as an end that nobody expects.
  const unexpected = CLOSE_CAUSES.filter((cause) => POLICY[cause].expected !== 'always')
  for (let round = 0; round < 7; round++) {
    for (let i = 0; i < 10_000; i++) {
      const cause = unexpected[i % unexpected.length] ?? 'connection-lost'
      const about = subject(served, ROUTES[i % ROUTES.length] ?? '')
      served.facts.connectionClosed(about, closeOf(cause))
    }
    await served.clock.advance(10_000)
  }
  served.facts.drainEnded(served.app.log, {
    closed: 0,
    terminated: 0,
    abandoned: [],
    duration: 0,
  })
  for (const text of [/many WebSocket/, /still end/, /no longer end/]) {
    assertBounded(served.lines, text)
  }
})

test('the lines of an idle timeout, of peers that are mute, and of a blocked loop', async (t) => {
  const served = reporting(t)
  const { facts, clock, lines } = served
  // A session that waits for its client outlives nothing, and neither does a connection of another route.
  const away = { routeUrl: ROUTES[0], silence: undefined, face: {}, isSparedBy: () => false }
  for (const each of [away, { ...away, routeUrl: '/other' }]) {
    facts.registry.connections.add(each as never)
  }
  for (let i = 0; i < 40; i++) {
    await clock.advance(5_000.5)
    const about = subject(served, ROUTES[i % ROUTES.length] ?? '')
    facts.transportGone(about, closeOf('connection-lost'))
    facts.transportGone(subject(served, ROUTES[0] ?? ''), closeOf('heartbeat-timeout'))
  }
  facts.loop.time(subject(served, ROUTES[0] ?? ''), `release ${'r'.repeat(600)}`, () =>
    clock.stall(60_000.123),
  )
  facts.loop.stalled(59_999.123_456)
  for (const text of [/cut off again/, /next to no/, /stood still/]) assertBounded(lines, text)
})

test('the line of a history', (t) => {
  const served = reporting(t)
  const ring: Ring = []
  for (let i = 0; i < 20; i++) noteIn(ring, 'suspected', 100 * 86_400_000 + i)
  served.facts.connectionClosed(
    subject(served, ROUTES[0] ?? ''),
    closeOf('server-close', readRing(ring, 0)),
  )
  assertBounded(served.lines, /the last facts/)
})
