import type { Socket } from 'node:net'
import type { FastifyRequest } from 'fastify'
import type { CloseInfo, LifecycleSession } from 'fastify-websocket-lifecycle'
import type { Client, Ending, Gap, Load, RoomEvent, Row } from './events.js'
import { withoutPlugin } from './plain.js'

/** What the room knows of one client, over all of its connections. */
export class Member {
  readonly client: Client
  readonly session: LifecycleSession
  /** What ran at its end so far. */
  readonly steps: string[] = []
  /** The other side, where the room knows it. */
  peer: { readonly said: number } | undefined
  load: Load | undefined
  /** Messages. */
  handled = 0
  readonly #openedAt = performance.now()
  /** The TCP connection that it has now, or had last. */
  #tcp: Socket
  #heardAt = performance.now()
  #lostAt: number | undefined
  #gap: Gap | undefined
  #latency: number | undefined
  #pings = 0
  /** Messages that it has not confirmed. */
  #unconfirmed = 0

  constructor(client: Client, session: LifecycleSession) {
    this.client = client
    this.session = session
    this.#tcp = this.#connected(session.request)
    session.scope.signal.addEventListener('abort', () => this.steps.push('signal aborts'))
  }

  /** Of its TCP connection. */
  get port(): number {
    return this.#tcp.remotePort ?? 0
  }

  tell(what: RoomEvent): void {
    this.#unconfirmed++
    this.session.send(JSON.stringify(what), () => this.#unconfirmed--)
  }

  lost({ cause }: CloseInfo): void {
    const now = performance.now()
    this.#lostAt = now
    this.#gap = { cause, silentFor: now - this.#heardAt, suspendedFor: 0, replayed: undefined }
  }

  /** @param request of its new connection */
  back(request: FastifyRequest): void {
    this.#tcp = this.#connected(request)
    const gap = this.#gapNow()
    // What it had not received has left before this.
    this.#gap = gap && { ...gap, replayed: this.#unconfirmed }
    this.#lostAt = undefined
  }

  row(): Row {
    const now = performance.now()
    const { latency } = this.session
    if (latency !== undefined && latency !== this.#latency) this.#pings++
    this.#latency = latency
    return {
      client: this.client,
      openFor: now - this.#openedAt,
      silentFor: now - this.#heardAt,
      latency,
      pings: this.#pings,
      unhandled: this.peer && Math.max(0, this.peer.said - this.handled),
      isPaused: this.#tcp.isPaused(),
      unsent: this.#tcp.writableLength,
      gap: this.#gapNow(),
    }
  }

  /** To be asked when all is over. */
  ending(close: CloseInfo): Ending {
    const load = close.cause === 'client-close' ? this.load : undefined
    const { cause, code, reason, initiator, clean, expected, retryable, duration } = close
    return {
      client: this.client,
      at: close.openedAt + Math.round(performance.now() - this.#openedAt),
      cause,
      code,
      reason,
      sent: close.sent?.code,
      initiator,
      clean,
      expected,
      retryable,
      error: close.error?.message,
      duration,
      noticedAfter: this.#noticedAfter(close),
      load,
      messages: this.peer?.said ?? close.messagesReceived,
      handled: this.handled,
      steps: this.steps,
      plain: withoutPlugin(close, load),
    }
  }

  #connected({ raw }: FastifyRequest): Socket {
    const { socket } = raw
    this.#heardAt = performance.now()
    socket.on('data', () => (this.#heardAt = performance.now()))
    return socket
  }

  #gapNow(): Gap | undefined {
    if (this.#gap === undefined || this.#lostAt === undefined) return this.#gap
    return { ...this.#gap, suspendedFor: performance.now() - this.#lostAt }
  }

  /** A frame, a FIN or a RST speaks for itself; silence has to last before it says something. */
  #noticedAfter({ cause, initiator, duration }: CloseInfo): number | undefined {
    if (initiator === 'server') return undefined
    if (cause !== 'heartbeat-timeout') return 0
    const { silentFor } = this.#gap ?? {}
    return silentFor ?? Math.max(0, this.#openedAt + duration - this.#heardAt)
  }
}
