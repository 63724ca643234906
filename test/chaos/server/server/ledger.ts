import type { FastifyInstance } from 'fastify'
import type { Registry } from 'prom-client'
import type { Tally } from '../tally.js'
import type { Accounts } from './accounts.js'
import type { Beat } from './beat.js'
import type { ServerLedger, SessionRecord } from './config.js'
import type { Storm } from './storm.js'
import type { Events, Telemetry } from './watching.js'

/** All that was counted. */
export interface Seen {
  readonly accounts: Accounts
  readonly app: FastifyInstance
  readonly beat: Beat
  readonly events: Events
  readonly logged: Tally
  readonly registry: Registry
  readonly sessions: () => readonly SessionRecord[]
  readonly storm: Storm
  readonly telemetry: Telemetry
}

export async function ledgerOf(seen: Seen): Promise<ServerLedger> {
  const { accounts, app, events, logged, registry, sessions, storm, telemetry } = seen
  const { acquired, released, thrown, heard, hung, faults } = accounts
  await telemetry.reader.collect()
  const { started, ended } = telemetry.spans
  return {
    opens: accounts.opens.all,
    closes: accounts.closes.all,
    causes: accounts.causes.all,
    unclosed: accounts.unclosed,
    acquired,
    released,
    thrown,
    heard,
    hung,
    stats: app.websocketLifecycle.stats(),
    events: events.counts.all,
    refused: events.refused.all,
    overran: events.overran.all,
    untold: events.untold,
    metrics: { opened: await sumOf(registry, 'opened'), closed: await sumOf(registry, 'closed') },
    spans: { started, ended },
    sessions: sessions(),
    cuts: accounts.cuts,
    stalls: { count: storm.stalls, total: Math.round(storm.stalled) },
    worst: events.worst,
    beat: { gap: seen.beat.gap, requests: seen.beat.requests },
    logged: logged.all,
    faults,
  }
}

/** Over all labels. */
async function sumOf(registry: Registry, what: string): Promise<number> {
  const metric = registry.getSingleMetric(`websocket_connections_${what}_total`)
  if (metric === undefined) return 0
  const { values } = await metric.get()
  return values.reduce((sum, { value }) => sum + value, 0)
}
