import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import {
  type Attributes,
  context,
  createContextKey,
  type Link,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Tracer,
} from '@opentelemetry/api'
import type { LifecycleTraces } from '../facts/events.js'
import type { Listening } from '../facts/listening.js'
import { ATTRIBUTE } from './attributes.js'
import { fail, leaveRunner, pictureOf } from './call-spans.js'
import { extractSafely, type Parent } from './extract.js'

type Handshake = LifecycleTraces['handshake']

/**
 * Under this key of a context the instrumentations of OpenTelemetry say that a request has its span already.
 * `@fastify/otel` then makes no second one of the kind SERVER. It is a key of `@opentelemetry/core`, which an
 * app need not have.
 */
const RPC_METADATA = createContextKey('OpenTelemetry SDK Context Key RPC_METADATA')

/** A span for each upgrade request, until its answer. */
export class UpgradeSpans {
  readonly #tracer: Tracer
  /** By the id of an upgrade that has no answer yet. */
  readonly #pending = new Map<string, Span>()
  readonly #spans = new WeakMap<IncomingMessage, Span>()

  constructor(tracer: Tracer) {
    this.#tracer = tracer
  }

  listen(listening: Listening): void {
    listening.onTrace('handshake', 'start', (call) => this.#began(call))
    listening.onTrace('handshake', 'asyncEnd', (call) => this.#over(call))
    listening.onEvent('upgrade.refused', ({ id, reason }) => {
      this.#pending.get(id)?.setAttribute(ATTRIBUTE.refusal, reason)
    })
    listening.onEvent('callback.failed', ({ id, error }) => fail(this.#pending.get(id), error))
  }

  /**
   * An upgrade becomes a connection, or one of a session.
   * @returns a link to its span
   */
  opened({ raw }: { readonly raw: IncomingMessage }, id: string): Link | undefined {
    const span = this.#spans.get(raw)
    span?.setAttribute(ATTRIBUTE.connection, id)
    return span && { context: span.spanContext() }
  }

  #began(call: Handshake): void {
    const { id, request } = call
    const active = context.active()
    const isChild = isUnderWay(trace.getSpan(active))
    const { parent, problem }: Parent = isChild
      ? { parent: active }
      : extractSafely(trace.deleteSpan(active), request.headers)
    const kind = isChild ? SpanKind.INTERNAL : SpanKind.SERVER
    const method = String(request.method)
    const span = this.#tracer.startSpan(method, { kind, attributes: about(request) }, parent)
    if (problem !== undefined) span.recordException(pictureOf(problem))
    this.#pending.set(id, span)
    this.#spans.set(request, span)
    const current = trace.setSpan(parent, span)
    const inside = isChild ? current : current.setValue(RPC_METADATA, { type: 'http', span })
    leaveRunner(call, (go) => context.with(inside, go))
  }

  #over({ id, request, route, outcome, statusCode }: Handshake): void {
    const span = this.#pending.get(id)
    this.#pending.delete(id)
    if (route !== undefined) span?.updateName(`${request.method} ${route}`)
    span?.setAttributes({
      [ATTRIBUTE.route]: route,
      [ATTRIBUTE.status]: statusCode,
      [ATTRIBUTE.outcome]: outcome,
    })
    if (statusCode !== undefined && statusCode >= 500) {
      span?.setAttribute(ATTRIBUTE.errorType, String(statusCode))
      span?.setStatus({ code: SpanStatusCode.ERROR })
    }
    span?.end()
  }
}

/**
 * Whether a span is a parent. What has ended belongs to something else, such as the start of the server. (One
 * that is not sampled never records.)
 */
function isUnderWay(span: Span | undefined): boolean {
  if (span === undefined) return false
  return span.isRecording() || (span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0
}

function about(request: IncomingMessage): Attributes {
  const { method, url, httpVersion, headers } = request
  // The request of injectWS() has none.
  const socket = request.socket as Socket | undefined
  return {
    [ATTRIBUTE.method]: method,
    // A query may hold secrets.
    [ATTRIBUTE.path]: String(url).split('?', 1).join(),
    [ATTRIBUTE.scheme]: socket instanceof TLSSocket ? 'https' : 'http',
    [ATTRIBUTE.protocolVersion]: httpVersion,
    [ATTRIBUTE.peerAddress]: socket?.remoteAddress,
    [ATTRIBUTE.peerPort]: socket?.remotePort,
    [ATTRIBUTE.userAgent]: headers['user-agent'],
  }
}
