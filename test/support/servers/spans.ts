import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { context, type Context, trace } from '@opentelemetry/api'
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node'
import type { FastifyInstance } from 'fastify'
import otel, { type WebsocketOtelOptions } from '../../../lib/otel/index.js'
import { until } from '../time/timed.js'
import { type Connected, connectOne, type OneRoute, serve, type Setup } from './server.js'

const exporter = new InMemorySpanExporter()
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
// The provider, the context manager and the propagator of the whole process.
provider.register()

/** The tracer of an app. */
export const tracer = provider.getTracer('app')

/** The spans that have ended. */
export const spans = {
  get all(): ReadableSpan[] {
    return exporter.getFinishedSpans()
  },
  forget: (): void => exporter.reset(),
  get names(): string[] {
    return spans.all.map(({ name }) => name)
  },
  /** Those with a name, once there are so many. */
  async of(name: string, count = 1): Promise<ReadableSpan[]> {
    const found = (): ReadableSpan[] => spans.all.filter((span) => span.name === name)
    await until(() => found().length >= count)
    return found()
  },
  async one(name: string): Promise<ReadableSpan> {
    const [span] = await spans.of(name)
    assert.ok(span)
    return span
  },
}

/** The id of the span that is current here. */
export const currentId = (ctx: Context = context.active()): string | undefined =>
  trace.getSpanContext(ctx)?.spanId

export const idOf = (span: ReadableSpan): string => span.spanContext().spanId
export const traceOf = (span: ReadableSpan): string => span.spanContext().traceId
export const linksOf = ({ links }: ReadableSpan): string[] =>
  links.map(({ context: { spanId } }) => spanId)
export const eventsOf = ({ events }: ReadableSpan): unknown[] =>
  events.map(({ name, attributes }) => `${name}: ${attributes?.['exception.message']?.toString()}`)

/** Adds the plugin for spans to a server. */
export function withSpans<Server extends Setup>(
  setup: Server,
  options: WebsocketOtelOptions = {},
): Server {
  exporter.reset()
  return {
    ...setup,
    routes: (app) => {
      app.register(otel, options)
      setup.routes?.(app)
    },
  }
}

/** As `serve`, with the plugin for spans. */
export const serveTraced = async (
  t: TestContext,
  setup: Setup,
  options: WebsocketOtelOptions = {},
): Promise<FastifyInstance> => serve(t, withSpans(setup, options))

/** As `connectOne`, with the plugin for spans. */
export const connectTraced = async (
  t: TestContext,
  setup: OneRoute = {},
  options: WebsocketOtelOptions = {},
  headers: Record<string, string> = {},
): Promise<Connected> => connectOne(t, withSpans(setup, options), headers)
