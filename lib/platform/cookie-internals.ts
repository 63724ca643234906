import type { FastifyInstance, FastifyReply } from 'fastify'

/** A cookie as @fastify/cookie keeps it, until its onSend hook makes a header of all. */
interface Cookie {
  readonly name: string
  readonly value: string
  readonly opts: object
}

/** What @fastify/cookie decorates an instance with. */
interface CookieInstance {
  readonly serializeCookie?: (name: string, value: string, options: object) => string
}

/**
 * What `reply.setCookie()` was given, as values of `Set-Cookie`. @fastify/cookie keeps it private until onSend, and a 101
 * has no onSend. test/company/cookies.test.ts pins it: if it moves, that test fails, and no cookie is found.
 */
export function cookiesOf(reply: FastifyReply): string[] {
  const server: FastifyInstance & CookieInstance = reply.server
  const headers: string[] = []
  if (server.serializeCookie === undefined) return headers
  for (const symbol of Object.getOwnPropertySymbols(reply)) {
    // Each copy of it that is installed has a symbol of its own.
    if (symbol.description !== 'fastify.reply.setCookies') continue
    const cookies = Reflect.get(reply, symbol) as ReadonlyMap<string, Cookie> | null
    for (const { name, value, opts } of cookies?.values() ?? []) {
      headers.push(server.serializeCookie(name, value, opts))
    }
  }
  return headers
}
