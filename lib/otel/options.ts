import type { Context, MeterProvider, TracerProvider } from '@opentelemetry/api'
import type { LifecycleSession } from '../api/session.js'
import type { LifecycleSocket } from '../api/socket.js'

/** The options of `fastify-websocket-lifecycle/otel`. */
export interface WebsocketOtelOptions {
  /**
   * Who makes the spans.
   * @default the global tracer provider of `@opentelemetry/api`, also one that is set later
   */
  readonly tracerProvider?: TracerProvider
  /**
   * Who gets the metrics.
   * @default the global meter provider of `@opentelemetry/api`. It has to be there before the plugin is registered
   */
  readonly meterProvider?: MeterProvider
  /**
   * Whether there are metrics. Who has those of `fastify-websocket-lifecycle/metrics` needs them not twice.
   * @default true
   */
  readonly metrics?: boolean
  /**
   * Whether each call of `onMessage` gets a span.
   * @default true
   */
  readonly messages?: boolean
  /**
   * Says which trace a message belongs to, if its sender has put that into the message. Called before each
   * `onMessage`, synchronously. If it throws, the message is handled all the same: the error is an event of
   * its span.
   * @default none: the span of a message begins a trace, and has a link to the span of the upgrade
   * @param message what `onMessage` gets: a string, a Buffer, or the value that the schema describes
   * @param connection the socket or the session
   * @returns what your propagator reads, such as `{ traceparent: '00-...' }`; or a context of OpenTelemetry;
   * or nothing, if the message does not say. It may hold anything: what is no trace is not used.
   */
  extract?(
    this: void,
    message: unknown,
    connection: LifecycleSocket | LifecycleSession,
  ): Context | Readonly<Record<string, unknown>> | null | undefined
}
