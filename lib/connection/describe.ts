import type { FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import type { ConnectionDescription } from '../api/lifecycle.js'
import type { RecordedSubject } from '../facts/subjects.js'
import { namesOf, type Membership } from '../groups/membership.js'
import type { Reader } from '../messages/reader.js'
import type { Meter } from './meter.js'
import type { Shared } from './shared.js'

/** What is told of a connection. */
interface Described extends RecordedSubject {
  readonly isOpen: boolean
  readonly latency: number | undefined
  readonly membership: Membership | undefined
  readonly meter: Meter
  readonly phase: ConnectionDescription['state']
  readonly receivedAt: number
  readonly request: FastifyRequest
  readonly shared: Shared
  readonly socket: WebSocket
  readonly usedReader: Reader | undefined
}

/** A connection as a plain object. */
export function describeConnection(connection: Described): ConnectionDescription {
  const { id, isOpen, latency, meter, phase, receivedAt, request, routeUrl, shared, socket } =
    connection
  const { openedAt, duration } = meter.totals()
  const heardAt = shared.clock.wall() - (shared.sweep.forgivingNow - receivedAt)
  const { waiting = 0, bytes = 0 } = connection.usedReader?.inbox ?? {}
  return {
    id,
    route: routeUrl,
    state: phase,
    openedAt,
    lastReceivedAt: isOpen ? Math.max(openedAt, heardAt) : undefined,
    latency,
    remoteAddress: request.ip,
    groups: namesOf(connection.membership),
    inbox: { messages: waiting, bytes },
    outbox: { bytes: socket.bufferedAmount },
    session: undefined,
    history: shared.facts.histories.read(connection, shared.clock.now() - duration),
  }
}
