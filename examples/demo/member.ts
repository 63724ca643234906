import type { CloseInfo, LifecycleSocket } from 'fastify-websocket-lifecycle'
import type { Client, Ending, Load, Row } from './events.js'
import { withoutPlugin } from './plain.js'

/** What the room knows of one connection. */
export class Member {
  readonly client: Client
  readonly socket: LifecycleSocket
  /** What ran at its end so far. */
  readonly steps: string[] = []
  /** The other side, where the room knows it. */
  peer: { readonly said: number } | undefined
  load: Load | undefined
  /** Messages. */
  handled = 0
  readonly #openedAt = performance.now()
  #heardAt = performance.now()
  #pings = 0

  constructor(client: Client, socket: LifecycleSocket) {
    this.client = client
    this.socket = socket
    socket.request.socket.on('data', () => (this.#heardAt = performance.now()))
    socket.on('pong', () => this.#pings++)
    socket.scope.signal.addEventListener('abort', () => this.steps.push('signal aborts'))
  }

  row(): Row {
    const now = performance.now()
    const { latency, isPaused, bufferedAmount: unsent } = this.socket
    return {
      client: this.client,
      openFor: now - this.#openedAt,
      silentFor: now - this.#heardAt,
      latency,
      pings: this.#pings,
      unhandled: this.peer && Math.max(0, this.peer.said - this.handled),
      isPaused,
      unsent,
    }
  }

  /** To be asked when all is over. */
  ending(close: CloseInfo): Ending {
    const load = close.cause === 'client-close' ? this.load : undefined
    const { cause, code, reason, initiator, clean, expected, retryable, duration } = close
    return {
      client: this.client,
      at: close.openedAt + Math.round(duration),
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

  /** A frame, a FIN or a RST speaks for itself; silence has to last before it says something. */
  #noticedAfter({ cause, initiator, duration }: CloseInfo): number | undefined {
    if (initiator === 'server') return undefined
    if (cause !== 'heartbeat-timeout') return 0
    return Math.max(0, this.#openedAt + duration - this.#heardAt)
  }
}
