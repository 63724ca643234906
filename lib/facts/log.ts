import type { FastifyBaseLogger } from 'fastify'
import { toLine } from './bounded-line.js'
import type { LogLine } from './log-lines.js'

/** Logs, in bounds. Where the app's own logger throws, nothing must end differently because of it. */
export function logSafely(log: FastifyBaseLogger, { level, text }: LogLine, fields: object): void {
  try {
    log[level](toLine(fields, text), text)
  } catch {
    // There is nobody left to tell.
  }
}
