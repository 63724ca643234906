import { validateHeaderName, validateHeaderValue } from 'node:http'
import type { FastifyReply } from 'fastify'
import { cookiesOf } from '../platform/cookie-internals.js'

/** What the handshake itself says (RFC 6455 §4.2.2), and what tells of a body, which a 101 has not (RFC 9110 §15.2). */
const NOT_THEIRS = /^(?:content-.*|transfer-encoding|connection|upgrade|sec-websocket-.*)$/i

/**
 * The lines of a 101 for what the app's hooks have set on the reply.
 * @throws what node throws for a name or a value that may not be sent, and what @fastify/cookie does for a cookie
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
