// An app with the page for operators, where uplot is not installed. Says what the registration said.
import Module from 'node:module'
import Fastify from 'fastify'
import { websocketDashboard } from '../../lib/dashboard/index.js'
import { createPlugin } from '../../lib/plugin/plugin.js'

/** What finds modules for `require.resolve()`. */
type Resolve = (this: unknown, name: string, ...others: unknown[]) => string

const original = Reflect.get(Module, '_resolveFilename') as Resolve
const resolve: Resolve = function (name, ...others) {
  if (name.startsWith('uplot/')) throw new Error(`Cannot find module '${name}'`)
  return original.call(this, name, ...others)
}
Reflect.set(Module, '_resolveFilename', resolve)

const app = Fastify()
await app.register(createPlugin())
try {
  await app.register(websocketDashboard, { authorize: () => true })
} catch (error) {
  const { code, message } = error as { code: string; message: string }
  process.stdout.write(`${code} ${message}\n`)
}
await app.close()
