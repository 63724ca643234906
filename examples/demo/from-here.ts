import type { FastifyRequest } from 'fastify'

const HERE = /^(?:127(?:\.\d+){3}|::1|::ffff:127(?:\.\d+){3})$/
/** A name of another site may lead here too: its pages would be let in. */
const NAMES = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/

/** Whether a request comes from this machine, and asks for it. */
export function isFromHere({ hostname, ip }: Pick<FastifyRequest, 'hostname' | 'ip'>): boolean {
  return HERE.test(ip) && NAMES.test(hostname)
}
