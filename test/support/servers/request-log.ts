import Fastify, { type FastifyRequest, type FastifyServerOptions } from 'fastify'

/** Whether this Fastify can leave single requests out of its log: a LogController came with 5.10. */
export const isSelective: boolean = 'LogController' in Fastify

/** What stood for a LogController before there was one: it leaves out all requests, or none. */
const WITHOUT_ALL = { disableRequestLogging: true }

/** Options by which Fastify leaves these requests out of its log; all of them where it cannot choose. */
export function withoutRequests(
  isLeftOut: (request: FastifyRequest) => boolean,
): FastifyServerOptions {
  if (!isSelective) return WITHOUT_ALL
  return { logController: new Fastify.LogController({ disableRequestLogging: isLeftOut }) }
}
