import { validateHeaderName, validateHeaderValue } from 'node:http'
import type { FastifyReply } from 'fastify'
import { cookiesOf } from '../platform/cookie-internals.js'

/**
 * Headers that the app may not set on a 101: those of the handshake itself (RFC 6455 §4.2.2), and those about
 * a body, because a 101 has none (RFC 9110 §15.2).
 */
const NOT_THEIRS = /^(?:content-.*|transfer-encoding|connection|upgrade|sec-websocket-.*)$/i

/**
 * The header lines of a 101 that the app's hooks have set on the reply.
 * @throws what node throws for a name or a value that may not be sent, and what @fastify/cookie throws for a
 * cookie
 */
export function handshakeHeaders(reply: FastifyReply): string[] {
  const lines: string[] = []
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value === undefined || NOT_THEIRS.test(name)) continue
    for (const one of [value].flat()) lines.push(line(name, one))
  }
  for (const cookie of cookiesOf(reply)) lines.push(line('set-cookie', cookie))
  return lines
}

function line(name: string, value: unknown): string {
  const text = String(value)
  validateHeaderName(name)
  validateHeaderValue(name, text)
  return `${name}: ${text}`
}
