// A story in which all is well, for tests of the verdict.
import { CLOSE_CAUSES, type CloseCause } from '../../../lib/core/close/policy.js'
import { PeerLog } from './peers/world.js'
import type { Story } from './play.js'
import type { Measurement, ServerLedger } from './server/config.js'
import { PLACES, SHARED_PLACES } from './timings.js'

const NONE = { draining: 0, route: 0, origin: 0, limit: 0, key: 0, handshake: 0, hook: 0 }

/** Two connections on one route, one of which has left, and one was lost. */
export function ledger(others: Partial<ServerLedger> = {}): ServerLedger {
  const none = Object.fromEntries(CLOSE_CAUSES.map((cause) => [cause, 0])) as Record<
    CloseCause,
    number
  >
  const closed = { ...none, 'client-close': 1, 'connection-lost': 1 }
  const route = { open: 0, opened: 2, refused: NONE, closed, dropped: 0, abandoned: 0 }
  const sessions = { connected: 0, suspended: 0, resumed: 0, expired: 0, displaced: 0, stale: 0 }
  return {
    opens: { '/echo': 2 },
    closes: { '/echo': 2 },
    causes: { 'client-close': 1, 'connection-lost': 1 },
    unclosed: [],
    acquired: 4,
    released: 4,
    thrown: 1,
    heard: 1,
    hung: 0,
    stats: { ...route, sessions, byRoute: { '/echo': route } },
    events: {
      'connection.opened': 2,
      'connection.closing': 2,
      'connection.closed': 2,
      'connection.released': 2,
    },
    refused: {},
    overran: {},
    untold: [],
    metrics: { opened: 2, closed: 2 },
    spans: { started: 8, ended: 8 },
    sessions: [],
    cuts: [],
    stalls: { count: 0, total: 0 },
    worst: { lateness: 0 },
    beat: { gap: 0, requests: 0 },
    logged: {},
    faults: [],
    drain: 2_000,
    terminated: 0,
    ...others,
  }
}

export function measured(others: Partial<Measurement> = {}): Measurement {
  const resources = { TCPServerWrap: 1 }
  return {
    heap: 2e7,
    buffers: 1e5,
    resources,
    sockets: 0,
    left: [],
    open: {},
    opened: 2,
    ...others,
  }
}

/** What has been seen by peers. */
export function seen(see: (log: PeerLog) => void): Pick<Story, 'parts'> {
  const log = new PeerLog()
  see(log)
  return { parts: [{ name: 'storm', log, latest: 10, brokenLines: 0 }] }
}

export function story(others: Partial<Story> = {}): Story {
  return {
    fresh: measured(),
    warm: measured(),
    after: measured(),
    calm: ledger(),
    places: PLACES + SHARED_PLACES,
    ...seen(() => {}),
    outcome: { code: 0, signal: null, took: 3_000, ledger: ledger() },
    ...others,
  }
}
