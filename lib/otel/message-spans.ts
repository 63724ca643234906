import { type Context, context, SpanKind, trace, type Tracer } from '@opentelemetry/api'
import type { LifecycleTraces } from '../facts/events.js'
import type { Listening } from '../facts/listening.js'
import { ignoreRejection } from '../platform/thenable.js'
import { toError } from '../platform/thrown.js'
import { ATTRIBUTE, WEBSOCKET } from './attributes.js'
import { CallSpans, pictureOf } from './call-spans.js'
import type { Connections } from './connections.js'
import { extractSafely, type Parent } from './extract.js'
import type { WebsocketOtelOptions } from './options.js'

type MessageCall = LifecycleTraces['message']
type Extract = WebsocketOtelOptions['extract']

/** A span for each call of `onMessage`. It begins a trace, unless the message says to which one it belongs. */
export class MessageSpans {
  readonly #tracer: Tracer
  readonly #connections: Connections
  readonly #extract: Extract
  readonly #calls = new CallSpans<MessageCall>()

  constructor(tracer: Tracer, connections: Connections, extract: Extract) {
    this.#tracer = tracer
    this.#connections = connections
    this.#extract = extract
  }

  listen(listening: Listening): void {
    const calls = this.#calls
    listening.onTrace('message', 'start', (call) => this.#began(call))
    listening.onTrace('message', 'error', (call) => {
      if (!this.#connections.isAbort(call.id, call.error)) calls.fail(call, call.error)
    })
    listening.onTrace('message', 'end', (call) => calls.returned(call))
    listening.onTrace('message', 'asyncEnd', (call) => calls.over(call))
    listening.onEvent('connection.released', ({ id }) => {
      for (const call of calls.of(id)) calls.leave(call)
    })
  }

  #began(call: MessageCall): void {
    const none = trace.deleteSpan(context.active())
    const { parent, problem } = this.#parentOf(call, none)
    try {
      this.#start(call, parent, problem)
    } catch (error) {
      // What `extract` has returned only looks like a context.
      this.#start(call, none, toError(error))
    }
  }

  #start(call: MessageCall, parent: Context, problem: Error | undefined): void {
    const { id, route } = call
    const span = this.#tracer.startSpan(
      `WebSocket message ${route}`,
      {
        // Nobody waits for an answer, as with a message of a queue.
        kind: SpanKind.CONSUMER,
        links: this.#connections.linksOf(id),
        attributes: {
          [ATTRIBUTE.route]: route,
          [ATTRIBUTE.protocol]: WEBSOCKET,
          [ATTRIBUTE.connection]: id,
        },
      },
      parent,
    )
    if (problem !== undefined) span.recordException(pictureOf(problem))
    this.#calls.begin(call, span, parent)
  }

  /** @param none the context of a message that belongs to no trace */
  #parentOf(call: MessageCall, none: Context): Parent {
    try {
      const carried = this.#extract?.(call.message, call.connection)
      ignoreRejection(carried)
      if (typeof carried !== 'object' || carried === null) return { parent: none }
      return isContext(carried) ? { parent: carried } : extractSafely(none, carried)
    } catch (error) {
      return { parent: none, problem: toError(error) }
    }
  }
}

function isContext(carried: object): carried is Context {
  return 'getValue' in carried && typeof carried.getValue === 'function'
}
