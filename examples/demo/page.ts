import { readFile } from 'node:fs/promises'
import type { FastifyInstance } from 'fastify'
import { readSource } from './source.js'

const TYPES = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
}

/** All that the page is made of. */
const FILES = [
  { name: 'page', type: 'html' },
  { name: 'page', type: 'css' },
  { name: 'acts', type: 'css' },
  { name: 'board', type: 'css' },
  { name: 'ending', type: 'css' },
  { name: 'chat', type: 'css' },
  { name: 'page', type: 'js' },
  { name: 'beside', type: 'js' },
  { name: 'board', type: 'js' },
  { name: 'chat', type: 'js' },
  { name: 'connection', type: 'js' },
  { name: 'ending', type: 'js' },
  { name: 'endings', type: 'js' },
  { name: 'example', type: 'js' },
  { name: 'make', type: 'js' },
  { name: 'route', type: 'js' },
  { name: 'rows', type: 'js' },
  { name: 'away', type: 'js' },
  { name: 'words', type: 'js' },
  { name: 'icon', type: 'svg' },
] as const

/** The page loads nothing but the files above, and makes no element out of text. */
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

/** Serves the page, and the source of the route that it shows. */
export async function page(app: FastifyInstance): Promise<void> {
  app.addHook('onSend', async (_request, reply) => {
    reply.headers(HEADERS)
  })
  for (const { name, type } of FILES) {
    const body = await readFile(new URL(`${name}.${type}`, import.meta.url))
    const url = type === 'html' ? '/' : `/${name}.${type}`
    app.get(url, (_request, reply) => reply.type(TYPES[type]).send(body))
  }
  const source = await readSource()
  app.get('/route.json', () => source)
}
