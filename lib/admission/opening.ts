import type { IncomingMessage } from 'node:http'
import { ScopeKeeper } from '../callbacks/scope-keeper.js'
import { Connection } from '../connection/connection.js'
import type { Handover } from '../connection/handover.js'
import { LinkedConnection } from '../connection/linked-connection.js'
import { SessionConnection } from '../connection/session-connection.js'
import type { Shared } from '../connection/shared.js'
import { ConnectionSocket } from '../connection/socket.js'
import type { Occupant } from '../core/admission/succession.js'
import { FORGET_TOKEN, type Offer } from '../core/session/link.js'
import { rewatchRaw } from '../platform/raw-watcher.js'
import { RequestScope } from '../session/request-scope.js'
import { Session } from '../session/session.js'
import { closeUnseen } from './refusing.js'
import type { Resuming } from './resuming.js'
import { setHolder, type ScopeHolder } from './scope-holder.js'

/** An upgrade whose 101 has been sent. */
export interface Opening {
  readonly shared: Shared
  readonly message: IncomingMessage
  readonly handover: Handover
  readonly offer: Offer | undefined
}

/**
 * Makes the connection of an upgrade.
 * @param resuming on a route with `resume`
 * @returns who has its places from now on; `undefined` if the socket was closed, because the client asks for
 * a session that it cannot have
 */
export function openConnection(
  opening: Opening,
  socket: ConnectionSocket,
  resuming: Resuming | undefined,
): Occupant | undefined {
  const { handover, offer, shared } = opening
  const isLinked = offer?.answerTo(socket.protocol) !== undefined
  if (resuming?.isAsking === true) return goOn(opening, socket, resuming, isLinked)
  if (resuming !== undefined) return begin(opening, socket, resuming, isLinked)
  const connection = isLinked
    ? new LinkedConnection(shared, socket, handover)
    : new Connection(shared, socket, handover, undefined)
  handover.scope?.handTo(new ScopeKeeper(connection))
  attach(opening, socket, connection, connection)
  settle(opening, connection)
  shared.facts.connectionOpened(connection)
  if (connection instanceof LinkedConnection) connection.welcome(undefined)
  return connection
}

/** Makes who opens a member of the groups that its route names, and answerable for its record. */
function settle({ handover, shared }: Opening, who: Connection | Session): void {
  const { groups, hold } = handover
  for (const name of groups) shared.groups.get(name).join(who)
  if (hold === undefined) return
  hold.opened(who)
  who.scope.deferLast(function durable() {
    return hold.release()
  })
}

function begin(
  opening: Opening,
  socket: ConnectionSocket,
  { key, path, request: asked, settings: resume }: Resuming,
  isLinked: boolean,
): Session {
  const { handover, shared } = opening
  const start = { ...handover, key, path, isLinked, resume }
  const session = new Session(shared, socket, start, (made) => {
    const line = new SessionConnection(shared, socket, withoutClient(handover), made)
    attach(opening, socket, line, made)
    return line
  })
  if (asked !== undefined) shared.facts.sessionReset(handover.route.url, 'unknown')
  settle(opening, session)
  session.begin()
  return session
}

/** The connection goes on with a session, if it still may. */
function goOn(
  opening: Opening,
  socket: ConnectionSocket,
  resuming: Resuming,
  isLinked: boolean,
): Session | undefined {
  const { handover, shared } = opening
  const { grave, request: asked, session } = resuming
  resuming.over()
  const isWelcome = isLinked && asked && session?.mayResume(asked, socket.protocol) === true
  if (!isWelcome) {
    shared.facts.sessionReset(handover.route.url, grave === undefined ? 'stale' : 'ended')
    closeUnseen(socket, grave?.code ?? FORGET_TOKEN, grave?.reason ?? 'stale')
    return undefined
  }
  const { request, expiresAt } = handover
  const scope = new RequestScope(session, request.log, handover.scope)
  const line = new SessionConnection(shared, socket, withoutClient(handover), session, scope)
  attach(opening, socket, line, scope)
  session.goOn({ line, request, asked, expiresAt })
  return session
}

/** What the session has is not its connection's. */
function withoutClient(handover: Handover): Handover {
  return { ...handover, scope: undefined, slots: undefined }
}

function attach(
  { handover, message, shared }: Opening,
  socket: ConnectionSocket,
  connection: Connection,
  holder: ScopeHolder,
): void {
  setHolder(message, holder)
  rewatchRaw(handover.raw, connection)
  shared.sweep.add(connection)
  ConnectionSocket.attach(socket, connection)
}
