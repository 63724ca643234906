import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import Fastify, { type FastifyInstance } from 'fastify'
import { serveFiles } from '../demo/files.js'
import type { Balancer } from './balancer.js'
import type { NodeProcess } from './nodes.js'
import type { Watch } from './watch.js'

const OWN_FILES = ['page.html', 'cluster.css', 'page.js', 'beats.js', 'nodes.js', 'tab.js']
const FILES_OF_THE_OTHER_DEMO = ['page.css', 'board.css', 'chat.css', 'icon.svg', 'make.js']

/** What stands before the nodes: the page, what its buttons do, and the balancer. */
export async function buildSite(
  nodes: readonly NodeProcess[],
  balancer: Balancer,
  watch: Watch,
): Promise<FastifyInstance> {
  const app = Fastify({ logger: { level: 'warn' }, forceCloseConnections: true })
  await app.register(async (page) =>
    serveFiles(page, [
      ...OWN_FILES.map((name) => new URL(name, import.meta.url)),
      ...FILES_OF_THE_OTHER_DEMO.map((name) => new URL(`../demo/${name}`, import.meta.url)),
    ]),
  )
  // A page of another site can post a text, but no JSON.
  app.removeContentTypeParser('text/plain')
  app.get('/board', () => watch.board())
  app.post<{ Body: { node: number } }>(
    '/kill',
    { schema: { body: bodyOf('node', { type: 'integer' }) } },
    ({ body }) => ({ killed: nodes.find(({ number }) => number === body.node)?.kill() ?? false }),
  )
  app.post<{ Body: { visitor: string } }>(
    '/cut',
    { schema: { body: bodyOf('visitor', { type: 'string' }) } },
    ({ body }) => ({ cut: balancer.cut(body.visitor) }),
  )
  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    void balancer.take(request, socket, head)
  })
  app.addHook('preClose', async () => {
    watch.close()
    balancer.close()
  })
  return app
}

function bodyOf(name: string, type: object): object {
  return { type: 'object', required: [name], properties: { [name]: type } }
}
