import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { pageFiles } from './files.js'
import { Guard } from './guard.js'
import { serveLive } from './live.js'
import { resolveDashboardOptions, type WebsocketDashboardOptions } from './options.js'

export type { WebsocketDashboardOptions } from './options.js'

async function dashboard(app: FastifyInstance, options: WebsocketDashboardOptions): Promise<void> {
  const { authorize } = resolveDashboardOptions(options)
  const guard = new Guard(app, authorize)
  // Later than hooks that find out who it is.
  app.addHook('preHandler', async (request, reply) => guard.refuseStrangers(request, reply))
  for (const [name, file] of await pageFiles()) {
    app.get(`/${name}`, async (request, reply) => {
      // The page names what is beside it, wherever that is: something in between may have changed the path.
      const beside = name === '' ? pathWithSlash(request.originalUrl) : undefined
      if (beside !== undefined) return reply.redirect(beside)
      return file.send(request, reply)
    })
  }
  serveLive(app, guard)
}

/** Where the page is, if this is its URL but for a slash at its end. */
function pathWithSlash(url: string): string | undefined {
  const [path] = url.split('?', 1) as [string]
  if (path.endsWith('/')) return undefined
  // With the dot no part of it is taken for a scheme or a host.
  return `./${path.slice(path.lastIndexOf('/') + 1)}/${url.slice(path.length)}`
}

/**
 * The plugin `fastify-websocket-lifecycle/dashboard`: a live page for operators. Register it after
 * `fastify-websocket-lifecycle`, with a `prefix`.
 * @throws (rejects with) `FST_ERR_WSL_INVALID_OPTION`, also if uPlot is not installed
 */
const plugin: FastifyPluginAsync<WebsocketDashboardOptions> = fp(dashboard, {
  name: 'fastify-websocket-lifecycle-dashboard',
  dependencies: ['fastify-websocket-lifecycle'],
  fastify: '5.x',
  encapsulate: true,
})

export { plugin as default, plugin as websocketDashboard }
