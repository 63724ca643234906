import type { FastifyInstance } from 'fastify'
import { serveFiles } from './files.js'
import { readSource } from './source.js'

/** All that the page is made of. */
const FILES = [
  'page.html',
  'page.css',
  'acts.css',
  'board.css',
  'ending.css',
  'chat.css',
  'page.js',
  'beside.js',
  'board.js',
  'chat.js',
  'connection.js',
  'ending.js',
  'endings.js',
  'example.js',
  'gap.js',
  'make.js',
  'route.js',
  'rows.js',
  'away.js',
  'words.js',
  'icon.svg',
]

/** Serves the page, and the source of the route that it shows. */
export async function page(app: FastifyInstance): Promise<void> {
  await serveFiles(
    app,
    FILES.map((name) => new URL(name, import.meta.url)),
  )
  const source = await readSource()
  app.get('/route.json', () => source)
}
