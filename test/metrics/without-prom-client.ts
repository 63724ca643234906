// An app that asks for a registry of its own, where prom-client is not installed. Says what the registration said.
import { register } from 'node:module'
import Fastify from 'fastify'
import { createPlugin } from '../../lib/plugin/plugin.js'

const hook = `export async function resolve(name, context, next) {
  if (name === 'prom-client') throw new Error("Cannot find package 'prom-client'")
  return next(name, context)
}`
register(`data:text/javascript,${encodeURIComponent(hook)}`)
const { websocketMetrics } = await import('../../lib/metrics/index.js')

const app = Fastify()
await app.register(createPlugin())
try {
  await app.register(websocketMetrics, { endpoint: '/metrics' })
} catch (error) {
  process.stdout.write(`${String(error)}\n`)
}
await app.close()
