import type { ConnectionDescription } from '../api/lifecycle.js'
import type { LifecycleSession } from '../api/session.js'
import type { LifecycleSocket } from '../api/socket.js'
import { cut } from '../facts/cut.js'
import type { LiveDetails, Row, RowNow } from './protocol.js'

/** A connection of the server, or a session. */
export type Who = LifecycleSocket | LifecycleSession

/** The most bytes of texts in JSON. Much of them comes from clients. */
export const MOST = {
  route: 200,
  address: 64,
  agent: 200,
  groups: 200,
  group: 100,
  origin: 200,
} as const
const MOST_GROUPS = 64

/** Nothing of it takes more than a byte in JSON. */
const PLAIN = /^[ !#-[\]-~]*$/

export function rowOf(who: Who, told: ConnectionDescription): Row {
  return [
    told.id,
    cut(told.route, MOST.route),
    addressOf(told.remoteAddress),
    agentOf(who),
    told.openedAt,
    nowOf(told, undefined, 0),
  ]
}

/**
 * @param before what was told of it before
 * @param newsAfter a frame is news if it came so many ms after the one that was told
 */
export function nowOf(
  told: ConnectionDescription,
  before: RowNow | undefined,
  newsAfter: number,
): RowNow {
  return [
    stateOf(told),
    heardAt(told.lastReceivedAt, before?.[1], newsAfter),
    round(told.latency),
    told.inbox.messages,
    told.outbox.bytes,
    told.session?.resumes ?? 0,
    short(told.groups.slice(0, MOST_GROUPS).join(', '), MOST.groups),
  ]
}

export function detailsOf(who: Who, told: ConnectionDescription): LiveDetails {
  const { id, openedAt, inbox, outbox, session, history = [] } = told
  return {
    id,
    route: cut(told.route, MOST.route),
    state: stateOf(told),
    address: addressOf(told.remoteAddress),
    agent: agentOf(who),
    origin: cut(who.request.headers.origin ?? '', MOST.origin),
    protocol: cut(who.protocol, MOST.origin),
    openedAt,
    heardAt: told.lastReceivedAt ?? null,
    latency: round(told.latency),
    inbox,
    outbox,
    groups: told.groups.slice(0, MOST_GROUPS).map((name) => cut(name, MOST.group)),
    resumes: session?.resumes ?? null,
    history,
  }
}

/** As `cut()`: this is asked for thousands of texts each second, and most of them are short and plain. */
function short(text: string, room: number): string {
  return text.length <= room && PLAIN.test(text) ? text : cut(text, room)
}

/** @param ip as Fastify has it: there is none behind a unix socket */
export function addressOf(ip: string | undefined): string {
  return short(ip ?? '', MOST.address)
}

export function agentOf({ request }: Who): string {
  return cut(request.headers['user-agent'] ?? '', MOST.agent)
}

function stateOf({ state }: Pick<ConnectionDescription, 'state'>): RowNow[0] {
  return state === 'ended' ? 'ending' : state
}

export function round(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms * 10) / 10
}

function heardAt(
  at: number | undefined,
  before: number | null | undefined,
  newsAfter: number,
): number | null {
  if (at === undefined) return null
  if (typeof before === 'number' && Math.abs(at - before) < newsAfter) return before
  return Math.round(at)
}
