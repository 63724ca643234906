import { context, type Span, trace, type Tracer } from '@opentelemetry/api'
import type { CloseInfo } from '../core/close/info.js'
import type { LifecycleEvents } from '../facts/events.js'
import type { Listening } from '../facts/listening.js'
import { ATTRIBUTE, WEBSOCKET } from './attributes.js'
import { fail, leaveRunner, pictureOf } from './call-spans.js'
import type { Connections } from './connections.js'

/**
 * A span for each end, from its first sign to the last release. It begins a trace: that of the upgrade may be
 * hours old.
 */
export class EndSpans {
  readonly #tracer: Tracer
  readonly #connections: Connections
  /** By the id of the connection or session that ends. */
  readonly #spans = new Map<string, Span>()

  constructor(tracer: Tracer, connections: Connections) {
    this.#tracer = tracer
    this.#connections = connections
  }

  listen(listening: Listening): void {
    listening.onEvent('connection.closing', (event) => this.#began(event))
    listening.onEvent('connection.closed', ({ id, close }) => this.#closed(id, close))
    listening.onEvent('callback.failed', ({ id, error }) => fail(this.#spans.get(id), error))
    listening.onEvent('connection.released', ({ id }) => {
      this.#spans.get(id)?.end()
      this.#spans.delete(id)
    })
  }

  /** The span of an end that has begun. */
  of(id: string): Span | undefined {
    return this.#spans.get(id)
  }

  #began(event: LifecycleEvents['connection.closing']): void {
    const { id, route } = event
    const span = this.#tracer.startSpan(`WebSocket end ${route}`, {
      root: true,
      links: this.#connections.linksOf(id),
      attributes: {
        [ATTRIBUTE.route]: route,
        [ATTRIBUTE.protocol]: WEBSOCKET,
        [ATTRIBUTE.connection]: id,
      },
    })
    this.#spans.set(id, span)
    // Listeners of the socket and of its signal, too, are called in the context of the upgrade.
    leaveRunner(event, (go) => context.with(trace.setSpan(context.active(), span), go))
  }

  #closed(id: string, { cause, initiator, code, clean, expected, error }: CloseInfo): void {
    const span = this.#spans.get(id)
    span?.setAttributes({
      [ATTRIBUTE.cause]: cause,
      [ATTRIBUTE.initiator]: initiator,
      [ATTRIBUTE.code]: code,
      [ATTRIBUTE.clean]: clean,
      [ATTRIBUTE.expected]: expected,
    })
    if (error === undefined) return
    // That a network breaks off is no failure of this server.
    if (cause === 'handler-error') fail(span, error)
    else span?.recordException(pictureOf(error))
  }
}
