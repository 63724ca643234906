import type { IncomingMessage } from 'node:http'
import type { FastifyBaseLogger } from 'fastify'
import type { LifecycleSession } from '../api/session.js'
import type { LifecycleSocket } from '../api/socket.js'
import type { Silence } from '../core/diagnosis/idle-cluster.js'
import type { RequestContext } from '../platform/context.js'

/** The connection or upgrade that a fact is about. */
export interface Subject {
  readonly id: string
  readonly log: FastifyBaseLogger
  readonly routeUrl: string
}

/** The connection or session that a fact is about, and whose history it may be noted in. */
export interface RecordedSubject extends Subject {
  /** The async context, which a session has in common with its connections. */
  readonly context: RequestContext
}

/** The upgrade that a fact is about. */
export interface UpgradeSubject extends Subject {
  readonly message: IncomingMessage
  /** The URL pattern of its route, `undefined` if the path belongs to none. */
  readonly pattern: string | undefined
}

/** The connection or session that a fact is about. */
export interface ConnectionSubject extends RecordedSubject {
  readonly face: LifecycleSocket | LifecycleSession
  /** The async context in which the app is called. */
  readonly context: RequestContext
}

/** The connection whose transport a fact is about. */
export interface TransportSubject extends Subject {
  readonly settings: { readonly keepalive: { readonly interval: number } | false }
  /** How long each side has sent nothing, in ms. */
  readonly silence: Silence
}
