import type { IncomingMessage, Server } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { furtherServersOf } from '../platform/fastify-internals.js'

/**
 * Node 24.9 and later ask a server whether a request is an upgrade for it, before they read its body. Older ones
 * take each for an upgrade, if anybody listens. node's types do not have this.
 */
interface AskedServer extends Server {
  shouldUpgradeCallback?: (this: Server, message: IncomingMessage) => unknown
}

/**
 * Says which requests node has to serve as if they had not asked for an upgrade. Node 26 reads the body of an
 * upgrade itself, so later nobody can make a plain request of it.
 * @returns a function that stops this
 */
export function keepPlain(
  app: FastifyInstance,
  isPlain: (message: IncomingMessage) => boolean,
): () => void {
  const stops = [keepPlainOf(app.server, isPlain)]
  // Fastify has made these once it listens.
  app.addHook('onListen', async () => {
    stops.push(...furtherServersOf(app).map((server) => keepPlainOf(server, isPlain)))
  })
  return () => {
    for (const stop of stops) stop()
  }
}

function keepPlainOf(
  server: AskedServer,
  isPlain: (message: IncomingMessage) => boolean,
): () => void {
  const ask = server.shouldUpgradeCallback
  if (ask === undefined) return () => {}
  const askBoth = (message: IncomingMessage): boolean =>
    Boolean(ask.call(server, message)) && !isPlain(message)
  server.shouldUpgradeCallback = askBoth
  return () => {
    // Somebody may have replaced ours.
    if (server.shouldUpgradeCallback === askBoth) server.shouldUpgradeCallback = ask
  }
}
