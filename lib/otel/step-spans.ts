import { context, trace, type Tracer } from '@opentelemetry/api'
import type { LifecycleTraces } from '../facts/events.js'
import type { Listening } from '../facts/listening.js'
import { ATTRIBUTE, WEBSOCKET } from './attributes.js'
import { CallSpans } from './call-spans.js'
import type { Connections } from './connections.js'
import type { EndSpans } from './end-spans.js'

type Step = LifecycleTraces['step']

/** A span for each hook and release, and for the messages that an end still handles. */
export class StepSpans {
  readonly #tracer: Tracer
  readonly #connections: Connections
  readonly #ends: EndSpans
  readonly #calls = new CallSpans<Step>()

  constructor(tracer: Tracer, connections: Connections, ends: EndSpans) {
    this.#tracer = tracer
    this.#connections = connections
    this.#ends = ends
  }

  listen(listening: Listening): void {
    const calls = this.#calls
    listening.onTrace('step', 'start', (call) => this.#began(call))
    listening.onTrace('step', 'error', (call) => {
      if (!this.#connections.isAbort(call.id, call.error)) calls.fail(call, call.error)
    })
    listening.onTrace('step', 'end', (call) => calls.returned(call))
    listening.onTrace('step', 'asyncEnd', (call) => calls.over(call))
    listening.onEvent('step.overran', ({ id, step }) => {
      const late = calls.of(id).find(({ name }) => name === step)
      if (late !== undefined) calls.leave(late)
    })
  }

  #began(call: Step): void {
    const { id, name, route } = call
    const active = context.active()
    const end = this.#ends.of(id)
    const links = end === undefined ? this.#connections.linksOf(id) : []
    const parent = end === undefined ? active : trace.setSpan(active, end)
    // A step of an upgrade is a part of it. One of a connection that is open is not: the upgrade may be old.
    const isAlone = links.length > 0
    const options = {
      root: isAlone,
      links,
      attributes: {
        [ATTRIBUTE.route]: route,
        [ATTRIBUTE.protocol]: WEBSOCKET,
        [ATTRIBUTE.connection]: isAlone ? id : undefined,
        [ATTRIBUTE.step]: name,
      },
    }
    const span = this.#tracer.startSpan(`WebSocket ${name} ${route}`.trimEnd(), options, parent)
    this.#calls.begin(call, span, parent)
  }
}
