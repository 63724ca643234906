/**
 * What the plugin tells through `node:diagnostics_channel`: the names of its channels, and what each of them
 * tells. This is a part of the public surface.
 */
import { channel, tracingChannel } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { DrainReport, RefusalReason } from '../api/lifecycle.js'
import type { LifecycleSession } from '../api/session.js'
import type { LifecycleSocket } from '../api/socket.js'
import type { CloseInfo } from '../core/close/info.js'
import type { CloseCause } from '../core/close/policy.js'
import type { Channels } from '../platform/traced.js'
import type { BlockingStep, IdleTimeoutReport, MutePeersReport, StormReport } from './reports.js'

/** What every event tells. The channels are those of the process, so all its servers share them. */
export interface ServerEvent {
  /** The instance on which the plugin was registered. */
  readonly app: FastifyInstance
}

/** What is told of an upgrade request. */
export interface UpgradeEvent extends ServerEvent {
  /** Names the upgrade. Its connection has an id of its own, and the same request: `connection.request.raw`. */
  readonly id: string
  readonly request: IncomingMessage
}

/** What is told of a connection. On a route with `resume`, of a session. */
export interface ConnectionEvent extends ServerEvent {
  /** `socket.id` or `session.id`. */
  readonly id: string
  /** The URL pattern of the route. `''` for the callback of an upgrade whose path belongs to no route. */
  readonly route: string
}

/** The same, with the connection itself. */
export interface LiveConnectionEvent extends ConnectionEvent {
  readonly connection: LifecycleSocket | LifecycleSession
}

/** One step of an end: the messages that were left, a hook, or a release. */
export interface EndStep {
  /** Such as `messages`, `onClose`, `release` and the name of the function. */
  readonly name: string
  /** How long it took, in ms. If it overran: until it was left behind. */
  readonly duration: number
  /** Whether it took too long and was left behind. */
  readonly overran: boolean
}

/**
 * The events, by name. The channel of an event is `fastify-websocket-lifecycle:` and its name. Listeners are
 * called at once, in the middle of what they hear of. Nothing is made for an event without a listener.
 */
export interface LifecycleEvents {
  /** An upgrade request has come that is for us. */
  'upgrade.started': UpgradeEvent
  /** We have refused one, or a hook did by `reply.refuseWebsocket()`. */
  'upgrade.refused': UpgradeEvent & {
    /** The URL pattern of the route; `undefined` if the path belongs to none. */
    readonly route: string | undefined
    readonly reason: RefusalReason
  }
  /** One is over, and nobody has answered: its client has gone, or a function that was given to ws has failed. */
  'upgrade.lost': UpgradeEvent & {
    /** As in `upgrade.refused`. */
    readonly route: string | undefined
  }
  /** A connection is open; its handler runs next. */
  'connection.opened': LiveConnectionEvent & { readonly request: FastifyRequest }
  /** Its end has begun. Exactly once, before `connection.closed`. */
  'connection.closing': LiveConnectionEvent & {
    /** Why it ends; `undefined` as long as that is not certain. */
    readonly cause: CloseCause | undefined
  }
  /** Its transport is gone. Messages, hooks and releases follow. */
  'connection.closed': LiveConnectionEvent & { readonly close: CloseInfo }
  /** Its last release has run. */
  'connection.released': LiveConnectionEvent & {
    /** In the order of their ends. */
    readonly steps: readonly EndStep[]
  }
  /** The connection of a session was lost. The session waits for its client. */
  'session.interrupted': ConnectionEvent & {
    /** How the connection was lost. */
    readonly close: CloseInfo
  }
  /** The client has come back to its session. */
  'session.resumed': ConnectionEvent & {
    /** The request that has brought it back. */
    readonly request: FastifyRequest
    /** `false`: its new connection has replaced one that was still there. */
    readonly wasInterrupted: boolean
  }
  /** A client has asked for its session, and does not get it. */
  'session.reset': ServerEvent & {
    /** The URL pattern of the route. */
    readonly route: string
    /**
     * - `unknown`: there is no such session (any more). The client begins a new one.
     * - `ended`: it has ended, and the client is told how.
     * - `stale`: another attempt, or another client, has it by now. The client is turned back.
     */
    readonly reason: 'unknown' | 'ended' | 'stale'
  }
  /** We do not read from the client any more for now. */
  'reading.paused': ConnectionEvent & {
    /** Whether the app has called `socket.pause()`, or too many messages wait to be handled. */
    readonly by: 'app' | 'inbox'
  }
  /** We read again. */
  'reading.resumed': ConnectionEvent & {
    /** How long we did not read, in ms. */
    readonly duration: number
  }
  /** The client has taken no byte for `outbox.maxAge`, although some wait. */
  'outbox.stuck': ConnectionEvent & {
    /** How many bytes wait. */
    readonly bytes: number
  }
  /** Messages were dropped: see `stats().dropped`. */
  'messages.dropped': ConnectionEvent & {
    readonly count: number
    readonly direction: 'received' | 'sent'
  }
  /** A ping of ours was sent. */
  'peer.pinged': ConnectionEvent
  /** The client has answered it. */
  'peer.ponged': ConnectionEvent & {
    /** The round trip in ms, also `socket.latency`. */
    readonly latency: number
  }
  /** Keepalive, or a limit of time, would have ended a connection. When it looked again, there was no reason. */
  'verdict.averted': ConnectionEvent & {
    /** With which cause it would have ended, such as `heartbeat-timeout`. */
    readonly cause: CloseCause
  }
  /** A callback of the app has thrown or rejected. */
  'callback.failed': ConnectionEvent & {
    /** Such as `handler`, `onMessage`, `onClose`, `listener`, `release` and the name of the function. */
    readonly step: string
    readonly error: Error
  }
  /** A step of an end has taken too long, and was left behind: the end goes on without it. */
  'step.overran': ConnectionEvent & {
    /** As in {@link EndStep}. */
    readonly step: string
  }
  /** The loop of this process has stood still, and served nobody. */
  'loop.stalled': ServerEvent & {
    /** For how long, in ms. */
    readonly lateness: number
    /** How many clients would be taken for dead if that time counted against them. */
    readonly postponed: number
    /** The function of the app that ran for most of that time; `undefined` if that is not known for certain. */
    readonly during: BlockingStep | undefined
  }
  /** The drain has begun. */
  'drain.begun': ServerEvent & {
    /** How many connections are there, open or ending. */
    readonly connections: number
  }
  /** All connections have ended. */
  'drain.ended': ServerEvent & { readonly report: DrainReport }
  /** Many connections end unexpectedly. Until that is over, their own lines in the log have the level debug. */
  'diagnosis.storm': ServerEvent & StormReport
  /** Something between us and the clients cuts off what is silent. */
  'diagnosis.idle-timeout': ServerEvent & IdleTimeoutReport
  /** The clients of a route do not answer pings. */
  'diagnosis.mute-peers': ServerEvent & MutePeersReport
}

/** The name of an event. */
export type LifecycleEventName = keyof LifecycleEvents

/**
 * What the tracing channels tell of. Their names are `fastify-websocket-lifecycle:` and these: give one of them to
 * `tracingChannel()` of `node:diagnostics_channel`. All five channels of a name get the same object. If a store is
 * bound to `start`, all that is called runs with it, also after an `await`.
 */
export interface LifecycleTraces {
  /** From an upgrade request to its answer, with the hooks of Fastify. It is over when `asyncEnd` is told. */
  handshake: UpgradeEvent & {
    /** The URL pattern of the route. Known at `asyncEnd`; `undefined` if the path belongs to none. */
    readonly route: string | undefined
    /** What has come of it. Known at `asyncEnd`. `answered`: the app has answered it in its own way. */
    readonly outcome: 'opened' | 'refused' | 'answered' | 'lost' | undefined
    /**
     * The HTTP status of its answer. Known at `asyncEnd`; `undefined` if there is none, or if the app has taken
     * the stream. If we refuse it and an error handler of the app answers, it may answer with another one.
     */
    readonly statusCode: number | undefined
  }
  /** A call of `onMessage`. */
  message: LiveConnectionEvent & {
    /** What `onMessage` gets. */
    readonly message: unknown
    /** What it has thrown or rejected with. */
    readonly error?: unknown
  }
  /** A hook or a release of a connection or an upgrade, or the messages that an end still handles. */
  step: ConnectionEvent & {
    /** As in {@link EndStep}. */
    readonly name: string
    /** What it has thrown or rejected with. */
    readonly error?: unknown
  }
}

/** Where an event is told. */
interface EventChannel<Event> {
  readonly hasSubscribers: boolean
  publish(event: Event): void
}

type EventChannels = { readonly [Name in LifecycleEventName]: EventChannel<LifecycleEvents[Name]> }

const PREFIX = 'fastify-websocket-lifecycle:'

const NAMES: Readonly<Record<LifecycleEventName, true>> = {
  'upgrade.started': true,
  'upgrade.refused': true,
  'upgrade.lost': true,
  'connection.opened': true,
  'connection.closing': true,
  'connection.closed': true,
  'connection.released': true,
  'session.interrupted': true,
  'session.resumed': true,
  'session.reset': true,
  'reading.paused': true,
  'reading.resumed': true,
  'outbox.stuck': true,
  'messages.dropped': true,
  'peer.pinged': true,
  'peer.ponged': true,
  'verdict.averted': true,
  'callback.failed': true,
  'step.overran': true,
  'loop.stalled': true,
  'drain.begun': true,
  'drain.ended': true,
  'diagnosis.storm': true,
  'diagnosis.idle-timeout': true,
  'diagnosis.mute-peers': true,
}

export const CHANNELS: EventChannels = Object.fromEntries(
  Object.keys(NAMES).map((name) => [name, channel(PREFIX + name)]),
) as unknown as EventChannels

export const TRACES: { readonly [Name in keyof LifecycleTraces]: Channels } = {
  handshake: tracingChannel(`${PREFIX}handshake`),
  message: tracingChannel(`${PREFIX}message`),
  step: tracingChannel(`${PREFIX}step`),
}
