import { readFile } from 'node:fs/promises'
import { basename, extname } from 'node:path'
import type { FastifyInstance } from 'fastify'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** A page loads nothing but these files, and makes no element out of text. */
const HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; '),
  'cache-control': 'no-cache',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

/** Serves the files of a page by their names, its HTML as `/`, and the package's client beside them. */
export async function serveFiles(app: FastifyInstance, files: readonly URL[]): Promise<void> {
  app.addHook('onSend', async (_request, reply) => {
    reply.headers(HEADERS)
  })
  const client = new URL(import.meta.resolve('fastify-websocket-lifecycle/client'))
  for (const file of [...files, client]) {
    const name = basename(file.pathname)
    const body = await readFile(file)
    const type = TYPES[extname(name)]
    app.get(name.endsWith('.html') ? '/' : `/${name}`, (_request, reply) =>
      reply.type(type ?? 'text/plain').send(body),
    )
  }
}
