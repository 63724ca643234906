import { metrics, trace, type TracerProvider } from '@opentelemetry/api'
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { alreadyRegistered } from '../errors.js'
import { Listening } from '../facts/listening.js'
import { type Check, HOOK, withMethods } from '../options/check.js'
import { refuseUnknown } from '../options/complaints.js'
import { read } from '../options/group.js'
import { Connections } from './connections.js'
import { EndSpans } from './end-spans.js'
import { MessageSpans } from './message-spans.js'
import { giveMetrics } from './metrics.js'
import type { WebsocketOtelOptions } from './options.js'
import { StepSpans } from './step-spans.js'
import { UpgradeSpans } from './upgrade-spans.js'

/** Names the instrumentation in each span and metric. */
const SCOPE = 'fastify-websocket-lifecycle'

const WHERE = 'the options of fastify-websocket-lifecycle/otel'

const FLAG: Check = { expected: 'a boolean', accepts: (value) => typeof value === 'boolean' }

const CHECKS: Readonly<Record<keyof WebsocketOtelOptions, Check>> = {
  tracerProvider: withMethods('a tracer provider', 'getTracer'),
  meterProvider: withMethods('a meter provider', 'getMeter'),
  metrics: FLAG,
  messages: FLAG,
  extract: HOOK,
}

/** Servers that have this plugin: a second one would make each span twice. */
const taken = new WeakSet<FastifyInstance['server']>()

async function register(app: FastifyInstance, given: WebsocketOtelOptions): Promise<void> {
  refuseUnknown(given, Object.keys(CHECKS), '', WHERE)
  const options = read(given, CHECKS, '', WHERE)
  const { server } = app
  if (taken.has(server)) {
    throw alreadyRegistered(`${SCOPE}/otel was registered on this server before: register it once`)
  }
  const stopMetrics =
    options.metrics === false
      ? undefined
      : giveMetrics(app, (options.meterProvider ?? metrics).getMeter(SCOPE))
  const listening = new Listening(app)
  makeSpans(listening, options.tracerProvider ?? trace, options)
  taken.add(server)
  app.addHook('onClose', async () => {
    // Fastify calls this while connections still end. The drain has begun, and this is its report.
    void app.websocketLifecycle.drain().then(() => {
      listening.stop()
      stopMetrics?.()
      taken.delete(server)
    })
  })
}

function makeSpans(
  listening: Listening,
  provider: TracerProvider,
  { extract, messages = true }: WebsocketOtelOptions,
): void {
  const tracer = provider.getTracer(SCOPE)
  const upgrades = new UpgradeSpans(tracer)
  const connections = new Connections(upgrades)
  const ends = new EndSpans(tracer, connections)
  const parts = [upgrades, connections, ends, new StepSpans(tracer, connections, ends)]
  for (const part of parts) part.listen(listening)
  if (messages) new MessageSpans(tracer, connections, extract).listen(listening)
}

/**
 * The plugin that makes spans and metrics. Register it once for each server, after `fastify-websocket-lifecycle`.
 * @throws (rejects with) `FST_ERR_WSL_INVALID_OPTION`, `FST_ERR_WSL_ALREADY_REGISTERED`
 */
export const websocketOtel: FastifyPluginAsync<WebsocketOtelOptions> = fp(register, {
  name: 'fastify-websocket-lifecycle-otel',
  fastify: '5.x',
  dependencies: ['fastify-websocket-lifecycle'],
})
