import type { FastifyBaseLogger } from 'fastify'
import { toLine } from './bounded-line.js'
import type { LogLine } from './log-lines.js'

/** Logs a line, in its bounds. If the app's own logger throws, nothing else must fail because of that. */
export function logSafely(log: FastifyBaseLogger, { level, text }: LogLine, fields: object): void {
  try {
    log[level](toLine(fields, text), text)
  } catch {
    // There is nobody else to tell.
  }
}
