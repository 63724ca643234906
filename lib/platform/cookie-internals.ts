import type { FastifyInstance, FastifyReply } from 'fastify'

/** A cookie as @fastify/cookie keeps it, until its onSend hook makes headers of all cookies. */
interface Cookie {
  readonly name: string
  readonly value: string
  readonly opts: object
}

/** The method that @fastify/cookie adds to an instance. */
interface CookieInstance {
  readonly serializeCookie?: (name: string, value: string, options: object) => string
}

/**
 * The cookies that `reply.setCookie()` was given, as values of `Set-Cookie`. @fastify/cookie keeps them
 * private until onSend, and a 101 has no onSend. test/company/cookies.test.ts pins this: if it changes, that
 * test fails, and no cookie is found.
 */
export function cookiesOf(reply: FastifyReply): string[] {
  const server: FastifyInstance & CookieInstance = reply.server
  const headers: string[] = []
  if (server.serializeCookie === undefined) return headers
  for (const symbol of Object.getOwnPropertySymbols(reply)) {
    // Each installed copy of @fastify/cookie has its own symbol.
    if (symbol.description !== 'fastify.reply.setCookies') continue
    const cookies = Reflect.get(reply, symbol) as ReadonlyMap<string, Cookie> | null
    for (const { name, value, opts } of cookies?.values() ?? []) {
      headers.push(server.serializeCookie(name, value, opts))
    }
  }
  return headers
}
