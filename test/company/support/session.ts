import cookie from '@fastify/cookie'
import session from '@fastify/session'
import type { FastifyInstance } from 'fastify'

/** Sessions that are known by a cookie, also without TLS. */
export async function addSessions(app: FastifyInstance): Promise<void> {
  await app.register(cookie)
  await app.register(session, {
    secret: 'a secret of at least 32 characters',
    cookie: { secure: false },
    saveUninitialized: false,
  })
}
