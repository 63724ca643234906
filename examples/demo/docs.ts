import { readFile } from 'node:fs/promises'
import type { FastifyInstance } from 'fastify'

/** What the page links to, as it stands in this repository. */
const DOCS = ['README.md', 'docs/close-codes.md', 'docs/shutdown.md', 'docs/testing.md']

/** Serves documents as plain text: the page works offline, and names no other address. */
export async function docs(app: FastifyInstance): Promise<void> {
  for (const path of DOCS) {
    const body = await readFile(new URL(`../../${path}`, import.meta.url))
    app.get(`/${path}`, (_request, reply) => reply.type('text/plain; charset=utf-8').send(body))
  }
}
