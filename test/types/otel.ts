// The plugin for OpenTelemetry.
import { ROOT_CONTEXT, trace } from '@opentelemetry/api'
import fastify from 'fastify'
import websocketLifecycle, {
  type LifecycleSession,
  type LifecycleSocket,
} from 'fastify-websocket-lifecycle'
import otel, { websocketOtel, type WebsocketOtelOptions } from 'fastify-websocket-lifecycle/otel'
import { exactly } from './exactly.js'

const app = fastify()
app.register(websocketLifecycle)
app.register(otel)
app.register(websocketOtel, {
  tracerProvider: trace,
  messages: false,
  extract: (message, connection) => {
    exactly<unknown>()(message)
    const one: LifecycleSocket | LifecycleSession = connection
    return one.id === '' ? ROOT_CONTEXT : undefined
  },
})
export const ofSchema: WebsocketOtelOptions = {
  extract: (message: { readonly trace?: Record<string, string> }) => message.trace,
}
export const ofHeaders: WebsocketOtelOptions = {
  extract: (_message, { request }) => request.headers,
}
// @ts-expect-error
export const unknownOption: WebsocketOtelOptions = { message: false }
// @ts-expect-error
export const notACarrier: WebsocketOtelOptions = { extract: () => 'traceparent' }
