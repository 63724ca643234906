import assert from 'node:assert/strict'
import type { FastifyInstance } from 'fastify'

/** The lines of a scrape: `name{label="value"}` and the value. */
export type Scraped = ReadonlyMap<string, number>

/** Reads the text format of Prometheus. */
export function readMetrics(text: string): Scraped {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const [, name, value] = /^(\S+?(?:\{.*\})?) (\S+)$/.exec(line) ?? []
      assert.ok(name !== undefined && value !== undefined, line)
      return [name, Number(value)]
    }),
  )
}

/** Asks for `/metrics`, as Prometheus does. */
export async function scrape(app: FastifyInstance): Promise<Scraped> {
  const { statusCode, headers, body } = await app.inject('/metrics')
  assert.equal(statusCode, 200)
  assert.match(String(headers['content-type']), /^text\/plain; version=0\.0\.4/)
  return readMetrics(body)
}

/** Those lines that are not 0. */
export function notZero(scraped: Scraped): Record<string, number> {
  return Object.fromEntries([...scraped].filter(([, value]) => value !== 0))
}
