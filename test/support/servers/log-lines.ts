import type { FastifyServerOptions } from 'fastify'

export type LogLine = Readonly<Record<string, unknown>>

/** A logger that keeps its lines, and Fastify options that use it. */
export function logLines(): { lines: LogLine[]; fastify: FastifyServerOptions } {
  const lines: LogLine[] = []
  const stream = {
    write(line: string): void {
      lines.push(JSON.parse(line) as LogLine)
    },
  }
  return { lines, fastify: { logger: { level: 'trace', stream } } }
}
