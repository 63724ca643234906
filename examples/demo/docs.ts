import { readFile } from 'node:fs/promises'
import type { FastifyInstance } from 'fastify'

/** What the page links to, as it stands in this repository. */
const PAGES = ['getting-started', 'endings', 'recipes', 'troubleshooting']
const DOCS = ['README.md', ...PAGES.map((page) => `docs/${page}.md`)]

/** Serves documents as plain text: the page works offline, and names no other address. */
export async function docs(app: FastifyInstance): Promise<void> {
  for (const path of DOCS) {
    const body = await readFile(new URL(`../../${path}`, import.meta.url))
    app.get(`/${path}`, (_request, reply) => reply.type('text/plain; charset=utf-8').send(body))
  }
}
